"""The errors of the client. httpx.TransportError is raised too, when there is no connection."""

from collections.abc import Sequence
from typing import Any


class Refused(Exception):
    """Darkroom refused a request: `status` is the HTTP status, `code` the problem's stable code, `detail` its text, and
    `errors` has `loc` and `msg` of each invalid field."""

    def __init__(self, status: int, code: str, detail: str, errors: Sequence[Any] = ()) -> None:
        super().__init__(f"{detail} ({code}, HTTP {status})")
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)


class Failure(Exception):
    """An error that a person can correct; the text is one line."""


class WrongAddress(Failure):
    """The address cannot be that of a stage, or something that is no stage answers there."""


class NotDarkroom(WrongAddress):
    """The answer is not one of Darkroom, or not one of a version that this client knows."""

    def __init__(self) -> None:
        super().__init__("What answers at that address is not Darkroom, or another version of it.")
