"""Errors as containers report them: Darkroom's contract, the WebUI, FastAPI, and plain text.

The WebUI answers `{"error": "OutOfMemoryError", "detail": "", "body": "", "errors": "CUDA out of memory…"}` (its
modules/api/api.py), FastAPI `{"detail": "…"}` or `{"detail": [{"loc": […], "msg": "…"}]}`. Some containers send them
with 500, some with 200. `body` repeats the request, so it is never told.
"""

import re
from typing import Any

from darkroom.jobs.answer import MAX_CODE, MAX_MESSAGE, WORKER_FAILED, has_result
from darkroom.jobs.contract import WorkError

NO_WORDS = "The worker reports an error and says nothing about it. Look at the worker's log for this job."
_WORDS = ("message", "detail", "errors")
"""Where an error's words stand, the best first."""
_DEEPEST = 3
"""How many lists and objects deep words are looked for."""
_DIGITS = 12
"""Digits of a number that is told as an error, such as a status."""
_CAPTIONS = re.compile(
    r".*<error>"
    r"|(?:Exception|Error|ERROR)\s*[:<].*"
    r"|[A-Za-z_.]*[a-z](?:Error|Exception)(?::.*)?"
    r"|(?:Ran o|O|o)ut of (?:VRAM|memory)\b.*"
    r"|CUDA (?:error|out of memory)\b.*"
    r"|Traceback \(most recent call last\).*",
    re.DOTALL,
)
"""What stands in a caption when describing failed: the WebUI puts `<error>` at its end (its modules/interrogate.py),
extensions put the exception in its place."""


def reported_error(document: dict[str, Any]) -> WorkError | None:
    """The error that an answer reports, None when it reports none."""
    error = document.get("error")
    if isinstance(error, dict) and error:
        code = error.get("code")
        return _error(_text(error) or NO_WORDS, code if isinstance(code, str) and code.strip() else WORKER_FAILED)
    if error:
        name = _text(error)
        return _error(_named(name, _words(document)) or NO_WORDS)
    if not has_result(document) and (words := _words(document)):
        return _error(words)
    return _failed_caption(document.get("caption"))


def plain_error(content: bytes) -> str | None:
    """The words of an error that is no JSON: text, or the text of an HTML page; None when there are none."""
    text = content[: 8 * MAX_MESSAGE].decode(errors="replace")
    if "\ufffd" in text[:MAX_MESSAGE] or "\0" in text:
        return None
    if text.lstrip().startswith("<"):
        text = re.sub(r"<(script|style)\b.*?</\1>|<[^>]*>", " ", text, flags=re.DOTALL | re.IGNORECASE)
    return " ".join(text.split())[:MAX_MESSAGE] or None


def _failed_caption(caption: object) -> WorkError | None:
    if not isinstance(caption, str) or not _CAPTIONS.fullmatch(caption.strip()):
        return None
    said = caption.strip().removesuffix("<error>").strip()
    return _error(f"The worker could not describe the picture; it answered {said or caption.strip()!r}.")


def _error(message: str, code: str = WORKER_FAILED) -> WorkError:
    return WorkError(code=code[:MAX_CODE], message=message[:MAX_MESSAGE])


def _named(name: str, words: str) -> str:
    """The error's name and its words as one text. `HTTPException` is the name of every refusal, so it says nothing."""
    if not words:
        return name
    return words if not name or name == "HTTPException" or words.startswith(name) else f"{name}: {words}"


def _words(document: dict[str, Any]) -> str:
    """The words of an error, "" when there are none."""
    return next((words for name in _WORDS if (words := _text(document.get(name)))), "")


def _text(value: object, depth: int = _DEEPEST) -> str:
    """A text, a number, a list of these or of FastAPI's complaints, or an object with words of its own, as one text."""
    if isinstance(value, str):
        return value.strip()
    if type(value) is int:
        return str(value) if abs(value) < 10**_DIGITS else ""
    if depth and isinstance(value, list):
        return "; ".join(text for each in value[:20] if (text := _text(each, depth - 1)))
    if depth and isinstance(value, dict):
        words = next((text for name in ("msg", *_WORDS, "error") if (text := _text(value.get(name), depth - 1))), "")
        place = value.get("loc")
        where = ".".join(str(part) for part in place if part != "body") if isinstance(place, list) else ""
        return f"{where}: {words}" if where and words else words
    return ""
