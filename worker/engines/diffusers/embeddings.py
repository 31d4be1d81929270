"""Embeddings (textual inversion): vectors that stand in a prompt for a word."""

import base64
import binascii
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from worker.engines.diffusers.files import SAFE, broken, load_pickle, open_weights, verify
from worker.engines.diffusers.models import Model
from worker.errors import JobError

PICTURES = (".png", ".webp", ".jxl", ".avif")
CHUNK = "sd-ti-embedding"
MOST_DIGITS = 64 * 1024 * 1024
"""Bytes of the text of an embedding that is kept in a picture."""


@dataclass(frozen=True)
class Embedding:
    """An embedding. `name` is the word of a prompt that it stands for, `vectors` (n, width) are for one text encoder,
    `clip_l` or `clip_g`; in a file for one encoder only their key is None."""

    name: str
    vectors: Mapping[str | None, torch.Tensor]

    def for_model(self, model: Model) -> dict[str, torch.Tensor] | None:
        """The vectors by text encoder, None when the embedding is for another family of models; the WebUI leaves out
        those, and their name stays a word."""
        if None in self.vectors:
            found = {encoder.key: self.vectors[None] for encoder in model.encoders[:1]}
        else:
            found = {str(key): vectors for key, vectors in self.vectors.items()}
        widths = {encoder.key: encoder.width for encoder in model.encoders}
        return found if {key: vectors.shape[1] for key, vectors in found.items()} == widths else None


def read(path: Path, name: str, *, pickles: bool = False) -> Embedding:
    """The embedding in the file at `path`: .safetensors, .pt, .bin, or a picture that carries one.

    JobError `model_unreadable` for a broken file, `model_unsupported` for a file that is no embedding.
    """
    stem = Path(name).stem
    suffix = Path(name).suffix.lower()
    if suffix in PICTURES:
        content = _in_picture(path, name)
        said = content.get("name")
        return Embedding(said if isinstance(said, str) else stem, _vectors(content, name))
    if suffix in SAFE or path.suffix.lower() in SAFE:
        with open_weights(path, name) as weights:
            return Embedding(stem, _vectors(weights.tensors(), name))
    return Embedding(stem, _vectors(load_pickle(path, name, pickles=pickles), name))


def bundled(prefix: str, tensors: Mapping[str, torch.Tensor]) -> tuple[Embedding, ...]:
    """The embeddings that are in a LoRA file: `<prefix><name>.string_to_param.*`, or `….clip_l`."""
    found: dict[str, dict[str | None, torch.Tensor]] = {}
    for key, tensor in tensors.items():
        if key.startswith(prefix):
            name, _, part = key[len(prefix) :].partition(".")
            encoder = part if part in ("clip_l", "clip_g") else None
            found.setdefault(name, {})[encoder] = tensor.float().reshape(-1, tensor.shape[-1])
    return tuple(Embedding(name, vectors) for name, vectors in found.items())


def _vectors(content: Any, name: str) -> dict[str | None, torch.Tensor]:
    if not isinstance(content, Mapping):
        raise _no_embedding(name)
    params = content.get("string_to_param", content)
    # Files of older torch keep a whole module of parameters.
    params = getattr(params, "_parameters", params)
    if not isinstance(params, Mapping):
        raise _no_embedding(name)
    tensors = {key: value for key, value in params.items() if isinstance(value, torch.Tensor)}
    if {"clip_l", "clip_g"} <= tensors.keys():
        return {key: _rows(tensors[key], name) for key in ("clip_l", "clip_g")}
    # `string_to_param` may stand in the name of a .safetensors file's tensor.
    if len(tensors) != 1:
        raise _no_embedding(name)
    return {None: _rows(next(iter(tensors.values())), name)}


def _rows(tensor: torch.Tensor, name: str) -> torch.Tensor:
    rows = tensor.detach().float()
    if rows.dim() == 1:
        rows = rows.unsqueeze(0)
    if rows.dim() != 2 or not rows.numel():
        raise _no_embedding(name)
    return rows


def _in_picture(path: Path, name: str) -> Mapping[str, Any]:
    """What a picture of the WebUI carries: as text, or in the low bits of two strips at its sides."""
    try:
        verify(path, name)
        with Image.open(path, formats=["PNG", "WEBP", "AVIF"]) as picture:
            picture.load()
            text = getattr(picture, "text", picture.info).get(CHUNK)
            found = _from_json(base64.b64decode(text)) if text else _from_strips(np.array(picture.convert("RGB")))
    except (OSError, ValueError, binascii.Error, zlib.error, SyntaxError, Image.DecompressionBombError) as error:
        raise broken(name, error) from error
    if found is None:
        raise _no_embedding(name)
    return found


def _from_json(text: bytes) -> Mapping[str, Any] | None:
    def tensors(entry: dict[str, Any]) -> Any:
        return torch.tensor(entry["TORCHTENSOR"]) if "TORCHTENSOR" in entry else entry

    found = json.loads(text, object_hook=tensors)
    return found if isinstance(found, dict) else None


def _from_strips(pixels: np.ndarray) -> Mapping[str, Any] | None:
    """The embedding in the strips left and right of a picture, each with a black column to its inside. The left one has
    the low halves of the bytes of a compressed text in the low halves of its own, the right one the high halves."""
    lit = (pixels > 0).all(axis=2)
    if not lit.any():
        return None
    rows, columns = lit.any(axis=1), lit.any(axis=0)
    top, bottom = int(rows.argmax()), len(rows) - int(rows[::-1].argmax())
    left, right = int(columns.argmax()), len(columns) - int(columns[::-1].argmax())
    low = pixels[top:bottom, left:right] & 0x0F
    black = np.flatnonzero(low.sum(axis=(0, 2)) == 0)
    if len(black) < 2:
        return None
    halves = [_unmasked(low[:, : black[0]]), _unmasked(low[:, black[-1] + 1 :])]
    if halves[0].shape != halves[1].shape:
        return None
    packed = ((halves[1] << 4) | halves[0]).tobytes()
    unpack = zlib.decompressobj()
    text = unpack.decompress(packed, MOST_DIGITS)
    return _from_json(text)


def _unmasked(strip: np.ndarray) -> np.ndarray:
    """The strip without the fixed noise that the WebUI lays over it: a linear congruential generator."""
    state, noise = 0, []
    for _ in range(strip.size):
        state = (1664525 * state + 1013904223) % 2**32
        noise.append(state % 255)
    return (strip ^ (np.array(noise, np.uint8).reshape(strip.shape) & 0x0F)).astype(np.uint8)


def _no_embedding(name: str) -> JobError:
    return JobError("model_unsupported", f"The file '{name}' is no embedding that this engine knows.")
