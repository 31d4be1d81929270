"""What an operator must hear of: lost messages, failing functions, an API that answers 5xx."""

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

_PERIOD = Duration.minutes(5)


class Monitoring(Construct):
    """Alarms. They have no fixed names and no action: subscribe where your team reads."""

    def __init__(
        self,
        scope: Construct,
        dead_letters: Mapping[str, sqs.Queue],
        functions: Mapping[str, lambda_.Function],
        api: apigateway.RestApi,
    ) -> None:
        super().__init__(scope, "Monitoring")
        for name, queue in dead_letters.items():
            waiting = queue.metric_approximate_number_of_messages_visible(statistic="max", period=_PERIOD)
            self._alarm(name, waiting, f"{name}: messages wait that nothing could take in")
        for name, function in functions.items():
            errors = function.metric_errors(statistic="sum", period=_PERIOD)
            self._alarm(f"{name}Errors", errors, f"The function {name} fails")
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
