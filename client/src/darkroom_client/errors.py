"""What can go wrong between a program and Darkroom. Beside these, httpx's own TransportError passes through."""

from collections.abc import Sequence
from typing import Any


class Refused(Exception):
    """Darkroom refused a request: `status` is HTTP's, `code` the problem's stable code, `detail` its text, and
    `errors` names each field at fault with `loc` and `msg`."""

    def __init__(self, status: int, code: str, detail: str, errors: Sequence[Any] = ()) -> None:
        super().__init__(f"{detail} ({code}, HTTP {status})")
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)


class Failure(Exception):
    """Something that a person can put right, said in one line."""


class NotDarkroom(Failure):
    """The answer is none that this version of the client knows."""

    def __init__(self) -> None:
        super().__init__("What answers at that address is not Darkroom, or another version of it.")
