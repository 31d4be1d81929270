"""Tiny model files, made once for all tests of a process."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

import torch

from worker.engines.diffusers import tiny
from worker.engines.diffusers.models import Model, Placement, load

CPU = Placement("cpu", torch.float32, torch.float32)
"""Where and how exactly the tests compute."""


@cache
def folder() -> Path:
    """The folder of the files; removed at the end."""
    path = Path(tempfile.mkdtemp(prefix="tiny-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


@cache
def checkpoint_file(name: str) -> Path:
    """The file of the tiny checkpoint `name`, one of `tiny.CHECKPOINTS`."""
    return tiny.write(folder() / f"{name}.safetensors", tiny.CHECKPOINTS[name]())


def loaded(name: str) -> Model:
    """The tiny checkpoint `name`, freshly read."""
    path = checkpoint_file(name)
    return load(path, path.name, CPU)


def state(model: Model) -> dict[str, torch.Tensor]:
    """A copy of every tensor of the model."""
    parts = {"unet": model.unet, "vae": model.vae, **{encoder.key: encoder for encoder in model.encoders}}
    return {
        f"{part}.{name}": tensor.clone()
        for part, module in parts.items()
        for name, tensor in module.state_dict().items()
    }


def same_bits(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """Whether two states have the same tensors, bit for bit."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@torch.no_grad()
def painted(model: Model) -> torch.Tensor:
    """What the UNet answers to a prompt that its encoders read: depends on every part of the model but the VAE."""
    tokens = torch.tensor([[49406, 320, 2368, 49407] + [49407] * 73])
    hidden, pooled = zip(*(encoder(tokens) for encoder in model.encoders), strict=True)
    words = torch.cat([states[-2] for states in hidden], dim=-1)
    generator = torch.Generator().manual_seed(1)
    latent = torch.randn(1, model.unet.config.in_channels, 8, 8, generator=generator)
    extra = None
    if width := getattr(model.unet.config, "projection_class_embeddings_input_dim", None):
        numbers = (width - pooled[-1].shape[-1]) // 256
        extra = {"text_embeds": pooled[-1], "time_ids": torch.full((1, numbers), 64.0)}
    answer: torch.Tensor = model.unet(latent, torch.tensor([500]), words, added_cond_kwargs=extra).sample
    return answer
