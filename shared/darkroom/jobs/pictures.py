"""Extracts the pictures inside a WebUI body and names them.

In the WebUI's API a picture is a base64 string or a data URI: in `init_images`, `mask`, `image` (interrogate), in
ControlNet units (`image`, `input_image`, `mask`), and in the arguments of other scripts. `image:<name>` replaces it.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from darkroom.errors import FieldError, Invalid
from darkroom.images.model import format_of
from darkroom.jobs.contract import IMAGE_REFERENCE

Path = tuple[str | int, ...]

MAX_PICTURES = 32
_DATA_URI = re.compile(r"data:[\w.+-]+/[\w.+-]+(?:;[\w=.+-]+)*,", re.ASCII)
_SHORTEST = 64
"""No PNG, JPEG or WebP in base64 is shorter than this, so shorter strings are not decoded."""
_REFERENCE = re.compile(re.escape(IMAGE_REFERENCE) + r"([a-z0-9_]{1,64})")
_WORDS = frozenset({"prompt", "negative_prompt", "styles"})
"""Fields of text: their values are never taken for a picture or a reference to one."""
_ALWAYS_PICTURES = frozenset({"init_images", "mask", "image", "input_image", "mask_image"})


@dataclass(frozen=True)
class ExtractedPicture:
    """A picture from inside the parameters: its name, its path there, its bytes."""

    name: str
    path: Path
    content: bytes


def extract(fields: dict[str, Any]) -> tuple[dict[str, Any], list[ExtractedPicture], dict[str, Path]]:
    """The parameters without their pictures, the pictures, and the names that `image:<name>` refer to.

    Equal bytes in two places get two names. Raises Invalid `image_unreadable` for a string that is no picture in a
    place where only a picture is allowed, and `too_many_images` for more than 32 pictures.
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
        if len(extracted) == MAX_PICTURES:
            raise Invalid("too_many_images", f"A job takes at most {MAX_PICTURES} pictures.")
        name = _name(path, {picture.name for picture in extracted})
        extracted.append(ExtractedPicture(name, path, content))
        return IMAGE_REFERENCE + name

    return visit(fields, ()), extracted, references


def _decode(text: str, path: Path) -> bytes | None:
    """The bytes of a picture in base64, None for a string that is no picture."""
    must_be = _must_be_picture(path) and text.strip() not in ("", "None", "none")
    uri = _DATA_URI.match(text)
    if not must_be and not uri and len(text) < _SHORTEST:
        return None
    encoded = text[uri.end() :] if uri else text
    if not must_be and not uri and format_of(_start(encoded)) is None:
        return None
    try:
        content = base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        if must_be or uri:
            raise _unreadable(path) from error
        return None
    if format_of(content) is None:
        if must_be:
            raise _unreadable(path)
        return None
    return content


def _must_be_picture(path: Path) -> bool:
    """Whether only a picture is allowed here: in some fields at the top, and in those of a ControlNet unit."""
    names = [part for part in path if isinstance(part, str)]
    if len(names) == 1:
        return names[0] in {"init_images", "mask", "image"}
    in_unit = names[0] == "alwayson_scripts" and len(names) > 1 and names[1].lower() == "controlnet"
    return in_unit and names[-1] in _ALWAYS_PICTURES


def _start(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded[:64], validate=True)
    except (binascii.Error, ValueError):
        return b""


def _unreadable(path: Path) -> Invalid:
    where = ".".join(str(part) for part in path)
    why = "is no picture: send a PNG, JPEG or WebP file as base64 or as a data URI"
    loc = ("body", "parameters", *path)
    return Invalid("image_unreadable", f"The value of parameters.{where} {why}.", (FieldError(loc, why),))


def _name(path: Path, taken: set[str]) -> str:
    """`init`, `mask`, or a name made from the path (`controlnet_args_0_image`)."""
    if path[0] in ("init_images", "image"):
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
