"""The alarms for an operator: dead letters, failing functions, an API that answers 5xx. Each has an entry of its name
in docs/runbook.md."""

from collections.abc import Collection, Mapping

from aws_cdk import Duration, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from darkroom.settings import METRICS
from infra.stage import Stage

_PERIOD = Duration.minutes(5)


def alarm_topics(scope: Construct, stage: Stage, key: kms.IKey | None) -> list[sns.ITopic]:
    """Where alarms go: to a topic of the stage's own that mails them, encrypted with `key` if there is one, and to the
    topic that the operator names. Without settings for either, none."""
    topics: list[sns.ITopic] = []
    if stage.alarm_email:
        # Not with SNS's own key: CloudWatch may not use it, and nobody can change its policy.
        own = sns.Topic(scope, "Alarms", enforce_ssl=True, master_key=key)
        own.add_subscription(subscriptions.EmailSubscription(stage.alarm_email))
        own.add_to_resource_policy(_publishing(own, Stack.of(scope)))
        topics.append(own)
    if stage.alarm_topic:
        topics.append(sns.Topic.from_topic_arn(scope, "AlarmTopic", stage.alarm_topic))
    return topics


def _publishing(topic: sns.Topic, stack: Stack) -> iam.PolicyStatement:
    """CloudWatch may publish for alarms of this account and region (Amazon SNS Developer Guide, "Example cases for
    Amazon SNS access control")."""
    return iam.PolicyStatement(
        principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
        actions=["sns:Publish"],
        resources=[topic.topic_arn],
        conditions={
            "StringEquals": {"aws:SourceAccount": stack.account},
            "ArnLike": {
                "aws:SourceArn": f"arn:{stack.partition}:cloudwatch:{stack.region}:{stack.account}:alarm:*",
            },
        },
    )


class Monitoring(Construct):
    """Alarms. They have no fixed names; the last part of their ids is the name of their entry in the runbook."""

    def __init__(
        self,
        scope: Construct,
        dead_letters: Mapping[str, sqs.Queue],
        functions: Mapping[str, lambda_.Function],
        refusing: Collection[str],
        api: apigateway.RestApi,
        scheduled: Mapping[str, lambda_.Function],
        stage: str,
        topics: Collection[sns.ITopic] = (),
    ) -> None:
        """`topics` are told of each alarm. `refusing` are functions that raise an error to refuse a request. They get
        no alarm, because any stranger could set it off; their real errors become a 5xx of the API."""
        super().__init__(scope, "Monitoring")
        self._actions = [actions.SnsAction(topic) for topic in topics]
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
        self._add(
            name,
            metric,
            description,
            threshold,
            cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    def _silence(self, name: str, function: lambda_.Function, description: str) -> None:
        """An alarm when the function was not called for three periods of its schedule. Missing data counts as no
        call."""
        self._add(
            name,
            function.metric_invocations(statistic="sum", period=Duration.minutes(15)),
            description,
            1,
            cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            cloudwatch.TreatMissingData.BREACHING,
        )

    def _add(
        self,
        name: str,
        metric: cloudwatch.Metric,
        description: str,
        threshold: int,
        comparison: cloudwatch.ComparisonOperator,
        missing: cloudwatch.TreatMissingData,
    ) -> None:
        alarm = cloudwatch.Alarm(
            self,
            name,
            metric=metric,
            # What a mail about the alarm shows.
            alarm_description=f"{description}. What to do: docs/runbook.md, {name}",
            threshold=threshold,
            evaluation_periods=1,
            comparison_operator=comparison,
            treat_missing_data=missing,
        )
        if self._actions:
            alarm.add_alarm_action(*self._actions)
