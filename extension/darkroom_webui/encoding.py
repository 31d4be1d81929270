"""Pictures of the WebUI as PNG files."""

from io import BytesIO
from typing import Any

_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
_FASTEST = 1
"""zlib's level: pictures travel once, and a person waits."""


def png(picture: Any, size: "tuple[int, int] | None" = None) -> bytes:
    """A PIL image or a numpy array as PNG, scaled to `size` if it has another one."""
    image = picture if hasattr(picture, "save") else _image(picture)
    if image.mode not in _MODES:
        image = image.convert("RGB")
    if size and image.size != size:
        image = image.resize(size)
    buffer = BytesIO()
    image.save(buffer, "PNG", compress_level=_FASTEST)
    return buffer.getvalue()


def _image(array: Any) -> Any:
    """An array of shape (height, width), or (height, width, 1, 3 or 4), with values from 0 to 255, or from 0 to 1 where
    they are floats."""
    from PIL import Image

    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.dtype.kind == "f":
        array = array * 255 if array.size and array.max() <= 1 else array
    return Image.fromarray(array.clip(0, 255).astype("uint8"))
