"""The pictures of the check's jobs, and reading those that a worker makes. Pillow is imported when it is needed."""

import io
from typing import TYPE_CHECKING

from darkroom_cli.worker_check.contract import MAX_SIDE

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = {"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "webp": "WEBP", "gif": "GIF", "avif": "AVIF"}
"""Pillow's names of the formats of pictures, by extension."""
COLOUR = (10, 120, 200)
_BROKEN = (OSError, ValueError, SyntaxError, EOFError)
"""What Pillow raises for a file that it cannot read; one of too many pixels becomes a ValueError in `opened`."""
ROTATED = 6
"""The orientation in EXIF of a camera that was held upright: stored on its side, shown turned."""


def start(width: int, height: int) -> bytes:
    """A PNG to start from: one colour with a brighter half, so that a description has something to say."""
    from PIL import Image

    picture = Image.new("RGB", (width, height), COLOUR)
    picture.paste((230, 200, 90), (0, height // 2, width, height))
    return _file(picture, "PNG")


def rotated(width: int, height: int) -> bytes:
    """A JPEG that is shown with this width and height, and is stored on its side."""
    from PIL import Image

    picture = Image.new("RGB", (height, width), COLOUR)
    exif = Image.Exif()
    exif[0x0112] = ROTATED
    out = io.BytesIO()
    picture.save(out, "JPEG", exif=exif)
    return out.getvalue()


def mask(width: int, height: int) -> bytes:
    """A PNG that is black, with a white square in its middle."""
    from PIL import Image

    picture = Image.new("L", (width, height), 0)
    picture.paste(255, _middle(width, height))
    return _file(picture, "PNG")


def sketch(width: int, height: int) -> bytes:
    """The picture of `start`, painted over in its middle."""
    from PIL import Image

    picture = Image.open(io.BytesIO(start(width, height)), formats=["png"])
    picture.paste((200, 30, 30), _middle(width, height))
    return _file(picture, "PNG")


def difference_outside(content: bytes, width: int, height: int) -> float | None:
    """By how much (0 to 255, the mean) a picture differs from `start` far from the white part of `mask`; None when it
    has another size."""
    from PIL import Image, ImageChops, ImageStat

    made, began = opened(content).convert("RGB"), Image.open(io.BytesIO(start(width, height)), formats=["png"])
    if made.size != began.size:
        return None
    edge = (0, 0, width, height // 8)
    stat = ImageStat.Stat(ImageChops.difference(made.crop(edge), began.crop(edge)))
    return sum(stat.mean) / len(stat.mean)


def opened(content: bytes, extension: str | None = None) -> "Image":
    """A picture, decoded. Raises OSError, ValueError or SyntaxError for one that is broken, or of another format than
    `extension` says."""
    from PIL import Image

    formats = [FORMATS[extension]] if extension else list(dict.fromkeys(FORMATS.values()))
    try:
        picture = Image.open(io.BytesIO(content), formats=formats)
    except Image.DecompressionBombError as error:
        raise ValueError(str(error)) from error
    picture.load()
    return picture


def why_unreadable(content: bytes, extension: str | None = None) -> str | None:
    """Why a file is no picture of that format (any without `extension`); None when it is one. Of a video only the first
    bytes are looked at."""
    if is_video(content):
        return None if extension in (None, "mp4", "webm") else f"is a video, and its key ends in .{extension}"
    if extension in ("mp4", "webm"):
        return f"is no {extension} file"
    if extension == "avif" or content[4:12] in (b"ftypavif", b"ftypavis"):
        from PIL import features

        if not features.check("avif"):
            return None
    try:
        size = opened(content, extension).size
    # Pillow raises these for files that are broken in different ways.
    except _BROKEN as error:
        return f"is no {(extension or 'picture').upper()} that can be read: {str(error)[:100]}"
    return f"has more than {MAX_SIDE} pixels a side" if max(size) > MAX_SIDE else None


def is_video(content: bytes) -> bool:
    """Whether the first bytes are those of a video of the contract."""
    still = content[8:12] in (b"avif", b"avis")
    return (content[4:8] == b"ftyp" and not still) or content.startswith(b"\x1aE\xdf\xa3")


def size_of(content: bytes) -> tuple[int, int] | None:
    """Width and height of a picture in pixels; None for a video, or where Pillow cannot read the format."""
    if is_video(content):
        return None
    try:
        return opened(content).size
    except _BROKEN:
        return None


def format_of(content: bytes) -> str | None:
    """Pillow's name of the format, None when it is no picture."""
    try:
        return opened(content).format
    except _BROKEN:
        return None


def parameters_in(content: bytes) -> str | None:
    """The WebUI's infotext in a PNG; None when there is none, or for another format."""
    try:
        text = opened(content, "png").info.get("parameters")
    except _BROKEN:
        return None
    return text if isinstance(text, str) else None


def _middle(width: int, height: int) -> tuple[int, int, int, int]:
    return width // 4, height // 4, width - width // 4, height - height // 4


def _file(picture: "Image", form: str) -> bytes:
    out = io.BytesIO()
    picture.save(out, form)
    return out.getvalue()
