"""VAEs: files of their own, and pictures from latents and back, in more precision where half of it overflows."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

from worker.engines.diffusers.families import VAE, unsupported
from worker.engines.diffusers.files import WeightFile, open_weights
from worker.engines.diffusers.latents import FACTOR
from worker.engines.diffusers.models import Model, prepare_vae
from worker.errors import JobError

log = logging.getLogger(__name__)

LATENT_CHANNELS = 4
TILE = 512
"""Pixels of a tile's side; a quarter of it overlaps."""


def read(path: Path, name: str, model: Model, *, pickles: bool = False) -> AutoencoderKL:
    """The VAE in the file at `path`, for the checkpoint `model`. JobError `model_unreadable`, `model_unsupported`."""
    with open_weights(path, name, pickles=pickles, device=model.placement.device) as weights, torch.no_grad():
        prefix = _prefix(weights)
        prepared = prepare_vae(weights, prefix, model.latent_scale)
        vae: AutoencoderKL = prepared.fill(weights, model.placement.device, model.placement.vae_dtype)
        return vae


def _prefix(weights: WeightFile) -> str:
    for prefix in ("", VAE):
        shape = weights.shapes.get(f"{prefix}decoder.conv_in.weight")
        if shape is None:
            continue
        if len(shape) != 4 or shape[1] != LATENT_CHANNELS:
            raise unsupported(weights.name, "a VAE of another family of models")
        return prefix
    if "taesd_decoder.1.weight" in weights.shapes or "1.weight" in weights.shapes:
        raise unsupported(weights.name, "a TAESD, which only makes previews")
    raise unsupported(weights.name, "no VAE")


@contextmanager
def chosen(model: Model, vae: AutoencoderKL | None) -> Iterator[None]:
    """Paints with another VAE than the checkpoint's own; None changes nothing (the WebUI's Automatic and None)."""
    own = model.vae
    if vae is not None:
        model.vae = vae
    try:
        yield
    finally:
        model.vae = own


@torch.no_grad()
def decode(model: Model, latent: torch.Tensor) -> torch.Tensor:
    """The pictures of a latent (as the UNet has it; n, 4, h, w) in full precision: n, 3, 8h, 8w; about -1 to 1.

    Half precision overflows in some VAEs. The pictures are made again in full precision then. JobError
    `nothing_painted` when the latent itself is no number, or full precision does not help.
    """
    vae = model.vae
    scaled = latent / model.latent_scale

    def decoded() -> torch.Tensor:
        pictures: torch.Tensor = vae.decode(scaled.to(vae.dtype)).sample.float()
        return pictures

    pictures = _fitting(model, decoded)
    if not torch.isfinite(pictures).all() and vae.dtype is not torch.float32 and torch.isfinite(latent).all():
        with _in_full(vae):
            pictures = _fitting(model, decoded)
    if not torch.isfinite(pictures).all():
        raise nothing_painted()
    return pictures


@torch.no_grad()
def encode(model: Model, pictures: torch.Tensor, noise: torch.Tensor | None = None) -> torch.Tensor:
    """The latent of pictures (n, 3, 8h, 8w; -1 to 1) as the UNet has it, in full precision.

    A VAE's latent has a spread: `noise` (of the latent's shape) chooses from it, as the WebUI does; None takes the
    middle.
    """
    vae = model.vae

    def encoded() -> Any:
        return vae.encode(pictures.to(vae.device, vae.dtype)).latent_dist

    found = _fitting(model, encoded)
    if not torch.isfinite(found.mean).all() and vae.dtype is not torch.float32:
        with _in_full(vae):
            found = _fitting(model, encoded)
    latent = found.mean.float()
    if noise is not None:
        latent = latent + found.std.float() * noise.to(latent)
    if not torch.isfinite(latent).all():
        raise nothing_painted()
    return latent * model.latent_scale


def _fitting(model: Model, work: Callable[[], Any]) -> Any:
    """The work of a VAE. When the memory does not do, without the UNet's graphs, which come back by themselves; when it
    still does not, tile by tile, whose edges are blended."""
    try:
        return work()
    except torch.OutOfMemoryError:
        log.warning("the VAE needs more memory than there is: the graphs of the UNet are dropped")
    # Not in the block above: what raised there keeps its tensors as long as its error is handled.
    model.runner.release()
    try:
        return work()
    except torch.OutOfMemoryError:
        log.warning("the VAE needs more memory than there is: it works in tiles")
    model.runner.release()
    with _in_tiles(model.vae):
        return work()


@contextmanager
def _in_tiles(vae: AutoencoderKL) -> Iterator[None]:
    """The VAE in tiles of the size that it was trained with."""
    vae.enable_tiling()
    vae.tile_sample_min_size = TILE
    vae.tile_latent_min_size = TILE // FACTOR
    try:
        yield
    finally:
        vae.disable_tiling()


@contextmanager
def _in_full(vae: AutoencoderKL) -> Iterator[None]:
    """The VAE in full precision; back in half precision it has exactly the weights that it had."""
    kept = vae.dtype
    vae.to(torch.float32)
    try:
        yield
    finally:
        vae.to(kept)


def nothing_painted() -> JobError:
    """The end of a job whose picture is no picture."""
    message = (
        "The model made no picture, only values that are no numbers. Try another VAE, fewer LoRAs or smaller weights."
    )
    return JobError("nothing_painted", message)
