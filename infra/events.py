"""How news of jobs comes home: SageMaker → topic → queue → function, and the worker straight into the queue."""

from aws_cdk import Duration
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

ATTEMPTS = 5


class Events(Construct):
    """The topic that SageMaker publishes to, the queue behind it, and where undelivered messages go."""

    def __init__(self, scope: Construct, handling: Duration) -> None:
        """`handling` is the time limit of the function that reads the queue."""
        super().__init__(scope, "Events")
        # SageMaker publishes as the worker's role. The key of SNS serves every role of the account, so that
        # role needs no permission on it.
        self.topic = sns.Topic(
            self,
            "Results",
            enforce_ssl=True,
            master_key=kms.Alias.from_alias_name(self, "SnsKey", "alias/aws/sns"),
        )
        self.dead_letters = self._queue("DeadLetters", retention_period=Duration.days(14))
        self.queue = self._queue(
            "Queue",
            # Six times the function's limit, as Lambda's guide on SQS asks: a throttled batch is not read twice.
            visibility_timeout=Duration.seconds(6 * handling.to_seconds()),
            retention_period=Duration.days(14),
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead_letters, max_receive_count=ATTEMPTS),
        )
        # A subscription that cannot deliver drops messages silently unless it has a queue of its own.
        self.undelivered = self._queue("Undelivered", retention_period=Duration.days(14))
        self.topic.add_subscription(
            subscriptions.SqsSubscription(self.queue, raw_message_delivery=True, dead_letter_queue=self.undelivered)
        )

    def feed(self, function: lambda_.Function) -> None:
        """Let `function` read the queue; it answers which messages of a batch failed."""
        lambda_.EventSourceMapping(
            self,
            "Feed",
            target=function,
            event_source_arn=self.queue.queue_arn,
            batch_size=10,
            max_concurrency=10,
            report_batch_item_failures=True,
        )

    def _queue(
        self,
        name: str,
        retention_period: Duration,
        visibility_timeout: Duration | None = None,
        dead_letter_queue: sqs.DeadLetterQueue | None = None,
    ) -> sqs.Queue:
        return sqs.Queue(
            self,
            name,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=retention_period,
            visibility_timeout=visibility_timeout,
            dead_letter_queue=dead_letter_queue,
        )
