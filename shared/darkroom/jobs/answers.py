"""Reads a worker's answer, in any of these forms.

The manifest of `contract.WorkAnswer`; or a plain WebUI answer, `{"images": [base64, …], "info": "…"}` or
`{"caption": "…"}` (the WebUI's modules/api/models.py). Any other answer cannot be used, and the job fails with a reason
that a person can read.
"""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from darkroom.images.header import read_header
from darkroom.images.source import NotAnImage
from darkroom.jobs.contract import PaintedImage, Timings, WorkAnswer, WorkError
from darkroom.jobs.model import output_prefix

MAX_IMAGES = 128
MAX_KEY = 256
MAX_CAPTION = 10_000
MAX_MESSAGE = 2_000
MAX_CODE = 64
MAX_INFOTEXT_BYTES = 64 * 1024
"""Bytes of the infotexts of all pictures that are kept in the item; the PNG files contain them too."""


@dataclass(frozen=True)
class RawPicture:
    """A picture inside the answer that is not stored yet: its bytes, its size in pixels, seed and infotext."""

    content: bytes
    width: int
    height: int
    seed: int | None
    infotext: str | None


@dataclass(frozen=True)
class Answer:
    """What an answer says: stored or raw pictures, or a caption, or an error."""

    images: tuple[PaintedImage, ...] = ()
    raw: tuple[RawPicture, ...] = ()
    caption: str | None = None
    timings: Timings | None = None
    error: WorkError | None = None


def understand(job_id: str, content: bytes) -> Answer:
    """What the bytes of an answer say about a job. Bytes that cannot be used give an error inside the `Answer`."""
    try:
        document = clean_json(content)
    except (ValueError, RecursionError):
        return _bad("it is no JSON")
    if not isinstance(document, dict):
        return _bad("it is no JSON object")
    try:
        return _webui(document) if _is_webui(document) else _manifest(job_id, document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return _bad(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}")
    except _Unusable as error:
        return _bad(str(error))


class _Unusable(Exception):
    """Why an answer cannot be used."""


def clean_json(content: bytes | str) -> Any:
    """Parses JSON into values that can be stored and sent: half surrogate pairs become `?`, NaN and Infinity None.

    Raises ValueError or RecursionError for text that is no JSON.
    """
    text = json.dumps(json.loads(content), ensure_ascii=False).encode(errors="replace")
    return json.loads(text, parse_constant=lambda _: None)


def _bad(why: str) -> Answer:
    message = f"The worker's answer cannot be used: {why}. Look at the worker's log for this job."
    return Answer(error=WorkError(code="bad_answer", message=message))


def _manifest(job_id: str, document: dict[str, Any]) -> Answer:
    answer = WorkAnswer.model_validate(document)
    if answer.error:
        error = WorkError(code=answer.error.code[:MAX_CODE], message=answer.error.message[:MAX_MESSAGE])
        return Answer(error=error, timings=answer.timings)
    if len(answer.images) > MAX_IMAGES:
        raise _Unusable(f"it holds {len(answer.images)} pictures; a job makes at most {MAX_IMAGES}")
    for image in answer.images:
        if len(image.key) > MAX_KEY:
            raise _Unusable(f"a picture's key is longer than {MAX_KEY} characters")
        # With a key outside of its own prefix, a container could show the picture of another person.
        if not image.key.startswith(output_prefix(job_id)):
            raise _Unusable(f"the picture {image.key!r} does not lie under {output_prefix(job_id)}")
    if not answer.images and answer.caption is None:
        raise _Unusable("it holds neither pictures nor a caption nor an error")
    caption = answer.caption[:MAX_CAPTION] if answer.caption is not None else None
    return Answer(images=_bounded(answer.images), caption=caption, timings=answer.timings)


def _bounded(images: list[PaintedImage]) -> tuple[PaintedImage, ...]:
    texts = _bounded_texts([image.infotext for image in images])
    return tuple(image.model_copy(update={"infotext": text}) for image, text in zip(images, texts, strict=True))


def _bounded_texts(infotexts: list[str | None]) -> list[str | None]:
    """The infotexts in order, None for each that does not fit into `MAX_INFOTEXT_BYTES` any more."""
    room = MAX_INFOTEXT_BYTES
    kept: list[str | None] = []
    for text in infotexts:
        room -= len((text or "").encode())
        kept.append(text if room >= 0 else None)
    return kept


def _is_webui(document: dict[str, Any]) -> bool:
    images = document.get("images")
    return isinstance(images, list) and bool(images) and all(isinstance(image, str) for image in images)


def _webui(document: dict[str, Any]) -> Answer:
    if len(document["images"]) > MAX_IMAGES:
        raise _Unusable(f"it holds {len(document['images'])} pictures; a job makes at most {MAX_IMAGES}")
    info = _info(document.get("info"))
    seeds = _list(info.get("all_seeds"))
    texts = _bounded_texts([text if isinstance(text, str) else None for text in _list(info.get("infotexts"))])
    raw = []
    for number, encoded in enumerate(document["images"]):
        content = _picture(encoded, number)
        width, height = _size(content, number)
        seed = seeds[number] if number < len(seeds) and isinstance(seeds[number], int) else None
        text = texts[number] if number < len(texts) else None
        raw.append(RawPicture(content, width, height, seed, text))
    return Answer(raw=tuple(raw))


def _info(info: object) -> dict[str, Any]:
    """The WebUI sends `info` as JSON inside a string; one that cannot be read is left out."""
    if isinstance(info, str):
        try:
            info = clean_json(info)
        except (ValueError, RecursionError):
            return {}
    return info if isinstance(info, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _picture(encoded: str, number: int) -> bytes:
    try:
        return base64.b64decode(encoded.rpartition(",")[2], validate=True)
    except (binascii.Error, ValueError) as error:
        raise _Unusable(f"picture {number} is no base64") from error


def _size(content: bytes, number: int) -> tuple[int, int]:
    """Width and height of picture `number` of an answer."""
    try:
        return read_header(content).size
    except NotAnImage as error:
        raise _Unusable(f"picture {number} is no picture: {error}") from error
