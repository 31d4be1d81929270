"""Dead-letter queues and their messages."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Queue:
    """A dead-letter queue. `name` is the one that the API uses. `source` is the URL of the queue that its messages are
    sent back to. Without a source its messages are only records of failed rounds, whose work a later round does."""

    name: str
    url: str
    source: str | None

    @classmethod
    def parse(cls, text: str) -> "Queue":
        """Read a queue as the settings write it: `name|url|source`, where `source` may be empty."""
        name, url, source = text.split("|")
        return cls(name, url, source or None)


@dataclass(frozen=True)
class Message:
    """A message as SQS delivers it. `receipt` is valid until the next delivery, `sent` is in epoch seconds, `received`
    is how often the message was delivered."""

    id: str
    receipt: str
    body: str
    sent: float
    received: int


@dataclass(frozen=True)
class About:
    """What may be shown of a message: its kind, the job, model file or endpoint it is about, what it reports, and why
    it could not be handled. Never its text, which may contain prompts."""

    kind: str
    subject: str | None = None
    status: str | None = None
    reason: str | None = None
