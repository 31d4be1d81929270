"""Pictures as batches of pixels, and latents of another size."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

FACTOR = 8
"""Pixels of a picture for each latent, across and down."""
LATENT_MODES: dict[str, tuple[str, bool]] = {
    "Latent": ("bilinear", False),
    "Latent (antialiased)": ("bilinear", True),
    "Latent (bicubic)": ("bicubic", False),
    "Latent (bicubic antialiased)": ("bicubic", True),
    "Latent (nearest)": ("nearest", False),
    "Latent (nearest-exact)": ("nearest-exact", False),
}
"""The upscalers of the hires pass that stretch latents: how, and whether with a filter before (modules/shared_items.py
of the WebUI, `latent_upscale_modes`)."""


def pixels(pictures: Sequence[Image.Image], like: torch.device) -> Tensor:
    """Pictures (RGB, of one size) as a batch (B, 3, H, W) from -1 to 1."""
    arrays = [np.asarray(picture.convert("RGB"), dtype=np.float32) for picture in pictures]
    return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).to(like) / 127.5 - 1


def image(decoded: Tensor) -> Image.Image:
    """A decoded picture (3, H, W; about -1 to 1) as RGB; fractions of a shade are cut off, as in the WebUI."""
    shades = ((decoded + 1) * 127.5).clamp(0, 255)
    return Image.fromarray(shades.to(torch.uint8).permute(1, 2, 0).cpu().numpy())


def stretched(latents: Tensor, size: tuple[int, int], mode: str = "bilinear", *, antialias: bool = False) -> Tensor:
    """Latents of another size: width and height of the picture in pixels."""
    wanted = (size[1] // FACTOR, size[0] // FACTOR)
    return functional.interpolate(latents, size=wanted, mode=mode, antialias=antialias)
