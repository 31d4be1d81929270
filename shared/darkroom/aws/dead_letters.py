"""Dead-letter queues in SQS."""

from typing import TYPE_CHECKING, Any

from darkroom.dead_letters.model import Message

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

BATCH = 10
"""Messages in one call of SQS."""


class SqsLetters:
    """`darkroom.dead_letters.ports.Letters` on SQS."""

    def __init__(self, client: "SQSClient") -> None:
        self._client = client

    def count(self, url: str) -> int:
        """See `Letters.count`: one GetQueueAttributes. Messages that are being read at this moment count too."""
        names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes: Any = self._client.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(attributes[name]) for name in names)

    def take(self, url: str, seconds: int) -> list[Message]:
        """See `Letters.take`: one ReceiveMessage that asks every server of SQS, as long polling does."""
        answer = self._client.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=BATCH,
            VisibilityTimeout=seconds,
            WaitTimeSeconds=1,
            MessageSystemAttributeNames=["SentTimestamp", "ApproximateReceiveCount"],
        )
        return [
            Message(
                id=found["MessageId"],
                receipt=found["ReceiptHandle"],
                body=found["Body"],
                sent=int(found["Attributes"]["SentTimestamp"]) / 1000,
                received=int(found["Attributes"]["ApproximateReceiveCount"]),
            )
            for found in answer.get("Messages", [])
        ]

    def put_back(self, url: str, messages: list[Message]) -> None:
        """See `Letters.put_back`: one ChangeMessageVisibility each."""
        for message in messages:
            self._client.change_message_visibility(QueueUrl=url, ReceiptHandle=message.receipt, VisibilityTimeout=0)

    def send(self, url: str, messages: list[Message]) -> None:
        """See `Letters.send`: one SendMessage each. A batch would have one limit of size for all of them."""
        for message in messages:
            self._client.send_message(QueueUrl=url, MessageBody=message.body)

    def delete(self, url: str, messages: list[Message]) -> None:
        """See `Letters.delete`: one DeleteMessage each."""
        for message in messages:
            self._client.delete_message(QueueUrl=url, ReceiptHandle=message.receipt)
