"""The alarms for an operator: dead letters, failing functions, an API that answers 5xx."""

from collections.abc import Collection, Mapping

from aws_cdk import Duration
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from darkroom.settings import METRICS

_PERIOD = Duration.minutes(5)


class Monitoring(Construct):
    """Alarms. They have no fixed names and no action: subscribe where your team reads."""

    def __init__(
        self,
        scope: Construct,
        dead_letters: Mapping[str, sqs.Queue],
        functions: Mapping[str, lambda_.Function],
        refusing: Collection[str],
        api: apigateway.RestApi,
        scheduled: Mapping[str, lambda_.Function],
        stage: str,
    ) -> None:
        """`refusing` are functions that raise an error to refuse a request. They get no alarm, because any stranger
        could set it off; their real errors become a 5xx of the API."""
        super().__init__(scope, "Monitoring")
        for name, queue in dead_letters.items():
            waiting = queue.metric_approximate_number_of_messages_visible(statistic="max", period=_PERIOD)
            self._alarm(name, waiting, f"{name}: messages wait that nothing could take in")
        for name, function in functions.items():
            if name in refusing:
                continue
            errors = function.metric_errors(statistic="sum", period=_PERIOD)
            self._alarm(f"{name}Errors", errors, f"The function {name} fails")
        for name, function in scheduled.items():
            self._silence(f"{name}Silent", function, f"The schedule of {name} does not call it any more")
        # The sweeper counts these (`edge/rounds.py`). An endpoint that never sleeps costs money.
        for name, metric, words in (
            ("IdleEndpoints", "idle", "An endpoint that never sleeps had no job for hours"),
            ("FailedEndpoints", "failed_endpoints", "SageMaker could not make an endpoint"),
        ):
            found = cloudwatch.Metric(
                namespace=METRICS,
                metric_name=metric,
                dimensions_map={"stage": stage, "round": "endpoints"},
                statistic="max",
                # The time of three rounds, so that one late round does not end the alarm.
                period=Duration.minutes(15),
            )
            self._alarm(name, found, words)
        # A function that hands jobs over counts the first once for each endpoint (`jobs/dispatcher.py`), and whoever
        # wakes an endpoint or puts it to sleep counts the second (`endpoints/waking.py`).
        for name, metric, words in (
            ("AnswersElsewhere", "answers_elsewhere", "SageMaker puts answers elsewhere than it was asked to"),
            ("InstancesRefused", "instances_refused", "AWS refuses to change the instances of an endpoint"),
        ):
            counted = cloudwatch.Metric(
                namespace=METRICS,
                metric_name=metric,
                dimensions_map={"stage": stage},
                statistic="sum",
                period=_PERIOD,
            )
            self._alarm(name, counted, words)
        faults = api.metric_server_error(statistic="sum", period=_PERIOD)
        self._alarm("ApiFaults", faults, "The API answers 5xx", threshold=5)

    def _alarm(self, name: str, metric: cloudwatch.Metric, description: str, threshold: int = 1) -> None:
        cloudwatch.Alarm(
            self,
            name,
            metric=metric,
            alarm_description=description,
            threshold=threshold,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    def _silence(self, name: str, function: lambda_.Function, description: str) -> None:
        """An alarm when the function was not called for three periods of its schedule. Missing data counts as no
        call."""
        cloudwatch.Alarm(
            self,
            name,
            metric=function.metric_invocations(statistic="sum", period=Duration.minutes(15)),
            alarm_description=description,
            threshold=1,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
        )
