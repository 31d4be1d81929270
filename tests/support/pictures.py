"""Small pictures for tests."""

import hashlib
from io import BytesIO

from PIL import Image


def png(width: int = 64, height: int = 64, color: tuple[int, int, int] = (200, 40, 40)) -> bytes:
    """A PNG of one colour."""
    return encoded(Image.new("RGB", (width, height), color))


def encoded(image: Image.Image, form: str = "PNG") -> bytes:
    """The picture's file."""
    buffer = BytesIO()
    image.save(buffer, form)
    return buffer.getvalue()


def image_id(content: bytes) -> str:
    """The id Darkroom knows these bytes by."""
    return hashlib.sha256(content).hexdigest()
