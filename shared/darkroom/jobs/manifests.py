"""The manifest that a worker answers with: what it names is checked, here and against what lies in S3."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from darkroom.jobs.answer import (
    MAX_CAPTION_BYTES,
    MAX_SEED,
    MAX_SIDE,
    Answer,
    Unusable,
    bad_answer,
)
from darkroom.jobs.contract import MAX_PAINTED, Components, PaintedImage, WorkAnswer
from darkroom.jobs.media import EXTENSIONS, media_of_key
from darkroom.jobs.model import as_json, output_prefix

MAX_KEY = 256
MAX_TEXT_BYTES = 64 * 1024
"""Infotexts and the names of thumbnails of all pictures together that are kept in the item. Infotexts stand in the
pictures anyway."""
MAX_NOTICES, MAX_NOTICE = 16, 300
MAX_COMPONENT_BYTES = 12 * 1024
_NAME = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9._-]*/)*[A-Za-z0-9_-][A-Za-z0-9._-]*")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


def read_manifest(job_id: str, document: dict[str, Any]) -> Answer:
    """What a manifest says about a job; raises Unusable or pydantic's ValidationError for one that makes no sense.
    Whether its pictures are in S3 is not looked up: see `confirmed`."""
    answer = WorkAnswer.model_validate(document)
    if len(answer.images) > MAX_PAINTED:
        raise Unusable(f"it holds {len(answer.images)} pictures; a job makes at most {MAX_PAINTED}")
    for number, image in enumerate(answer.images):
        _check(job_id, number, image)
    _check_once(image.key for image in answer.images)
    if not answer.images and answer.caption is None:
        raise Unusable("it holds neither pictures nor a caption nor an error")
    return Answer(
        images=tuple(_bounded(job_id, answer.images)),
        caption=short(answer.caption, MAX_CAPTION_BYTES) if answer.caption is not None else None,
        timings=answer.timings,
        notices=tuple(short(text, MAX_NOTICE) for text in answer.notices[:MAX_NOTICES]),
        components=_bounded_components(answer.components),
        machine=answer.machine,
    )


def named_keys(answer: Answer) -> set[str]:
    """Every S3 key that an answer names."""
    return {image.key for image in answer.images} | {image.thumbnail for image in answer.images if image.thumbnail}


def confirmed(answer: Answer, sizes: Mapping[str, int]) -> Answer:
    """The answer held against what lies in S3: `sizes` are the bytes of those of its keys that are there.

    It becomes an error when a picture is not there, is empty, or has not the bytes that it says. A thumbnail that is
    not there is left out.
    """
    for image in answer.images:
        name, there = image.key.rpartition("/")[2], sizes.get(image.key)
        if there is None:
            return bad_answer(f"it names the picture {image.key}, which is not in S3")
        if there == 0:
            return bad_answer(f"the picture {name} in S3 is empty")
        if image.bytes not in (None, there):
            return bad_answer(f"it says that the picture {name} has {image.bytes} bytes, but in S3 it has {there}")
    images = (
        image.model_copy(
            update={
                "bytes": sizes[image.key],
                "thumbnail": image.thumbnail if sizes.get(image.thumbnail or "") else None,
            }
        )
        for image in answer.images
    )
    return replace(answer, images=tuple(images))


def short(text: str, limit: int) -> str:
    """The text as far as it fits into so many bytes of UTF-8."""
    return text.encode()[:limit].decode(errors="ignore")


def bounded_texts(infotexts: list[str | None], room: int = MAX_TEXT_BYTES) -> list[str | None]:
    """The infotexts as far as there is room for them in the item."""
    kept: list[str | None] = []
    for text in infotexts:
        room -= len(as_json(text or ""))
        kept.append(text if room >= 0 else None)
    return kept


def _check(job_id: str, number: int, image: PaintedImage) -> None:
    """Raises Unusable for a picture that cannot be as it is told."""
    where = f"picture {number}"
    if why := _why_no_key(job_id, image.key):
        raise Unusable(f"the key of {where} {why}")
    for side, pixels in (("width", image.width), ("height", image.height)):
        if not 1 <= pixels <= MAX_SIDE:
            raise Unusable(f"the {side} of {where} is {_shown(pixels)}; a side has 1 to {MAX_SIDE} pixels")
    if image.bytes is not None and image.bytes < 1:
        raise Unusable(f"{where} is told to have {_shown(image.bytes)} bytes")
    if image.seed is not None and not -1 <= image.seed <= MAX_SEED:
        raise Unusable(f"the seed of {where} is {_shown(image.seed)}; a seed is at most {MAX_SEED}")
    if image.sha256 is not None and not _SHA256.fullmatch(image.sha256):
        raise Unusable(f"the sha256 of {where} is no SHA-256 in hex")


def _shown(number: int) -> str:
    """A number as a sentence can hold it: Python refuses to write one of thousands of digits."""
    return str(number) if abs(number) < 10**24 else f"a number of {number.bit_length()} bits"


def _why_no_key(job_id: str, key: str) -> str | None:
    """What is wrong with the key of a picture; None for one under the job's own output."""
    prefix = output_prefix(job_id)
    # A key from elsewhere would let a container show one person's picture to another.
    if not key.startswith(prefix):
        return f"does not lie under {prefix}: it is {key[:MAX_KEY]!r}"
    if len(key) > MAX_KEY:
        return f"is longer than {MAX_KEY} characters"
    if ".." in key or not _NAME.fullmatch(key.removeprefix(prefix)):
        return f"holds more than letters, digits, `.`, `-`, `_` and single slashes: it is {key!r}"
    if media_of_key(key) is None:
        return f"does not end in a known extension ({', '.join(EXTENSIONS)}): it is {key!r}"
    return None


def _check_once(keys: Iterable[str]) -> None:
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            raise Unusable(f"it names the picture {key} twice")
        seen.add(key)


def _bounded(job_id: str, images: list[PaintedImage]) -> Iterable[PaintedImage]:
    """The pictures with what has room in the item: thumbnails first, for infotexts stand in the pictures too."""
    thumbnails = [_thumbnail(job_id, image.thumbnail) for image in images]
    room = MAX_TEXT_BYTES - sum(len(key or "") + 16 for key in thumbnails)
    texts = bounded_texts([image.infotext for image in images], room)
    for image, thumbnail, text in zip(images, thumbnails, texts, strict=True):
        sha256 = image.sha256.lower() if image.sha256 else None
        yield image.model_copy(update={"infotext": text, "thumbnail": thumbnail, "sha256": sha256})


def _thumbnail(job_id: str, key: str | None) -> str | None:
    """The key of a thumbnail; None for one that is no picture under the job's own output."""
    if key is None or _why_no_key(job_id, key):
        return None
    media = media_of_key(key)
    return key if media and media.is_picture else None


def _bounded_components(components: Components | None) -> Components | None:
    """The components with as many files as there is room for in the item."""
    if components is None:
        return None
    room = MAX_COMPONENT_BYTES - len(components.model_copy(update={"files": []}).model_dump_json())
    files = []
    for file in components.files:
        room -= len(file.model_dump_json().encode()) + 1
        if room < 0:
            break
        files.append(file)
    return components.model_copy(update={"files": files})
