"""What the dead letters need from the outside."""

from typing import Protocol

from darkroom.dead_letters.model import Message


class Letters(Protocol):
    """Queues by their URLs."""

    def count(self, url: str) -> int:
        """About how many messages lie there."""

    def take(self, url: str, seconds: int) -> list[Message]:
        """Up to 10 messages, which nobody else gets for so many seconds; an empty list when there is none."""

    def put_back(self, url: str, messages: list[Message]) -> None:
        """Let others have them again at once."""

    def send(self, url: str, messages: list[Message]) -> None:
        """Send copies to a queue."""

    def delete(self, url: str, messages: list[Message]) -> None:
        """Remove messages that were taken."""
