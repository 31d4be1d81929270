"""What an img2img job is painted on: resize modes, masks, masked content, and putting the result back.

As in the WebUI 1.10 (modules/processing.py, `StableDiffusionProcessingImg2Img.init` and `apply_overlay`;
modules/masking.py). Without torch: latent noise and latent nothing are made by whoever has the latents.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageFilter, ImageOps

from worker.parameters import GenerationSettings
from worker.pictures import CROP_AND_RESIZE, RESIZE_AND_FILL, fit

FILL, ORIGINAL, LATENT_NOISE, LATENT_NOTHING = range(4)
"""The WebUI's masked contents (`inpainting_fill`)."""
LATENT_RESIZE = 3
"""The resize mode that stretches the latents instead of the picture."""
_FILL_BLURS = ((256, 1), (64, 1), (16, 2), (4, 4), (2, 2), (0, 1))
"""Radius of a blur and how often its result is laid on, for masked content `fill`."""

Size = tuple[int, int]
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Canvas:
    """One picture to paint on. `start` (RGB, of the size that is painted, but for LATENT_RESIZE) is where painting
    begins, `mask` (L, 255 = repaint, same size) says where, None for everywhere.

    `overlay` (RGBA) is laid over the result; it shows what stays as it was. Where only the masked part is painted,
    `paste` is the box of it in the overlay.
    """

    start: Image.Image
    mask: Image.Image | None = None
    overlay: Image.Image | None = None
    paste: Box | None = None

    def finish(self, painted: Image.Image) -> Image.Image:
        """The result: what was painted (RGB) with all that stays laid over it."""
        if self.overlay is None:
            return painted
        if self.paste:
            left, top, right, bottom = self.paste
            part = fit(painted, (right - left, bottom - top), CROP_AND_RESIZE)
            painted = Image.new("RGB", self.overlay.size)
            painted.paste(part, (left, top))
        return Image.alpha_composite(painted.convert("RGBA"), self.overlay).convert("RGB")


def canvas(init: Image.Image, mask: Image.Image | None, settings: GenerationSettings, size: Size) -> Canvas:
    """The canvas over `init` (RGB) for a result that is painted in `size`. `mask` is L, 255 where it is painted, and of
    the size of `init`."""
    if mask is None:
        return Canvas(_resized(init, settings.resize_mode, size))
    soft = blurred(_binary(mask), settings.blur)
    box = _box(soft, settings.inpaint_full_res_padding, size) if settings.inpaint_full_res else None
    if box:
        overlay = _overlay(init, soft)
        start = fit(init.crop(box), size, RESIZE_AND_FILL)
        soft = fit(soft.crop(box), size, RESIZE_AND_FILL)
    else:
        # The latents of a masked picture cannot be stretched alone: its mask would not fit them.
        mode = min(settings.resize_mode, RESIZE_AND_FILL)
        start, soft = fit(init, size, mode), fit(soft, size, mode)
        overlay = _overlay(start, soft.point(lambda value: min(255, 2 * value)))
    if settings.inpainting_fill != ORIGINAL:
        start = filled(start, soft)
    return Canvas(start, soft, overlay, box)


def painted_part(mask: Image.Image, settings: GenerationSettings, size: Size) -> Box | None:
    """The part of the picture that is painted in `size` where only the masked part is; None for an empty mask."""
    return _box(blurred(_binary(mask), settings.blur), settings.inpaint_full_res_padding, size)


def blurred(mask: Image.Image, blur: tuple[int, int]) -> Image.Image:
    """The mask with soft edges, inwards and outwards, by a normal distribution of that many pixels across and down."""
    pixels = np.asarray(mask)
    across, down = blur
    if across > 0:
        pixels = cv2.GaussianBlur(pixels, (_kernel(across), 1), across)
    if down > 0:
        pixels = cv2.GaussianBlur(pixels, (1, _kernel(down)), down)
    return Image.fromarray(pixels)


def filled(image: Image.Image, mask: Image.Image) -> Image.Image:
    """The picture with its masked part painted in the colours around it."""
    around = Image.new("RGBa", image.size)
    around.paste(image.convert("RGBA").convert("RGBa"), mask=ImageOps.invert(mask))
    result = Image.new("RGBA", image.size)
    for radius, times in _FILL_BLURS:
        layer = around.filter(ImageFilter.GaussianBlur(radius)).convert("RGBA")
        for _ in range(times):
            result.alpha_composite(layer)
    return result.convert("RGB")


def latent_mask(mask: Image.Image, size: Size) -> np.ndarray:
    """The mask for latents of `size` (width, height): height by width, 1 = repaint, 0 = stays, nothing in between."""
    small = mask.convert("RGB").resize(size)
    return np.around(np.asarray(small, dtype=np.float32)[:, :, 0] / 255)


def _resized(image: Image.Image, mode: int, size: Size) -> Image.Image:
    return image if mode == LATENT_RESIZE else fit(image, size, mode)


def _binary(mask: Image.Image) -> Image.Image:
    return mask.point(lambda value: 255 if value > 127 else 0)


def _kernel(blur: int) -> int:
    return 2 * int(2.5 * blur + 0.5) + 1


def _overlay(image: Image.Image, mask: Image.Image) -> Image.Image:
    """What stays of the picture: all that the mask does not cover."""
    overlay = Image.new("RGBa", image.size)
    overlay.paste(image.convert("RGBA").convert("RGBa"), mask=ImageOps.invert(mask))
    return overlay.convert("RGBA")


def _box(mask: Image.Image, padding: int, size: Size) -> Box | None:
    """The part of the picture that is painted: the mask and some pixels around it, in the proportions of `size`, within
    the picture. None for an empty mask, as the WebUI then takes the whole picture."""
    found = mask.getbbox()
    if found is None:
        return None
    padding = max(0, min(padding, max(mask.size)))
    left, top = max(found[0] - padding, 0), max(found[1] - padding, 0)
    right, bottom = min(found[2] + padding, mask.width), min(found[3] + padding, mask.height)
    width, height = right - left, bottom - top
    if width * size[1] > height * size[0]:
        top, bottom = _widened(top, bottom, int(width * size[1] / size[0]), mask.height)
    else:
        left, right = _widened(left, right, int(height * size[0] / size[1]), mask.width)
    return left, top, right, bottom


def _widened(low: int, high: int, length: int, end: int) -> tuple[int, int]:
    """A span that got `length`, or as much as there is, with the old one in its middle if the ends allow that."""
    low -= (length - (high - low)) // 2
    high = low + length
    if high >= end:
        low, high = low - (high - end), end
    if low < 0:
        low, high = 0, high - low
    return low, min(high, end)
