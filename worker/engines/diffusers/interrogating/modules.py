"""Models of the library transformers in files that hold nothing but their tensors."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from transformers.utils import logging

from worker.engines.diffusers.files import WeightFile, broken, missing
from worker.engines.diffusers.models import Placement

HEAD = 64
"""Channels of each head of attention, in every model here."""


def heads(width: int) -> int:
    """How many heads a layer of that width has."""
    return max(1, width // HEAD)


def layers(weights: WeightFile, before: str) -> int:
    """How many numbers from 0 on follow `before` in the names of the tensors."""
    number = 0
    while any(key.startswith(f"{before}{number}.") for key in weights.shapes):
        number += 1
    return number


def filled(
    weights: WeightFile, module: type[Any], config: Any, placed: Placement, rename: Callable[[str], str] = str
) -> Any:
    """The model of the class `module` with the file's tensors, whose names `rename` turns into the library's.

    JobError `model_unreadable` for a file that is broken or lacks tensors.
    """
    tensors: Mapping[str, torch.Tensor] = {rename(key): weights.read(key) for key in weights.shapes}
    before = logging.get_verbosity()
    # What is missing in a file is told by the error below.
    logging.set_verbosity_error()
    try:
        made, found = module.from_pretrained(
            None,
            config=config,
            state_dict=tensors,
            dtype=placed.dtype,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            local_files_only=True,
        )
    except (RuntimeError, ValueError, KeyError, OSError) as error:
        raise broken(weights.name, error) from error
    finally:
        logging.set_verbosity(before)
    if found["missing_keys"]:
        raise missing(weights.name, sorted(found["missing_keys"]))
    if found["mismatched_keys"]:
        raise broken(weights.name, ValueError(f"other shapes: {sorted(found['mismatched_keys'])[:3]}"))
    made.requires_grad_(requires_grad=False)
    return made.eval().to(placed.device)
