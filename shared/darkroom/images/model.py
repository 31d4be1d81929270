"""Uploaded pictures and masks: stored once per owner under the SHA-256 of their bytes."""

from dataclasses import dataclass
from io import BytesIO

import imagesize

MAX_BYTES = 32 * 1024 * 1024
MAX_SIDE = 8192
MAX_PIXELS = 50_000_000
"""A large camera's picture. A few kilobytes of file can unfold to any number of pixels, at four bytes each."""
HEADER_BYTES = 64 * 1024
"""How much of a picture is read to know its format and size: enough for PNG and WebP, whose size stands
in the first 30 bytes, and for nearly every JPEG."""
LONG_HEADER_BYTES = 2 * 1024 * 1024
"""How much is read of a JPEG that carries a long profile or thumbnail before its size."""

CONTENT_TYPES = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}


class NotAnImage(Exception):
    """The bytes are no picture Darkroom knows; the text says what they should be."""


@dataclass(frozen=True)
class ImageHeader:
    """Format (a key of CONTENT_TYPES) and size in pixels, turned as the picture's EXIF orientation says."""

    format: str
    width: int
    height: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.width, self.height


def image_key(owner: str, image_id: str) -> str:
    """Where an owner's picture lies in the pictures bucket."""
    return f"images/{owner}/{image_id}"


def format_of(start: bytes) -> str | None:
    """The format that the first bytes tell, None for anything but PNG, JPEG and WebP."""
    if start.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if start.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "webp"
    return None


def read_header(start: bytes) -> ImageHeader:
    """Format and size from the first bytes of a picture.

    Raises NotAnImage when they are no PNG, JPEG or WebP, or hold no size.
    """
    found = format_of(start)
    if found is None:
        raise NotAnImage("it is no PNG, JPEG or WebP file")
    try:
        width, height = imagesize.get(BytesIO(start))
    except Exception as error:  # the library raises whatever its parsing trips over
        raise NotAnImage(f"its {found.upper()} header is broken") from error
    if width < 1 or height < 1:
        raise NotAnImage(f"its {found.upper()} header is broken or cut off")
    return ImageHeader(found, int(width), int(height))
