"""The way of messages about jobs: SageMaker → topic → queue → function, and a worker's progress into its own queue."""

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from darkroom.settings import endpoint_prefix

ATTEMPTS = 5
SWEEP_EVERY = Duration.minutes(5)
SCALE_EVERY = Duration.minutes(1)


class Events(Construct):
    """The topic that SageMaker publishes to, the queue that subscribes to it, and the queues of undelivered
    messages."""

    def __init__(
        self, scope: Construct, handling: Duration, key: kms.IKey | None = None, sns_key: bool = False
    ) -> None:
        """`handling` is the time limit of the function that reads the queue, `key` the customer's own. `sns_key`
        encrypts the topic with SNS's own key where there is none of the customer's."""
        super().__init__(scope, "Events")
        aws_key = kms.Alias.from_alias_name(self, "SnsKey", "alias/aws/sns") if sns_key and not key else None
        self.topic = sns.Topic(self, "Results", enforce_ssl=True, master_key=key or aws_key)
        self.dead_letters = _queue(self, "DeadLetters", key=key)
        self.queue = _queue(self, "Queue", handling, self.dead_letters, key)
        # A subscription silently drops messages that it cannot deliver, unless it has a dead-letter queue of its own.
        self.undelivered = _queue(self, "Undelivered", key=key)
        self.topic.add_subscription(
            subscriptions.SqsSubscription(self.queue, raw_message_delivery=True, dead_letter_queue=self.undelivered)
        )

    def feed(self, function: lambda_.IFunction) -> None:
        """Let `function` read the queue; it answers which messages of a batch failed."""
        _feed(self, self.queue, function, batch_size=10)


class Progress(Construct):
    """The queue of the workers' progress. It is not the queue of results: a container that writes to it can end no job,
    and however much it writes, no result waits behind it."""

    def __init__(self, scope: Construct, handling: Duration, key: kms.IKey | None = None) -> None:
        """`handling` is the time limit of the function that reads the queue, `key` the customer's own."""
        super().__init__(scope, "Progress")
        self.dead_letters = _queue(self, "DeadLetters", key=key)
        self.queue = _queue(self, "Queue", handling, self.dead_letters, key)

    def feed(self, function: lambda_.IFunction) -> None:
        """Let `function` read the queue; it answers which messages of a batch failed."""
        _feed(self, self.queue, function, batch_size=10)


class Steps(Construct):
    """The queue of the steps of imports, or of deletions. The function that reads it also sends the next step to it."""

    def __init__(self, scope: Construct, name: str, handling: Duration, key: kms.IKey | None = None) -> None:
        """`handling` is the time limit of the function that reads the queue, `key` the customer's own."""
        super().__init__(scope, name)
        self.dead_letters = _queue(self, "DeadLetters", key=key)
        self.queue = _queue(self, "Queue", handling, self.dead_letters, key)

    def feed(self, function: lambda_.IFunction) -> None:
        """Let `function` read the queue, one step at a time: a step takes most of the function's time."""
        _feed(self, self.queue, function, batch_size=1)


class EndpointEvents(Construct):
    """The state events of a stage's endpoints: SageMaker → EventBridge → a queue. Not directly to the function: from
    the queue an event that cannot be handled is tried again for minutes, and then becomes a dead letter."""

    def __init__(self, scope: Construct, stage: str, handling: Duration, key: kms.IKey | None = None) -> None:
        """`handling` is the time limit of the function that reads the queue, `key` the customer's own."""
        super().__init__(scope, "EndpointStates")
        self.dead_letters = _queue(self, "DeadLetters", key=key)
        self.queue = _queue(self, "Queue", handling, self.dead_letters, key)
        self.rule = events.Rule(
            self,
            "Rule",
            description=f"Darkroom {stage}: an endpoint changed its state",
            event_pattern=events.EventPattern(
                source=["aws.sagemaker"],
                detail_type=["SageMaker Endpoint State Change"],
                detail={"EndpointName": events.Match.prefix(endpoint_prefix(stage))},
            ),
            targets=[targets.SqsQueue(self.queue, dead_letter_queue=self.dead_letters)],
        )

    def feed(self, function: lambda_.IFunction) -> None:
        """Let `function` read the queue, one event at a time: each may take many calls."""
        _feed(self, self.queue, function, batch_size=1)


class Sweeps(Construct):
    """The sweeper's schedule, and the queue that keeps a record of each failed call.

    A failed call is not tried again, because the next one does its work. Two at once do no harm, so the function has no
    reserved concurrency.
    """

    def __init__(self, scope: Construct, key: kms.IKey | None = None) -> None:
        """`key` is the customer's own."""
        super().__init__(scope, "Sweeps")
        self.dead_letters = _queue(self, "DeadLetters", key=key)

    def call(self, alias: lambda_.Alias) -> None:
        """Call the function of `alias` every five minutes."""
        target = targets.LambdaFunction(
            alias, dead_letter_queue=self.dead_letters, retry_attempts=2, max_event_age=SWEEP_EVERY
        )
        events.Rule(self, "Schedule", schedule=events.Schedule.rate(SWEEP_EVERY), targets=[target])
        alias.configure_async_invoke(
            retry_attempts=0,
            max_event_age=SWEEP_EVERY,
            on_failure=destinations.SqsDestination(self.dead_letters),
        )


class Minutes(Construct):
    """The scaler's schedule. A failed call is not tried again and leaves no record but its log and the function's
    alarm: the next one comes within a minute and sees what it left. Two at once do no harm."""

    def __init__(self, scope: Construct) -> None:
        super().__init__(scope, "Minutes")

    def call(self, alias: lambda_.Alias) -> None:
        """Call the function of `alias` every minute."""
        target = targets.LambdaFunction(alias, retry_attempts=0, max_event_age=SCALE_EVERY)
        events.Rule(self, "Schedule", schedule=events.Schedule.rate(SCALE_EVERY), targets=[target])
        alias.configure_async_invoke(retry_attempts=0, max_event_age=SCALE_EVERY)


def _feed(scope: Construct, queue: sqs.Queue, function: lambda_.IFunction, batch_size: int) -> None:
    lambda_.EventSourceMapping(
        scope,
        "Feed",
        target=function,
        event_source_arn=queue.queue_arn,
        batch_size=batch_size,
        max_concurrency=10,
        report_batch_item_failures=True,
    )


def _queue(
    scope: Construct,
    name: str,
    handling: Duration | None = None,
    dead_letters: sqs.Queue | None = None,
    key: kms.IKey | None = None,
) -> sqs.Queue:
    """A queue that keeps messages for two weeks. `handling` is the time limit of the function that reads it: messages
    then stay invisible for six times as long, as the Lambda Developer Guide recommends for SQS."""
    return sqs.Queue(
        scope,
        name,
        encryption=sqs.QueueEncryption.KMS if key else sqs.QueueEncryption.SQS_MANAGED,
        encryption_master_key=key,
        enforce_ssl=True,
        retention_period=Duration.days(14),
        visibility_timeout=Duration.seconds(6 * handling.to_seconds()) if handling else None,
        dead_letter_queue=sqs.DeadLetterQueue(queue=dead_letters, max_receive_count=ATTEMPTS) if dead_letters else None,
    )
