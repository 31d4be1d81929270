"""Queues of steps in SQS: of imports, and of deletions."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient


class SqsSteps:
    """`darkroom.steps.StepQueue` on SQS."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def send(self, body: str, delay: int) -> None:
        """See `StepQueue.send`: one SendMessage."""
        self._client.send_message(QueueUrl=self._url, MessageBody=body, DelaySeconds=delay)
