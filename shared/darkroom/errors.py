"""Everything Darkroom refuses, as exceptions.

A service raises one of these; `edge.http` alone turns the class into an HTTP status. `code` is
stable and snake_case, `detail` a sentence that says what to do.
"""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class FieldError:
    """One thing wrong with one field: where it stands (`body`, `parameters`, `width`) and what is wrong."""

    loc: tuple[str | int, ...]
    msg: str


class DarkroomError(Exception):
    """A request that cannot be carried out; see the subclasses for why."""

    title: ClassVar[str] = "The request cannot be carried out"

    def __init__(self, code: str, detail: str, errors: tuple[FieldError, ...] = ()) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.errors = errors


class Malformed(DarkroomError):
    """The request cannot be read: no JSON, a query parameter that is none."""

    title = "The request cannot be read"


class Invalid(DarkroomError):
    """The request can be read, but what it asks for makes no sense or names what is not there."""

    title = "The request is not valid"


class Missing(DarkroomError):
    """What the path names is not there (or is not yours to see)."""

    title = "Not found"


class Forbidden(DarkroomError):
    """The caller is known, and may not do this to something that it may see."""

    title = "Not allowed"


class MethodNotAllowed(DarkroomError):
    """The path is there, but not with this method."""

    title = "Method not allowed"


class Conflict(DarkroomError):
    """The request is fine, but the state of something stands against it."""

    title = "Not possible now"


class TooLarge(DarkroomError):
    """A body, a picture or a set of parameters over its limit."""

    title = "Too large"


class Unsupported(DarkroomError):
    """A content type that Darkroom does not read."""

    title = "Unsupported content type"


class Busy(DarkroomError):
    """AWS throttled or did not answer; the same request is worth sending again in `retry_after` seconds."""

    title = "Busy, try again"

    def __init__(self, code: str, detail: str, retry_after: int = 2) -> None:
        super().__init__(code, detail)
        self.retry_after = retry_after


class Throttled(Busy):
    """AWS refused a call because there were too many: it was not carried out."""


class TooMany(DarkroomError):
    """The caller is over one of its limits; the same request is worth sending again in `retry_after` seconds."""

    title = "Too many requests"

    def __init__(self, code: str, detail: str, retry_after: int) -> None:
        super().__init__(code, detail)
        self.retry_after = retry_after
