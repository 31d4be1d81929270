"""Rules that an answer breaks, and errors as containers report them: Darkroom's own, the WebUI's, FastAPI's.

The forms of errors are those that `docs/worker-contract.md` lists under "When it cannot be done".
"""

import re
from dataclasses import dataclass
from typing import Any

from darkroom_cli.worker_check.contract import MAX_CODE, MAX_MESSAGE

WORKER_FAILED = "worker_failed"
_WORDS = ("message", "detail", "errors")
_CAPTIONS = re.compile(
    r".*<error>"
    r"|(?:Exception|Error|ERROR)\s*[:<].*"
    r"|[A-Za-z_.]*[a-z](?:Error|Exception)(?::.*)?"
    r"|(?:Ran o|O|o)ut of (?:VRAM|memory)\b.*"
    r"|CUDA (?:error|out of memory)\b.*"
    r"|Traceback \(most recent call last\).*",
    re.DOTALL,
)
"""Captions that tell an error."""


@dataclass(frozen=True)
class Problem:
    """A rule (the name of a row of the table) that an answer breaks, and how."""

    rule: str
    why: str


@dataclass(frozen=True)
class Reported:
    """An error that an answer reports. `message` is "" when the answer has no words for a person."""

    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" if self.message else self.code


def reported(document: dict[str, Any]) -> Reported | None:
    """The error that an answer reports, None when it reports none."""
    error = document.get("error")
    if isinstance(error, dict) and error:
        code = error.get("code")
        return _reported(_text(error), code if isinstance(code, str) and code.strip() else WORKER_FAILED)
    words = next((text for name in _WORDS if (text := _text(document.get(name)))), "")
    if error:
        name = _text(error)
        return _reported(words if not name or name == "HTTPException" or words.startswith(name) else f"{name} {words}")
    has_result = document.get("images") or document.get("image") or document.get("caption") is not None
    if words and not has_result:
        return _reported(words)
    caption = document.get("caption")
    if isinstance(caption, str) and _CAPTIONS.fullmatch(caption.strip()):
        return _reported(caption.strip())
    return None


def _reported(message: str, code: str = WORKER_FAILED) -> Reported:
    return Reported(code[:MAX_CODE], message.strip()[:MAX_MESSAGE])


def _text(value: object, depth: int = 3) -> str:
    """A text, a number, a list of these or of FastAPI's complaints, or an object with words of its own, as one text."""
    if isinstance(value, str):
        return value.strip()
    if type(value) is int:
        return str(value) if abs(value) < 10**12 else ""
    if depth and isinstance(value, list):
        return "; ".join(text for each in value[:20] if (text := _text(each, depth - 1)))
    if depth and isinstance(value, dict):
        return next((text for name in ("msg", *_WORDS, "error") if (text := _text(value.get(name), depth - 1))), "")
    return ""
