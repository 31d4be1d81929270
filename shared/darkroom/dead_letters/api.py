"""What `/dead-letters` answers."""

from pydantic import BaseModel


class QueueOut(BaseModel):
    """A dead-letter queue: about how many messages are in it, and when the oldest of up to ten of them was sent."""

    name: str
    messages: int
    oldest: str | None


class QueueList(BaseModel):
    """All queues of the stage."""

    queues: list[QueueOut]


class LetterOut(BaseModel):
    """A message without its text, which may hold prompts.

    `kind` is `result`, `progress`, `import`, `endpoint`, `round` or `unknown`. `subject` is the job, the model file or
    the endpoint that the message is about, `status` what it reports. `reason` says why the message is here, if the
    message itself contains that.
    """

    id: str
    sent_at: str
    received: int
    kind: str
    subject: str | None
    status: str | None
    reason: str | None


class LetterList(BaseModel):
    """The first messages of a queue, in no particular order. `more` is true when there are others."""

    messages: list[LetterOut]
    more: bool


class Redriven(BaseModel):
    """How many messages were sent back, how many were deleted because nobody needs them any more, and about how many
    are left. Send the request again for those."""

    moved: int
    dropped: int
    left: int
