"""Reads a worker's answer as strictly as Darkroom does, and notes every rule that it breaks instead of the first one.

Tests hold this against Darkroom's own reading: what is found right here, Darkroom takes.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from darkroom_cli.worker_check import contract, inside
from darkroom_cli.worker_check.problems import Problem, reported
from darkroom_cli.worker_check.problems import Reported as Reported

_NAME = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9._-]*/)*[A-Za-z0-9_-][A-Za-z0-9._-]*")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True)
class Stored:
    """A picture that the answer names. `width` and `height` are pixels; None: not told, or not as a number."""

    key: str
    width: int | None
    height: int | None
    seed: int | None
    infotext: str | None
    sha256: str | None
    bytes: int | None
    thumbnail: object


@dataclass(frozen=True)
class Reply:
    """An answer: `stored` pictures, or those `inside` it (their bytes), a caption, or an error; and the rules that it
    breaks. `document` is its JSON object, empty when it is none."""

    document: dict[str, Any] = field(default_factory=dict)
    stored: tuple[Stored, ...] = ()
    inside: tuple[bytes, ...] = ()
    caption: str | None = None
    error: Reported | None = None
    problems: tuple[Problem, ...] = ()

    @property
    def count(self) -> int:
        """How many pictures it has."""
        return len(self.stored) + len(self.inside)


def read(job_id: str, content: bytes) -> Reply:
    """What the bytes of an answer say; never raises for what they hold."""
    document = document_of(content)
    if document is None:
        return Reply(problems=(Problem("answer", f"it is no JSON object: {content[:60]!r}"),))
    if len(content) > contract.MAX_ANSWER_BYTES:
        return Reply(document, problems=(Problem("answer", "it has more than 24 MB, and is not read"),))
    if error := reported(document):
        return Reply(document, error=error)
    if inside.is_webui(document):
        pictures, problems = inside.pictures(document)
        return Reply(document, inside=pictures, problems=tuple(problems))
    return _manifest(job_id, document)


def document_of(content: bytes) -> dict[str, Any] | None:
    """The JSON object in the bytes, None when there is none. Numbers that JSON cannot express become null."""
    try:
        document = json.loads(content, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def whole(value: object) -> int | None:
    """A number without a fraction as an int; None for anything else. One written with a point or an exponent must fit
    into 64 bits, as for pydantic."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**63:
        return int(value)
    return value if type(value) is int else None


def why_no_key(job_id: str, key: str) -> str | None:
    """What is wrong with the key of a picture; None for one under the job's own output."""
    prefix = contract.output_prefix(job_id)
    if not key.startswith(prefix):
        return f"is not under {prefix}: it is {key[: contract.MAX_KEY]!r}"
    if len(key) > contract.MAX_KEY:
        return f"has more than {contract.MAX_KEY} characters"
    if ".." in key or not _NAME.fullmatch(key.removeprefix(prefix)):
        return f"has more than letters, digits, `.`, `-`, `_` and single slashes: it is {key!r}"
    if extension_of(key) is None:
        return f"does not end in one of {', '.join(contract.CONTENT_TYPES)}: it is {key!r}"
    return None


def extension_of(key: str) -> str | None:
    """The extension of a key in lower case, None for one that the contract does not know."""
    stem, dot, extension = key.rpartition(".")
    extension = extension.lower()
    return extension if stem and dot and extension in contract.CONTENT_TYPES else None


def _manifest(job_id: str, document: dict[str, Any]) -> Reply:
    problems: list[Problem] = []
    images = document.get("images")
    entries = [] if images is None else images
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        problems.append(Problem("answer", "`images` is no list of objects"))
        entries = []
    caption = document.get("caption")
    if caption is not None and not isinstance(caption, str):
        problems.append(Problem("answer", "`caption` is no text"))
    if document.get("error") is not None:
        problems.append(Problem("answer", "`error` is no object with `code` and `message`"))
    if not problems and not entries and caption is None:
        problems.append(Problem("answer", "it holds neither pictures nor a caption nor an error"))
    if len(entries) > contract.MAX_PAINTED:
        problems.append(Problem("answer", f"it holds {len(entries)} pictures; a job makes at most 128"))
    stored = tuple(_stored(entry) for entry in entries)
    for number, (entry, image) in enumerate(zip(entries, stored, strict=True)):
        problems += [Problem("keys", f"the key of picture {number} {why}") for why in _wrong_key(job_id, entry)]
        problems += [Problem("numbers", f"picture {number}: {why}") for why in _wrong_numbers(entry, image)]
    twice = sorted({image.key for image in stored if [each.key for each in stored].count(image.key) > 1})
    problems += [Problem("keys", f"two pictures have the key {key}") for key in twice]
    return Reply(document, stored, caption=caption if isinstance(caption, str) else None, problems=tuple(problems))


def _stored(entry: dict[str, Any]) -> Stored:
    def text(name: str) -> str | None:
        value = entry.get(name)
        return value if isinstance(value, str) else None

    numbers = {name: whole(entry.get(name)) for name in ("width", "height", "seed", "bytes")}
    return Stored(
        key=text("key") or "",
        infotext=text("infotext"),
        sha256=text("sha256"),
        thumbnail=entry.get("thumbnail"),
        **numbers,
    )


def _wrong_key(job_id: str, entry: dict[str, Any]) -> Iterator[str]:
    key = entry.get("key")
    if not isinstance(key, str):
        yield "is no text"
    elif why := why_no_key(job_id, key):
        yield why


def _wrong_numbers(entry: dict[str, Any], image: Stored) -> Iterator[str]:
    for name in ("width", "height"):
        pixels = whole(entry.get(name))
        if pixels is None or not 1 <= pixels <= contract.MAX_SIDE:
            yield f"`{name}` is {_shown(entry.get(name))}; it must be a number from 1 to {contract.MAX_SIDE}"
    if entry.get("bytes") is not None and (image.bytes is None or image.bytes < 1):
        yield f"`bytes` is {_shown(entry['bytes'])}; it must be a positive number"
    if entry.get("seed") is not None and (image.seed is None or not -1 <= image.seed <= contract.MAX_SEED):
        yield f"`seed` is {_shown(entry['seed'])}; it must be a number from -1 to 2^64 - 1"
    if entry.get("sha256") is not None and (image.sha256 is None or not _SHA256.fullmatch(image.sha256)):
        yield f"`sha256` is {_shown(entry['sha256'])}; it must be a SHA-256 in hex"


def _shown(value: object) -> str:
    if type(value) is int and abs(value) >= 10**24:
        return f"a number of {value.bit_length()} bits"
    return "missing" if value is None else f"{value!r}"[:80]
