"""Everything Darkroom refuses, as exceptions.

A service raises one of these; `edge.http` alone turns the class into an HTTP status. `code` is
stable and snake_case, `detail` a sentence that says what to do.
"""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field: its place, as in `("body", "parameters", "width")`, and a text."""

    loc: tuple[str | int, ...]
    msg: str


class DarkroomError(Exception):
    """A request that is refused; the subclasses say why. `code` and `detail` are explained above."""

    title: ClassVar[str] = "The request cannot be carried out"

    def __init__(self, code: str, detail: str, errors: tuple[FieldError, ...] = ()) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.errors = errors


class Malformed(DarkroomError):
    """The request cannot be read: its body is no JSON, or a query parameter has the wrong format."""

    title = "The request cannot be read"


class Invalid(DarkroomError):
    """The request can be read, but a field has a value that makes no sense or names something that does not exist."""

    title = "The request is not valid"


class Missing(DarkroomError):
    """The path names something that does not exist, or that the caller may not see."""

    title = "Not found"


class Forbidden(DarkroomError):
    """The caller may see this, but may not do it."""

    title = "Not allowed"


class MethodNotAllowed(DarkroomError):
    """The path exists, but not with this method."""

    title = "Method not allowed"


class Conflict(DarkroomError):
    """The request is valid, but not possible in the present state of what it names."""

    title = "Not possible now"


class TooLarge(DarkroomError):
    """A body, a picture or a set of parameters over its limit."""

    title = "Too large"


class Unsupported(DarkroomError):
    """A content type that Darkroom does not read."""

    title = "Unsupported content type"


class Busy(DarkroomError):
    """AWS throttled a call or did not answer. The same request may succeed after `retry_after` seconds."""

    title = "Busy, try again"

    def __init__(self, code: str, detail: str, retry_after: int = 2) -> None:
        super().__init__(code, detail)
        self.retry_after = retry_after


class Throttled(Busy):
    """AWS throttled a call, so it was certainly not carried out."""


class TooMany(DarkroomError):
    """The caller is over one of its limits. The same request may succeed after `retry_after` seconds."""

    title = "Too many requests"

    def __init__(self, code: str, detail: str, retry_after: int) -> None:
        super().__init__(code, detail)
        self.retry_after = retry_after


class OverBudget(DarkroomError):
    """The caller, or the stage, has spent what it may spend in this month."""

    title = "Budget spent"
