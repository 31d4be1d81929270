"""OpenAI's pictures to edit as the WebUI's: there the transparent part is painted, here the white part of a mask."""

import io
from typing import Any

from darkroom_bridge.answers import encoded
from darkroom_bridge.infotexts import MAX_PIXELS
from darkroom_bridge.problems import Problem

_SIDES = (64, 2048)
_STEP = 8


def editing(image: bytes, mask: bytes | None) -> dict[str, Any]:
    """The fields of an img2img body that paint `image` anew where `mask` is transparent, or where the picture itself
    is; all of it when nothing is. Raises Problem for what is no picture, or a mask of another size. It may block."""
    picture, drawn = _opened(image, "image"), _opened(mask, "mask") if mask else None
    if drawn and drawn.size != picture.size:
        sizes = f"{drawn.width}x{drawn.height}, but image is {picture.width}x{picture.height}"
        raise Problem(400, f"mask is {sizes}; both must have the same size.", "invalid_image")
    body: dict[str, Any] = {
        "init_images": [encoded(image)],
        "width": _side(picture.width),
        "height": _side(picture.height),
    }
    seen = drawn or picture
    alpha = seen.getchannel("A") if seen.mode == "RGBA" else None
    if alpha is None and drawn:
        # No transparency to go by: white is painted, as in the WebUI.
        white = drawn.convert("L")
    elif alpha is not None and alpha.getextrema() != (255, 255):
        white = alpha.point([255 - level for level in range(256)])
    else:
        return body
    if seen is picture:
        body["init_images"] = [encoded(_png(picture.convert("RGB")))]
    return body | {"mask": encoded(_png(white)), "inpainting_fill": 1, "inpaint_full_res": False}


def _opened(content: bytes, name: str) -> Any:
    """A picture upright, in RGB or RGBA."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content), formats=["png", "jpeg", "webp", "gif", "bmp"]) as found:
            if found.width * found.height > MAX_PIXELS:
                raise Problem(400, f"{name} has more than {MAX_PIXELS} pixels.", "invalid_image")
            upright = ImageOps.exif_transpose(found)
            see_through = upright.has_transparency_data
            return upright.convert("RGBA" if see_through else "RGB")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise Problem(400, f"{name} is no picture that can be read.", "invalid_image") from error


def _png(image: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=4)
    return out.getvalue()


def _side(pixels: int) -> int:
    """A side that the WebUI paints: within its bounds, a multiple of 8."""
    return max(_SIDES[0], min(_SIDES[1], pixels)) // _STEP * _STEP
