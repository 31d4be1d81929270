"""Between pictures and latents, through a model's VAE."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from worker.engines.diffusers.models import Model
from worker.errors import JobError

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


@torch.no_grad()
def encode(model: Model, batch: Tensor) -> Tensor:
    """The latents (B, 4, H/8, W/8) of pictures from -1 to 1. The middle of what the VAE answers is taken, and not a
    random one of it as in the WebUI, so that the same job gives the same picture."""
    found = [_mean(model, one) for one in batch.split(1)]
    return torch.cat(found) * model.latent_scale


def _mean(model: Model, one: Tensor) -> Tensor:
    mean: Tensor = model.vae.encode(one.to(model.vae.dtype)).latent_dist.mean
    return mean.float()


@torch.no_grad()
def decode(model: Model, latent: Tensor) -> Tensor:
    """One picture (3, H, W) from 0 to 1 of one latent (4, h, w). Raises JobError `not_a_number`."""
    answer = model.vae.decode((latent.unsqueeze(0) / model.latent_scale).to(model.vae.dtype)).sample[0].float()
    if not torch.isfinite(answer).all():
        raise not_a_number("The VAE")
    return ((answer + 1) / 2).clamp(0, 1)


def image(decoded: Tensor) -> Image.Image:
    """A decoded picture as RGB; fractions of a shade are cut off, as in the WebUI."""
    return Image.fromarray((decoded * 255).to(torch.uint8).permute(1, 2, 0).cpu().numpy())


def stretched(latents: Tensor, size: tuple[int, int], mode: str = "bilinear", *, antialias: bool = False) -> Tensor:
    """Latents of another size: width and height of the picture in pixels."""
    wanted = (size[1] // FACTOR, size[0] // FACTOR)
    return functional.interpolate(latents, size=wanted, mode=mode, antialias=antialias)


def not_a_number(what: str) -> JobError:
    """The end of a job whose picture is no picture: `what` computed it."""
    message = (
        f"{what} computed values that are no numbers, so there is no picture. The checkpoint may be broken, a weight "
        "or the CFG scale too large, or the precision too low for it."
    )
    return JobError("not_a_number", message)
