"""Upscalers: files of the architectures that spandrel knows (ESRGAN, RealESRGAN, SwinIR, DAT, HAT, …)."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import torch

from worker.engines.diffusers.files import SAFE, broken, load_pickle, open_weights
from worker.errors import JobError


@contextmanager
def _without_torchvision() -> Iterator[None]:
    """Two architectures, which only fill holes and mend faces, import torchvision when spandrel is imported. It is not
    here, and they are not used."""
    names = ("torchvision", "torchvision.transforms", "torchvision.transforms.functional")
    missing = [name for name in names if name not in sys.modules]
    for name in missing:
        sys.modules[name] = ModuleType(name)
    functional = sys.modules[names[-1]]
    for needed in ("InterpolationMode", "rotate", "normalize"):
        if not hasattr(functional, needed):
            setattr(functional, needed, None)
    try:
        yield
    finally:
        for name in missing:
            del sys.modules[name]


with _without_torchvision():
    import spandrel


def read(path: Path, name: str, device: str, *, pickles: bool = False) -> spandrel.ImageModelDescriptor:
    """The upscaler in the file at `path`: `.scale` is its factor, and called with pictures (n, 3, h, w; 0 to 1) it
    returns larger ones. It computes in full precision.

    JobError `model_unsupported` for an architecture that is unknown or no upscaler, `model_unreadable` for a broken
    file.
    """
    if path.suffix.lower() in SAFE or name.lower().endswith(SAFE):
        with open_weights(path, name) as weights:
            tensors = weights.tensors()
    else:
        # Their tensors may lie deeper (`params_ema`); spandrel knows where.
        tensors = load_pickle(path, name, pickles=pickles)
        if not isinstance(tensors, dict):
            raise JobError("model_unsupported", f"The file '{name}' is no upscaler that this engine knows.")
    try:
        found = spandrel.ModelLoader().load_from_state_dict(tensors)
    except spandrel.UnsupportedModelError as error:
        raise JobError("model_unsupported", f"The file '{name}' is no upscaler that this engine knows.") from error
    except (RuntimeError, KeyError, ValueError) as error:
        raise broken(name, error) from error
    if not isinstance(found, spandrel.ImageModelDescriptor) or found.input_channels != 3 or found.output_channels != 3:
        raise JobError(
            "model_unsupported", f"The file '{name}' is no upscaler of pictures, but a model for {found.purpose}."
        )
    found.model.requires_grad_(requires_grad=False)
    return found.to(torch.device(device)).eval()


def esrgan(num_filters: int, num_blocks: int, scale: int) -> torch.nn.Module:
    """A fresh ESRGAN with random weights."""
    made: torch.nn.Module = spandrel.architectures.ESRGAN.ESRGAN(
        num_filters=num_filters, num_blocks=num_blocks, scale=scale
    )
    return made
