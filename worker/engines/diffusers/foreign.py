"""Models of the library transformers from single files, for captions, poses and depth. Their configurations are not in
the files; they follow from the names and shapes of the tensors."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers.utils import logging

from worker.engines.diffusers.families import UNSUPPORTED
from worker.engines.diffusers.files import Shape, WeightFile, broken, missing, open_weights
from worker.errors import JobError

ConfigOf = Callable[[Mapping[str, Shape], str], Any]
_NOT_NEEDED = ".num_batches_tracked"
"""A counter of training."""


def shapes_of(path: Path, name: str) -> Mapping[str, Shape]:
    """The shapes of a file's tensors by their names. JobError `model_unreadable`."""
    with open_weights(path, name) as weights:
        return weights.shapes


def load(path: Path, name: str, module: type[Any], config_of: ConfigOf, device: str) -> Any:
    """The model of the class `module` from the file, in full precision; `config_of` makes its configuration of the
    shapes of the tensors and the file's name.

    JobError `model_unreadable` for a file that is broken or lacks tensors, and what `config_of` raises.
    """
    with open_weights(path, name, device=device) as weights:
        return filled(weights, module, config_of(weights.shapes, name), device)


def filled(
    weights: WeightFile,
    module: type[Any],
    config: Any,
    device: str,
    dtype: torch.dtype = torch.float32,
    rename: Callable[[str], str] = str,
) -> Any:
    """The model of the class `module` with the file's tensors, whose names `rename` turns into the library's.

    JobError `model_unreadable` for a file that is broken or lacks tensors.
    """
    tensors = {rename(key): tensor for key, tensor in weights.tensors().items()}
    try:
        with _silence():
            made, found = module.from_pretrained(
                None,
                config=config,
                state_dict=tensors,
                dtype=dtype,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
                local_files_only=True,
            )
    except (RuntimeError, ValueError, KeyError, OSError) as error:
        raise broken(weights.name, error) from error
    if absent := sorted(key for key in found["missing_keys"] if not key.endswith(_NOT_NEEDED)):
        raise missing(weights.name, absent)
    if found["mismatched_keys"]:
        raise broken(weights.name, ValueError(f"other shapes: {sorted(found['mismatched_keys'])[:3]}"))
    made.requires_grad_(requires_grad=False)
    return made.eval().to(device)


@contextmanager
def _silence() -> Iterator[None]:
    """No bars and no warnings of the library: what is missing in a file is told by an error."""
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def count(shapes: Mapping[str, Shape], before: str) -> int:
    """How many numbers from 0 on follow the prefix `before` in the names of the tensors."""
    number = 0
    while any(key.startswith(f"{before}{number}.") for key in shapes):
        number += 1
    return number


def heads(width: int, channels: int = 64) -> int:
    """How many heads of that many channels a layer of that width has."""
    return max(1, width // channels)


def unknown(name: str, what: str, wanted: str) -> JobError:
    """The refusal of a file that is `what`, where one that is `wanted` belongs."""
    return JobError(UNSUPPORTED, f"The file '{name}' is {what}. What belongs there: {wanted}.")


def first(shapes: Mapping[str, Shape], names: Sequence[str], at: str) -> Shape:
    """The shape of the first of these tensors that is there. JobError `model_unreadable` when there is none, for the
    file `at`."""
    for name in names:
        if name in shapes:
            return shapes[name]
    raise missing(at, [names[0]])
