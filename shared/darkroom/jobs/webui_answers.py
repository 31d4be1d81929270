"""Plain answers of the WebUI's API: pictures as base64 inside the JSON (its modules/api/models.py).

txt2img and img2img answer `{"images": […], "info": "<JSON>"}`, extra-single-image `{"image": "…", "html_info": "…"}`,
extra-batch-images `{"images": […], "html_info": "…"}`.
"""

from typing import Any

from darkroom.images.source import NotAnImage
from darkroom.jobs.answer import MAX_SEED, MAX_SIDE, Answer, RawPicture, Unusable
from darkroom.jobs.base64_text import DATA_URI, decoded
from darkroom.jobs.contract import MAX_PAINTED
from darkroom.jobs.json_text import clean_json
from darkroom.jobs.manifests import bounded_texts
from darkroom.jobs.media import EXTENSIONS, Size, media_of, size_of

_SEED_DIGITS = 20


def is_webui(document: dict[str, Any]) -> bool:
    """Whether an answer is a plain one of the WebUI with pictures inside."""
    images = document.get("images")
    if not images:
        return isinstance(document.get("image"), str) and bool(document["image"])
    return isinstance(images, list) and all(isinstance(image, str) for image in images)


def read_webui(document: dict[str, Any]) -> Answer:
    """The pictures of a plain answer of the WebUI; raises Unusable."""
    pictures = document.get("images") or [document["image"]]
    if len(pictures) > MAX_PAINTED:
        raise Unusable(f"it holds {len(pictures)} pictures; a job makes at most {MAX_PAINTED}")
    info = _info(document.get("info"))
    seeds, texts = _seeds(info, len(pictures)), bounded_texts(_infotexts(info, len(pictures)))
    asked = _asked(info)
    raw = []
    for number, encoded in enumerate(pictures):
        content = _picture(encoded, number)
        raw.append(_raw(content, number, asked, seeds[number], texts[number]))
    return Answer(raw=tuple(raw))


def _raw(content: bytes, number: int, asked: Size | None, seed: int | None, text: str | None) -> RawPicture:
    media = media_of(content)
    if media is None:
        raise Unusable(f"picture {number} is no picture: it is no {', '.join(EXTENSIONS).upper()} file")
    try:
        size = size_of(content) or asked
    except NotAnImage as error:
        raise Unusable(f"picture {number} is no picture: {error}") from error
    if size is None:
        raise Unusable(f"picture {number} ({media.extension}) does not say how large it is")
    if max(size) > MAX_SIDE:
        raise Unusable(f"picture {number} is {size[0]}x{size[1]} pixels; a side has at most {MAX_SIDE}")
    return RawPicture(content, media, *size, seed, text)


def _info(info: object) -> dict[str, Any]:
    """The WebUI sends `info` as JSON inside a string; one that cannot be read is left out."""
    if isinstance(info, str):
        try:
            info = clean_json(info)
        except (ValueError, RecursionError):
            return {}
    return info if isinstance(info, dict) else {}


def _first(info: dict[str, Any], count: int) -> int | None:
    """How many grids stand before the first picture; None when what is said cannot be.

    The WebUI puts grids before its pictures and counts them in `index_of_first_image`.
    """
    first = info.get("index_of_first_image")
    if first is None:
        return 0
    return first if type(first) is int and 0 <= first <= count else None


def _seeds(info: dict[str, Any], count: int) -> list[int | None]:
    """The seed of each picture. The WebUI's list of seeds has none for grids, and none for what scripts put behind the
    pictures. Without knowing where the pictures begin, a seed is told only if there is one for each."""
    seeds = [_seed(seed) for seed in _list(info.get("all_seeds")) or [info.get("seed")]]
    first = _first(info, count)
    if first is None:
        first, seeds = 0, seeds if len(seeds) == count else []
    return _padded([None] * first + seeds, count)


def _seed(value: object) -> int | None:
    """A seed, also as a number with a point or as text: numbers of 64 bits are more than some languages have."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= _SEED_DIGITS:
        value = int(value)
    return value if type(value) is int and 0 <= value <= MAX_SEED else None


def _infotexts(info: dict[str, Any], count: int) -> list[str | None]:
    """The infotext of each picture: the WebUI's list has one for grids too, some of its forks' has not."""
    texts = [text if isinstance(text, str) else None for text in _list(info.get("infotexts"))]
    first = _first(info, count) or 0
    has_none_for_grids = len(texts) + first <= count
    return _padded([None] * first + texts if has_none_for_grids else texts, count)


def _padded(values: list[Any], count: int) -> list[Any]:
    return (values + [None] * count)[:count]


def _asked(info: dict[str, Any]) -> Size | None:
    """Width and height as the WebUI says them, for a video that does not."""
    width, height = info.get("width"), info.get("height")
    fits = all(type(side) is int and 1 <= side <= MAX_SIDE for side in (width, height))
    return (width, height) if fits else None  # type: ignore[return-value]


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _picture(encoded: str, number: int) -> bytes:
    """The bytes of a picture in base64 or in a data URI."""
    uri = DATA_URI.match(encoded)
    content = decoded(encoded[uri.end() :] if uri else encoded)
    if content is None:
        raise Unusable(f"picture {number} is no base64")
    return content
