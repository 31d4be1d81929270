"""Reads model files: the names and shapes of their tensors first, the tensors as they come from the disk.

Nothing in a file is run: pickles (.ckpt, .pt, .bin) are read by torch's `weights_only` reader, and only where the
stage allows them at all.
"""

import codecs
import json
import logging
import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from worker.engines.diffusers.tensors import read_header, stream
from worker.errors import UNREADABLE, JobError
from worker.open_files import Look, OpenFile

log = logging.getLogger(__name__)

Shape = tuple[int, ...]
SAFE = (".safetensors", ".sft")


@dataclass(frozen=True)
class WeightFile:
    """An open model file. `name` is what people call it, `shapes` has the shape of every tensor by its name.

    `metadata` is the text in the head of a .safetensors file; of a pickle the lists of words in it, as JSON. `stream`
    gives the tensors of these names, each with its name, in the order in which they come; `owned` says that each has
    memory of its own.
    """

    name: str
    shapes: Mapping[str, Shape]
    metadata: Mapping[str, str]
    stream: Callable[[Iterable[str]], Iterator[tuple[str, torch.Tensor]]]
    owned: bool = False

    def read(self, key: str) -> torch.Tensor:
        """One tensor."""
        [(_, tensor)] = self.stream([key])
        return tensor

    def tensors(self, prefix: str = "") -> dict[str, torch.Tensor]:
        """All tensors whose names begin with `prefix`, by the rest of their names."""
        keys = [key for key in self.shapes if key.startswith(prefix)]
        found = dict(self.stream(keys))
        return {key[len(prefix) :]: found[key] for key in keys}

    def under(self, prefix: str) -> dict[str, Shape]:
        """The shapes of the tensors whose names begin with `prefix`, by the rest of their names."""
        return {key[len(prefix) :]: shape for key, shape in self.shapes.items() if key.startswith(prefix)}


def _nothing() -> None:
    """The look of a caller who needs none."""


@contextmanager
def open_weights(
    source: Path | OpenFile, name: str, *, pickles: bool = False, device: str = "cpu", look: Look = _nothing
) -> Iterator[WeightFile]:
    """The model file `source`, called `name` in messages; `pickles` allows formats other than .safetensors.

    A .safetensors file may still be on its way; `look` is called while it is waited for, and between its pieces.
    `device` is where its tensors are put. Raises JobError `model_unreadable` for a broken file. The tensors that were
    read stay valid afterwards.
    """
    path = source.path if isinstance(source, OpenFile) else source
    if name.lower().endswith(SAFE) or path.suffix.lower() in SAFE:
        if isinstance(source, OpenFile):
            yield _safetensors(source, name, device, look)
            return
        try:
            file = OpenFile.of(path)
        except OSError as error:
            raise broken(name, error) from error
        with file:
            yield _safetensors(file, name, device, look)
        return
    if isinstance(source, OpenFile):
        source.wait_whole(look)
    content = load_pickle(path, name, pickles=pickles)
    named = content if isinstance(content, dict) else {}
    # Trainers keep the weights beside what they did, under one of these names.
    inner = next((named[key] for key in ("state_dict", "model") if isinstance(named.get(key), dict)), named)
    tensors = {key: value for key, value in inner.items() if isinstance(value, torch.Tensor)}
    lists = {key: json.dumps(value) for key, value in inner.items() if _is_words(value)}
    shapes = {key: tuple(value.shape) for key, value in tensors.items()}
    yield WeightFile(name, shapes, lists, lambda keys: ((key, tensors[key]) for key in keys))


def _is_words(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(word, str) for word in value)


def _safetensors(file: OpenFile, name: str, device: str, look: Look) -> WeightFile:
    try:
        header = read_header(file, name, look)
    except (OSError, ValueError, EOFError, RecursionError) as error:
        raise broken(name, error) from error

    def tensors(keys: Iterable[str]) -> Iterator[tuple[str, torch.Tensor]]:
        try:
            yield from stream(file, [header.entries[key] for key in keys], device, name, look)
        except (OSError, EOFError) as error:
            raise broken(name, error) from error

    shapes = {key: entry.shape for key, entry in header.entries.items()}
    return WeightFile(name, shapes, header.metadata, tensors, owned=True)


def load_pickle(path: Path, name: str, *, pickles: bool) -> Any:
    """What the pickle at `path` holds, on the CPU. JobError `model_unreadable` when it may not be read, is broken or
    holds more than weights."""
    if not pickles:
        message = (
            f"The file '{name}' is a pickle, which this stage does not read (its setting pickles). "
            "Use the same model as a .safetensors file."
        )
        raise JobError(UNREADABLE, message)
    verify(path, name)
    with torch.serialization.safe_globals(_harmless()):
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            if "weights only load failed" not in str(error).lower():
                raise broken(name, error) from error
            message = (
                f"The file '{name}' holds more than weights, and what it holds could run code. "
                "Use the same model as a .safetensors file."
            )
            raise JobError(UNREADABLE, message) from error
        except (RuntimeError, EOFError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise broken(name, error) from error


def verify(path: Path, name: str) -> None:
    """Compares a copy with its checksums, before a library reads it. Raises DamagedCopy."""
    try:
        with OpenFile.of(path) as file:
            file.verify(name)
    except (OSError, EOFError) as error:
        raise broken(name, error) from error


class _Left:
    """Stands for an object in an old checkpoint that no picture depends on."""


def _harmless() -> list[Any]:
    """What old checkpoints hold beside weights: a trainer's settings, and numbers of numpy."""
    scalar = np.float64(0).__reduce__()[0]
    return [
        (_Left, "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint"),
        (scalar, "numpy.core.multiarray.scalar"),
        scalar,
        np.dtype,
        *(type(np.dtype(kind)) for kind in ("float64", "float32", "int64", "int32")),
        codecs.encode,
        # What embeddings of old torch are kept in.
        torch.nn.ParameterDict,
    ]


def broken(name: str, error: BaseException) -> JobError:
    """The refusal of a file that cannot be read; the log has the library's own words."""
    log.warning("cannot read %s: %s: %s", name, type(error).__name__, error)
    return JobError(UNREADABLE, f"The file '{name}' is broken or not what its name says. Upload it again.")


def missing(name: str, keys: list[str]) -> JobError:
    """The refusal of a file that lacks the tensors `keys`."""
    more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
    return JobError(UNREADABLE, f"The file '{name}' is incomplete: it lacks {', '.join(keys[:3])}{more}.")


def metadata_json(metadata: Mapping[str, str], key: str) -> dict[str, Any]:
    """The JSON object under `key` of a file's metadata; an empty one when there is none."""
    try:
        value = json.loads(metadata.get(key, "{}"))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
