"""Queues of messages that nothing could take in."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Queue:
    """A dead-letter queue under the name people call it by. `source` is the URL of the queue that its messages go back
    to; without one they are records of something that has been made up for since."""

    name: str
    url: str
    source: str | None

    @classmethod
    def parse(cls, text: str) -> "Queue":
        """As it stands in the settings: `name|url|source`, where `source` may be empty."""
        name, url, source = text.split("|")
        return cls(name, url, source or None)


@dataclass(frozen=True)
class Message:
    """A message as SQS gives it out: `receipt` is for the next call only, `sent` in epoch seconds, `received` how often
    it was given out."""

    id: str
    receipt: str
    body: str
    sent: float
    received: int


@dataclass(frozen=True)
class About:
    """What may be shown of a message: its kind, the job or model file it is about, what it says of it, and why it was
    not understood. Never its text, which may hold prompts."""

    kind: str
    subject: str | None = None
    status: str | None = None
    reason: str | None = None
