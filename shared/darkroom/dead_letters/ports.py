"""What the dead letters need from the outside: SQS."""

from typing import Protocol

from darkroom.dead_letters.model import Message


class Letters(Protocol):
    """Calls on queues, which are named by their URLs."""

    def count(self, url: str) -> int:
        """About how many messages the queue has."""

    def take(self, url: str, seconds: int) -> list[Message]:
        """Receive up to 10 messages, which nobody else receives for `seconds`; an empty list when there are none."""

    def put_back(self, url: str, messages: list[Message]) -> None:
        """Let others receive these messages again at once."""

    def send(self, url: str, messages: list[Message]) -> None:
        """Send copies of these messages to a queue."""

    def delete(self, url: str, messages: list[Message]) -> None:
        """Delete messages that were received."""
