"""What `/dead-letters` answers."""

from pydantic import BaseModel


class QueueOut(BaseModel):
    """A queue: about how many messages lie there, and since when the oldest of those looked at was on its way."""

    name: str
    messages: int
    oldest: str | None


class QueueList(BaseModel):
    """All queues of the stage."""

    queues: list[QueueOut]


class LetterOut(BaseModel):
    """A message without its text, which may hold prompts.

    `kind` is `result`, `progress`, `import`, `endpoint`, `round` or `unknown`; `subject` the job, the model file or the
    endpoint it is about; `status` what it says of it; `reason` why it is here, if the message itself tells.
    """

    id: str
    sent_at: str
    received: int
    kind: str
    subject: str | None
    status: str | None
    reason: str | None


class LetterList(BaseModel):
    """The first messages of a queue, in no order; `more` when there are others."""

    messages: list[LetterOut]
    more: bool


class Redriven(BaseModel):
    """How many messages went back, how many were dropped because nothing needs them any more, and about how many are
    left: send the request again for those."""

    moved: int
    dropped: int
    left: int
