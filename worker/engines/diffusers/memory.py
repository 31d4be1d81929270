"""What fits into the memory: found out by trying, as no formula knows the card, the checkpoint and what lies beside."""

from collections.abc import Callable

import torch

from worker.engines.diffusers import vaes
from worker.engines.diffusers.encoders import TOKENS
from worker.engines.diffusers.families import Family
from worker.engines.diffusers.latents import FACTOR
from worker.engines.diffusers.models import Model
from worker.engines.diffusers.plan import Size
from worker.engines.diffusers.running import Inputs, answer_of
from worker.errors import JobError

CODE = "out_of_memory"
SIDE = 64
"""Sides that are proposed are multiples of this."""
EIGHTHS = 8
GUIDED = 2
SIZES = {Family.SDXL: 6, Family.REFINER: 5}
"""How many numbers a UNet is told about sizes."""
Fits = Callable[[Size, int], bool]
"""Whether so many pictures of a size fit."""


def too_large(model: Model | None, asked: tuple[Size, int] | None, look: Callable[[], None]) -> JobError:
    """The end of a job that did not fit: it says what would. `asked` are the size and how many pictures at once, None
    for a job that paints none; `model` is the checkpoint in memory, None when that did not fit itself. `look` is called
    between the tries."""
    if asked is None and model is not None:
        message = "The job needs more memory than this instance's GPU has. Ask for a smaller size."
        return JobError(CODE, message)
    if model is None or asked is None:
        message = "The checkpoint needs more memory than this instance's GPU has. Choose a larger instance."
        return JobError(CODE, message)
    size, batch = asked
    found = largest(size, batch, look, lambda size, batch: fits_in(model, size, batch))
    hint = "Ask for a smaller size or batch_size, or choose a larger instance."
    if found:
        (width, height), pictures = found
        hint = f"With {model.name} alone, {width}x{height} with batch_size {pictures} would fit."
    has = f"{size[0]}x{size[1]} with batch_size {batch} needs more memory than this instance's GPU has"
    return JobError(CODE, f"{has}{_memory_of(model)}. {hint}")


def largest(size: Size, batch: int, look: Callable[[], None], fits: Fits) -> tuple[Size, int] | None:
    """The most pictures of this size that fit, else the largest size in about these proportions of which one fits.

    None when not even small pictures do, or when all that was asked for fits: then something else took the memory.
    """
    most, fewest = batch, 0
    while fewest < most:
        look()
        middle = (fewest + most + 1) // 2
        fewest, most = (middle, most) if fits(size, middle) else (fewest, middle - 1)
    if most:
        return None if most == batch else (size, most)
    for eighths in range(EIGHTHS - 1, 0, -1):
        width, height = (max(SIDE, side * eighths // EIGHTHS // SIDE * SIDE) for side in size)
        look()
        if fits((width, height), 1):
            return (width, height), 1
    return None


@torch.no_grad()
def fits_in(model: Model, size: Size, batch: int) -> bool:
    """Whether one step over so many pictures, each with its negative prompt, and the decoding of one fit beside the
    model. It does the work and forgets it."""
    unet, device, rows = model.unet, model.unet.device, GUIDED * batch
    numbers = SIZES.get(model.kind.family, 0)
    try:
        pooled, ids = None, None
        if numbers:
            ids = torch.zeros(rows, numbers, device=device)
            width = unet.config.projection_class_embeddings_input_dim - numbers * unet.config.addition_time_embed_dim
            pooled = torch.zeros(rows, width, device=device)
        latents = torch.zeros(rows, unet.config.in_channels, size[1] // FACTOR, size[0] // FACTOR, device=device)
        words = torch.zeros(rows, TOKENS, unet.config.cross_attention_dim, device=device)
        answer_of(
            unet, Inputs(latents, torch.full((rows,), 500.0, device=device), words, pooled, ids).named(unet.dtype)
        )
        vaes.decode(model, latents[:1, : model.vae.config.latent_channels])
    except torch.OutOfMemoryError:
        return False
    finally:
        model.runner.release()
    return True


def _memory_of(model: Model) -> str:
    if model.placement.device != "cuda":
        return ""
    return f" ({torch.cuda.get_device_properties(model.unet.device).total_memory / 1024**3:.0f} GB)"
