"""Uploaded pictures and masks: stored once per owner under the SHA-256 of their bytes."""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

import imagesize

MAX_BYTES = 32 * 1024 * 1024
MAX_SIDE = 8192
MAX_PIXELS = 50_000_000
"""As many as a large camera's picture has. A file of a few kilobytes may decode to any number of pixels, at four bytes
each."""
HEADER_BYTES = 64 * 1024
"""How many bytes of a picture are read to find its format and size: enough for PNG and WebP, which have the size in the
first 30 bytes, and for nearly every JPEG."""
LONG_HEADER_BYTES = 2 * 1024 * 1024
"""How many bytes are read of a JPEG that has a long profile or thumbnail before its size."""

CONTENT_TYPES = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}


class NotAnImage(Exception):
    """The bytes are not a picture that Darkroom can read; the text says why."""


@dataclass(frozen=True)
class ImageHeader:
    """Format (a key of CONTENT_TYPES) and size in pixels, after the picture's EXIF orientation is applied."""

    format: str
    width: int
    height: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.width, self.height


def image_key(owner: str, image_id: str) -> str:
    """The key of an owner's picture in the pictures bucket."""
    return f"images/{owner}/{image_id}"


def format_of(start: bytes) -> str | None:
    """The format by a file's first bytes (a key of CONTENT_TYPES); None for anything but PNG, JPEG and WebP."""
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
    if _sizes(found, start) > 1:
        # Decoders do not agree which of two sizes counts, so the one checked here may not be the one that is used.
        raise NotAnImage(f"its {found.upper()} header tells its size twice")
    return ImageHeader(found, int(width), int(height))


def _sizes(form: str, start: bytes) -> int:
    """How many times a picture's size is stated before its pixels begin."""
    if form == "png":
        return sum(chunk == b"IHDR" for chunk in _png_chunks(start))
    if form == "jpeg":
        return sum(marker in _SIZES for marker in _jpeg_markers(start))
    return 1


_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""JPEG's markers that begin a frame (ITU-T T.81, table B.1); each is followed by the size."""
_ALONE = frozenset(range(0xD0, 0xD9)) | {0x01}
"""JPEG's markers without a length and content after them."""


def _png_chunks(start: bytes) -> Iterator[bytes]:
    """The types of the chunks before the pixels."""
    at = 8
    while at + 8 <= len(start) and (kind := start[at + 4 : at + 8]) != b"IDAT":
        yield kind
        # Length, type and checksum are four bytes each.
        at += 12 + int.from_bytes(start[at : at + 4], "big")


def _jpeg_markers(start: bytes) -> Iterator[int]:
    """The markers before the pixels, which begin with SOS (0xDA)."""
    at = 2
    while at + 4 <= len(start):
        marker = start[at + 1]
        if start[at] != 0xFF or marker == 0xFF:
            # Any number of bytes may fill the gap before a marker.
            at += 1
        elif marker == 0xDA:
            return
        else:
            yield marker
            at += 2 if marker in _ALONE else 2 + int.from_bytes(start[at + 2 : at + 4], "big")
