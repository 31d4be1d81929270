"""The text under a picture: read from its file, and taken apart as the WebUI does (modules/infotext_utils.py, 1.10)."""

import io
import json
import re
from dataclasses import dataclass
from typing import Any

from darkroom_bridge.problems import Problem

_PAIR = re.compile(r'(\w[\w \-/]{1,100}):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
_SIZE = re.compile(r"^(\d+)x(\d+)$")
_NEGATIVE = "Negative prompt:"
_LEAST_PAIRS = 3
"""A last line with fewer pairs is part of the prompt."""
_DEFAULTS: dict[str, Any] = {
    "Clip skip": "1",
    "Hires resize-1": 0,
    "Hires resize-2": 0,
    "Hires sampler": "Use same sampler",
    "Hires schedule type": "Use same scheduler",
    "Hires checkpoint": "Use same checkpoint",
    "Hires prompt": "",
    "Hires negative prompt": "",
    "Mask mode": "Inpaint masked",
    "Masked content": "original",
    "Inpaint area": "Whole picture",
    "Masked area padding": 32,
    "RNG": "GPU",
    "Schedule type": "Automatic",
    "Schedule max sigma": 0,
    "Schedule min sigma": 0,
    "Schedule rho": 0,
    "VAE Encoder": "Full",
    "VAE Decoder": "Full",
    "FP8 weight": "Disable",
    "Cache FP16 weight for LoRA": False,
    "Emphasis": "Original",
    "Refiner switch by sampling steps": False,
}
"""What the WebUI adds where a text does not say it."""
MAX_PIXELS = 50_000_000
_USER_COMMENT, _EXIF = 0x9286, 0x8769
_CODES = {b"UNICODE\0": "utf-16", b"ASCII\0\0\0": "ascii", b"\0" * 8: "utf-8"}


@dataclass(frozen=True)
class Infotext:
    """A text taken apart: both prompts, and the pairs of its last line."""

    prompt: str
    negative: str
    pairs: dict[str, str]


def parsed(text: str) -> Infotext:
    """The parts of an infotext."""
    *lines, last = text.strip().split("\n")
    pairs = _PAIR.findall(last)
    if len(pairs) < _LEAST_PAIRS:
        lines, pairs = [*lines, last], []
    said: dict[bool, list[str]] = {False: [], True: []}
    negative = False
    for line in (line.strip() for line in lines):
        begins = line.startswith(_NEGATIVE)
        negative = negative or begins
        said[negative].append(line.removeprefix(_NEGATIVE).strip() if begins else line)
    return Infotext("\n".join(said[False]), "\n".join(said[True]), {key: _unquoted(value) for key, value in pairs})


def parameters(text: str) -> dict[str, Any]:
    """An infotext as the `parameters` of `png-info`: sizes in two, and the WebUI's defaults; empty for no text."""
    if not text.strip():
        return {}
    found = parsed(text)
    told: dict[str, Any] = {}
    for key, value in found.pairs.items():
        if size := _SIZE.match(value):
            told |= {f"{key}-1": size[1], f"{key}-2": size[2]}
        else:
            told[key] = value
    return {"Prompt": found.prompt, "Negative prompt": found.negative, **_DEFAULTS, **told}


def read(content: bytes) -> tuple[str, dict[str, Any]]:
    """The infotext in a picture's file, empty when it has none, and the other texts in it. Raises Problem for what is
    no picture. It may block."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content), formats=["png", "jpeg", "webp", "gif"]) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Problem(422, f"The picture has more than {MAX_PIXELS} pixels.")
            # A PNG may have its texts behind the pixels.
            image.load()
            texts: dict[str, Any] = {
                str(key): value for key, value in image.info.items() if isinstance(value, (str, int, float, bool))
            }
            comment = image.getexif().get_ifd(_EXIF).get(_USER_COMMENT)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise Problem(500, "Invalid encoded image", name="HTTPException") from error
    text = _comment(comment) if comment else texts.pop("parameters", "")
    return str(text or ""), texts


def _comment(comment: Any) -> str:
    """The text of EXIF's UserComment, whose first eight bytes say its encoding (Exif 2.3, 4.6.5)."""
    content = comment.encode("latin-1", "replace") if isinstance(comment, str) else bytes(comment)
    code = _CODES.get(content[:8], "utf-8")
    body = content[8:] if content[:8] in _CODES else content
    if code == "utf-16" and body[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        # Writers do not agree on the order; text of the first plane has its zeros on one side.
        code = "utf-16-be" if body[0::2].count(0) > body[1::2].count(0) else "utf-16-le"
    return body.decode(code, "replace").strip("\0")


def _unquoted(value: str) -> str:
    if len(value) < 2 or value[0] != '"' or value[-1] != '"':
        return value
    try:
        return str(json.loads(value))
    except ValueError:
        return value
