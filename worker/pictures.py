"""Decoding and encoding pictures, removing transparency, and preparing masks."""

import io

from PIL import Image, ImageChops, ImageFilter, ImageOps

from darkroom.images.header import MAX_PIXELS, MAX_SIDE, bare, read_header
from darkroom.images.source import NotAnImage
from worker.errors import JobError

THUMBNAIL_SIDE = 320
"""Pixels of a thumbnail's longer side: what a line of a history shows, on a screen of double density."""

JUST_RESIZE, CROP_AND_RESIZE, RESIZE_AND_FILL = 0, 1, 2


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""How stored pixels come to stand upright, by the EXIF standard's orientations."""


def decode(data: bytes, name: str) -> Image.Image:
    """The picture in `data`, upright and fully read, in whatever mode it has; `name` is for messages.

    Format, size and orientation are those that Darkroom's API sees: both ask `darkroom.images.header`. Pillow gets the
    pixels alone, so nothing beside them can be a reason to refuse a picture. JobError `image_too_large` above MAX_SIDE
    or MAX_PIXELS, `image_unreadable` for anything that is no whole picture of a format that is taken.
    """
    try:
        header = read_header(data)
    except NotAnImage as error:
        raise JobError("image_unreadable", f"The image '{name}' cannot be used: {error}.") from error
    if header.is_too_large:
        raise _too_large(name)
    try:
        with Image.open(io.BytesIO(bare(data, header.format)), formats=[header.format]) as image:
            image.load()
            turn = _TURNS.get(header.orientation)
            upright = image.transpose(turn) if turn is not None else image.copy()
    except Image.DecompressionBombError as error:
        raise _too_large(name) from error
    except Exception as error:  # Pillow's decoders raise whatever they trip over
        raise JobError("image_unreadable", f"The image '{name}' is broken or cut off.") from error
    if upright.size != header.size:
        raise JobError("image_unreadable", f"The image '{name}' tells its size twice, and not the same.")
    return upright


def _too_large(name: str) -> JobError:
    return JobError(
        "image_too_large", f"The image '{name}' has more than {MAX_PIXELS:,} pixels, or {MAX_SIDE:,} a side."
    )


def flatten(image: Image.Image, paper: Image.Image | None = None) -> Image.Image:
    """`image` as RGB. Where it is transparent, `paper` (RGB, same size) shows, or white as in the WebUI."""
    if image.mode.startswith(("I", "F")):
        return _eight_bit(image).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    below = paper.convert("RGBA") if paper else Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(below, image.convert("RGBA")).convert("RGB")


def _eight_bit(image: Image.Image) -> Image.Image:
    """16-bit grey as 8-bit; Pillow's own conversion clips at 255 instead of scaling."""
    return image.convert("I").point(lambda value: value * (1 / 256)).convert("L")


def mask_of(image: Image.Image, *, invert: bool) -> Image.Image:
    """A mask as weights (L, 255 = repaint).

    Of a picture with transparency the alpha channel is used, whatever its colours: the WebUI's canvas sends the layer
    of the brush like that. Of any other picture the brightness is used.
    """
    mask = _eight_bit(image) if image.mode.startswith(("I", "F")) else image.convert("L")
    if image.has_transparency_data:
        alpha = image.convert("RGBA").getchannel("A")
        if alpha.getextrema() != (255, 255):
            mask = alpha.point(lambda value: 255 if value > 128 else 0)
    return ImageOps.invert(mask) if invert else mask


def difference(one: Image.Image, other: Image.Image) -> Image.Image:
    """Where two RGB pictures of the same size differ in any channel, even by one (L, 255 = different)."""
    red, green, blue = ImageChops.difference(one, other).split()
    most = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    return most.point(lambda value: 255 if value else 0)


def feather(mask: Image.Image, blur: tuple[int, int]) -> Image.Image:
    """`mask` with soft edges. They are softened inwards only: a weight of 0 stays 0, so nothing outside is changed."""
    return ImageChops.darker(mask, mask.filter(ImageFilter.GaussianBlur(blur)))


def fit(image: Image.Image, size: tuple[int, int], resize_mode: int) -> Image.Image:
    """`image` resized to `size` (pixels) by one of the WebUI's resize modes; the same object when it has that size.

    As in the WebUI's modules/images.py (`resize_image`): what "resize and fill" leaves free gets the colours of the
    nearest edge.
    """
    if image.size == size:
        return image
    if resize_mode == CROP_AND_RESIZE:
        return ImageOps.fit(image, size, Image.Resampling.LANCZOS)
    if resize_mode != RESIZE_AND_FILL:
        return image.resize(size, Image.Resampling.LANCZOS)
    # Of a picture a thousand times as wide as high at least one row is left.
    if size[0] * image.height < size[1] * image.width:
        inner = size[0], max(1, image.height * size[0] // image.width)
    else:
        inner = max(1, image.width * size[1] // image.height), size[1]
    left, top = size[0] // 2 - inner[0] // 2, size[1] // 2 - inner[1] // 2
    result = Image.new(image.mode, size)
    result.paste(image.resize(inner, Image.Resampling.LANCZOS), (left, top))
    _fill_edges(result, (left, top, left + inner[0], top + inner[1]))
    return result


def _fill_edges(image: Image.Image, inner: tuple[int, int, int, int]) -> None:
    """Draws the outermost rows and columns of the part `inner` over what is beside it."""
    left, top, right, bottom = inner
    width, height = image.size
    for edge, free in (
        ((left, top, right, top + 1), (left, 0, right, top)),
        ((left, bottom - 1, right, bottom), (left, bottom, right, height)),
        ((left, 0, left + 1, height), (0, 0, left, height)),
        ((right - 1, 0, right, height), (right, 0, width, height)),
    ):
        if free[2] > free[0] and free[3] > free[1]:
            image.paste(image.crop(edge).resize((free[2] - free[0], free[3] - free[1])), free[:2])


def thumbnail(image: Image.Image) -> bytes | None:
    """A small WebP of `image`; None when it is small itself."""
    if max(image.size) <= THUMBNAIL_SIDE:
        return None
    small = image.convert("RGB")
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.BICUBIC)
    out = io.BytesIO()
    small.save(out, "WEBP", quality=80, method=2)
    return out.getvalue()
