"""What an answer of a worker comes down to, once it is understood."""

from dataclasses import dataclass
from typing import Any

from darkroom.jobs.contract import Components, PaintedImage, Timings, WorkerMachine, WorkError
from darkroom.jobs.media import Media
from darkroom.jobs.types import AnswerKind

MAX_CAPTION_BYTES = 10_000
MAX_MESSAGE = 2_000
MAX_CODE = 64
MAX_SEED = 2**64 - 1
MAX_SIDE = 65_535
"""No JPEG, WebP, GIF or video has a longer side, and no PNG that a browser shows."""
BAD_ANSWER, WORKER_FAILED = "bad_answer", "worker_failed"


@dataclass(frozen=True)
class RawPicture:
    """A picture that came inside the answer, not stored yet: its bytes, format, pixels, seed and infotext."""

    content: bytes
    media: Media
    width: int
    height: int
    seed: int | None
    infotext: str | None


@dataclass(frozen=True)
class Answer:
    """An answer understood: stored pictures or raw ones, or a caption, or an error; and what stands beside them."""

    images: tuple[PaintedImage, ...] = ()
    raw: tuple[RawPicture, ...] = ()
    caption: str | None = None
    timings: Timings | None = None
    notices: tuple[str, ...] = ()
    components: Components | None = None
    machine: WorkerMachine | None = None
    error: WorkError | None = None

    @property
    def kinds(self) -> set[AnswerKind]:
        """What the job got."""
        kinds: set[AnswerKind] = set()
        if self.images or self.raw:
            kinds.add("pictures")
        if self.caption is not None:
            kinds.add("caption")
        return kinds


class Unusable(Exception):
    """Why an answer cannot be used, as the end of the sentence `The worker's answer cannot be used: …`."""


def bad_answer(why: str) -> Answer:
    """The answer of a worker whose words cannot be used."""
    message = f"The worker's answer cannot be used: {why}. Look at the worker's log for this job."
    return Answer(error=WorkError(code=BAD_ANSWER, message=message[:MAX_MESSAGE]))


def has_result(document: dict[str, Any]) -> bool:
    """Whether an answer holds pictures or a caption."""
    return bool(document.get("images") or document.get("image")) or document.get("caption") is not None
