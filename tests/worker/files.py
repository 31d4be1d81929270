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
