"""Extracts the pictures inside a WebUI body and names them.

In the WebUI's API a picture is a base64 string or a data URI: in the fields of PLACES, in ControlNet units, and in the
arguments of other scripts. `image:<name>` replaces it. A picture is recognised by its bytes, in the same way in every
place; a picture of a format that Darkroom does not take is refused in every place, too.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from darkroom.errors import FieldError, Invalid
from darkroom.images.formats import START_BYTES, foreign_format, format_of, why_not
from darkroom.jobs.base64_text import DATA_URI, decoded
from darkroom.jobs.contract import IMAGE_REFERENCE, MAX_INPUTS, starting_pictures
from darkroom.jobs.types import JOB_TYPES, JobType

Path = tuple[str | int, ...]

PLACES = frozenset({"init_images", "mask", "image", "firstpass_image", "latent_mask"})
"""The WebUI's fields that may hold nothing but pictures."""
_UNIT_PLACES = frozenset(
    {"image", "input_image", "mask", "mask_image", "image_fg", "mask_image_fg", "effective_region_mask"}
)
"""The same for a ControlNet unit, of the extension and of Forge."""
_LAYERS = frozenset({"image", "mask", "background", "foreground", "composite"})
"""The keys of a picture that is an object: picture and mask in Gradio 3, layers in Gradio 4 and in Forge."""
_WHOLE = frozenset({"image", "background"})
"""Of these, the picture itself; the others are drawn over it."""
_EMPTY = frozenset({"", "none"})
"""What clients send when there is no picture."""
_WORDS = frozenset({"prompt", "negative_prompt", "hr_prompt", "hr_negative_prompt", "styles", "infotext"})
"""Fields of text: their values are never taken for a picture or a reference to one."""

_SHORTEST = 64
"""No picture in base64 is shorter than this, so shorter strings are not decoded."""
_START = START_BYTES // 3 * 4
"""Characters of base64 for as many bytes as are needed to recognise a format."""
_REFERENCE = re.compile(re.escape(IMAGE_REFERENCE) + r"([a-z0-9_]{1,64})")


@dataclass(frozen=True)
class ExtractedPicture:
    """A picture that stood inside the parameters: its name, where it stood, its bytes."""

    name: str
    path: Path
    content: bytes


def extract(fields: dict[str, Any]) -> tuple[dict[str, Any], list[ExtractedPicture], dict[str, Path]]:
    """The parameters without their pictures, the pictures, and the names that `image:<name>` refer to.

    Equal bytes in two places get two names. Raises Invalid `image_unreadable` for a string that is no picture in a
    place where only a picture is allowed, and for a picture of a format that Darkroom does not take;
    `too_many_images` for more than MAX_INPUTS pictures.
    """
    extracted: list[ExtractedPicture] = []
    references: dict[str, Path] = {}

    def visit(value: Any, path: Path) -> Any:
        if isinstance(value, dict):
            return {key: visit(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [visit(item, (*path, number)) for number, item in enumerate(value)]
        if not isinstance(value, str) or path[0] in _WORDS:
            return value
        if reference := _REFERENCE.fullmatch(value):
            references[reference[1]] = path
            return value
        content = _decode(value, path)
        if content is None:
            return value
        check_count(len(extracted) + 1)
        name = _name(path, {picture.name for picture in extracted})
        extracted.append(ExtractedPicture(name, path, content))
        return IMAGE_REFERENCE + name

    return visit(fields, ()), extracted, references


def check_count(pictures: int) -> None:
    """Raises Invalid `too_many_images` for more pictures than a job may be given."""
    if pictures > MAX_INPUTS:
        raise Invalid("too_many_images", f"A job takes at most {MAX_INPUTS} pictures.")


def check_batch(job_type: JobType, fields: dict[str, Any]) -> None:
    """Several `init_images` are one batch. Raises Invalid `too_many_images` when `batch_size` is smaller than their
    number. `fields` are the parameters after `extract`."""
    count, batch = len(starting_pictures(fields)), fields.get("batch_size") or 1
    if JOB_TYPES[job_type].modes and count > batch:
        why = f"has {count} pictures, but batch_size is only {batch}"
        loc = ("body", "parameters", "init_images")
        message = f"parameters.init_images {why}: set batch_size to {count}, or send a job for each."
        raise Invalid("too_many_images", message, (FieldError(loc, why),))


def _decode(text: str, path: Path) -> bytes | None:
    """The bytes of a picture in base64, None for a string that is no picture. Raises Invalid `image_unreadable`."""
    uri = DATA_URI.match(text)
    must_be = _must_be_picture(path) or bool(uri and (uri[1] or "").lower().startswith("image/"))
    if must_be and text.strip().lower() in _EMPTY:
        return None
    encoded = text[uri.end() :] if uri else text
    if not must_be:
        if len(text) < _SHORTEST:
            return None
        # Mail programs and `base64` wrap their lines, so there may be line breaks between the characters.
        start = decoded("".join(encoded[: _START * 2].split())[:_START]) or b""
        if format_of(start) is None and foreign_format(start) is None:
            return None
    content = decoded(encoded)
    if content is None:
        raise _unreadable(path, "it is no base64; send a PNG, JPEG or WebP file as base64 or as a data URI")
    if reason := why_not(content):
        raise _unreadable(path, reason)
    return content


def _must_be_picture(path: Path) -> bool:
    """Whether only a picture is allowed here: in some fields at the top, and in those of a ControlNet unit."""
    names = [part for part in path if isinstance(part, str)]
    if names[0] in PLACES:
        return len(names) == 1 or names[-1] in _LAYERS
    in_unit = names[0] == "alwayson_scripts" and len(names) > 2 and names[1].strip().lower() == "controlnet"
    if not in_unit:
        return False
    return names[-1] in _UNIT_PLACES or (names[-1] in _LAYERS and names[-2] in _UNIT_PLACES)


def _unreadable(path: Path, reason: str) -> Invalid:
    where = ".".join(str(part) for part in path)
    why = f"cannot be used: {reason}"
    loc = ("body", "parameters", *path)
    return Invalid("image_unreadable", f"The value of parameters.{where} {why}.", (FieldError(loc, why),))


def _name(path: Path, taken: set[str]) -> str:
    """`init`, `mask`, or a name made from the path (`controlnet_args_0_image`)."""
    if path[0] in PLACES and path[-1] in _WHOLE:
        path = path[:-1] or path
    if path == ("image",) or (path[0] == "init_images" and isinstance(path[-1], int)):
        wanted = "init"
    else:
        parts = path[1:] if path[0] == "alwayson_scripts" else path
        wanted = re.sub(r"[^a-z0-9_]", "_", "_".join(str(part) for part in parts).lower())[:56] or "picture"
    return next(name for name in _numbered(wanted) if name not in taken)


def _numbered(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}_{number}"
        number += 1
