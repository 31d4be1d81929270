"""DeepDanbooru, which describes a picture by tags: the network of the file `model-resnet_custom_v3.pt`.

A residual network whose convolutions are only numbered in the file (`n_Conv_0` …). Their shapes tell the rest: a block
is a convolution of one pixel, one of three and one of one, and where it makes the picture smaller, a convolution of one
pixel beside them, which has its number before them or, where it changes no width, behind them.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from PIL import Image

from worker.engines.diffusers.files import WeightFile, broken, missing
from worker.engines.diffusers.interrogating.options import InterrogateOptions
from worker.engines.diffusers.models import Placement
from worker.errors import JobError
from worker.pictures import fit

SIDE = 512
"""Pixels of its pictures' sides."""
FILL = 2
"""The WebUI's resize mode that keeps a picture's shape and fills what is left."""
RATING = "rating:"
_CONVOLUTION = re.compile(r"n_Conv_(\d+)\.weight")
_SPECIAL = re.compile(r"([\\()])")


@dataclass(frozen=True)
class Block:
    """A block of the network, by the numbers of its convolutions: the three in a row, and the one beside them (None
    where the block's input is added as it is). `stride` is how many times smaller it makes the picture."""

    three: tuple[int, int, int]
    beside: int | None
    stride: int


@dataclass(frozen=True)
class DeepBooru:
    """The network, ready to describe: its tags in their order, its convolutions by number, and its blocks."""

    tags: Sequence[str]
    weights: Mapping[int, tuple[torch.Tensor, torch.Tensor | None]]
    blocks: Sequence[Block]
    placed: Placement

    def probabilities(self, picture: Image.Image) -> dict[str, float]:
        """How probable each tag is for the picture (RGB), 0 to 1."""
        pixels = np.asarray(fit(picture, (SIDE, SIDE), FILL), dtype=np.float32) / 255
        rows = torch.from_numpy(pixels).permute(2, 0, 1).unsqueeze(0)
        scores = self.scores(rows.to(self.placed.device, self.placed.dtype))[0].float().tolist()
        return dict(zip(self.tags, scores, strict=True))

    @torch.no_grad()
    def scores(self, rows: torch.Tensor) -> torch.Tensor:
        """The probability of each tag, for pictures (n, 3, h, w; 0 to 1): (n, tags)."""
        rows = F.relu(self._convolved(F.pad(rows, (2, 3, 2, 3)), 0, 2))
        rows = F.max_pool2d(F.pad(rows, (0, 1, 0, 1), value=float("-inf")), 3, 2)
        for block in self.blocks:
            first, second, third = block.three
            inner = F.relu(self._convolved(rows, first))
            # A smaller picture is cut as TensorFlow does it, with the spare pixel at the right and at the bottom.
            edges = (1, 1, 1, 1) if block.stride == 1 else (0, 1, 0, 1)
            inner = F.relu(self._convolved(F.pad(inner, edges), second, block.stride))
            same = rows if block.beside is None else self._convolved(rows, block.beside, block.stride)
            rows = F.relu(self._convolved(inner, third) + same)
        return self._convolved(rows, len(self.weights) - 1).mean(dim=(2, 3)).sigmoid()

    def _convolved(self, rows: torch.Tensor, number: int, stride: int = 1) -> torch.Tensor:
        weight, bias = self.weights[number]
        return F.conv2d(rows, weight, bias, stride)


def is_deepbooru(weights: WeightFile) -> bool:
    """Whether the file is such a network."""
    return "n_Conv_0.weight" in weights.shapes


def read(weights: WeightFile, tags: Sequence[str], placed: Placement) -> DeepBooru:
    """The network in an open file, with its tags in their order.

    JobError `model_unreadable` for a file that lacks tensors, `model_unsupported` for tags of another network.
    """
    numbers = sorted(int(found[1]) for key in weights.shapes if (found := _CONVOLUTION.fullmatch(key)))
    if numbers != list(range(len(numbers))):
        gone = next(number for number in range(len(numbers)) if number not in numbers)
        raise missing(weights.name, [f"n_Conv_{gone}.weight"])
    try:
        plan = blocks([weights.shapes[f"n_Conv_{number}.weight"] for number in numbers])
    except (ValueError, IndexError) as error:
        raise broken(weights.name, error) from error
    known = weights.shapes[f"n_Conv_{numbers[-1]}.weight"][0]
    if known != len(tags):
        why = f"knows {known} tags, and there are the names of {len(tags)}: upload the list that belongs to it"
        raise JobError("model_unsupported", f"The file '{weights.name}' {why}.")

    def placed_tensor(name: str) -> torch.Tensor | None:
        return weights.read(name).to(placed.device, placed.dtype) if name in weights.shapes else None

    convolutions: dict[int, Any] = {
        number: (placed_tensor(f"n_Conv_{number}.weight"), placed_tensor(f"n_Conv_{number}.bias")) for number in numbers
    }
    return DeepBooru(tags, convolutions, plan, placed)


def blocks(shapes: Sequence[tuple[int, ...]]) -> list[Block]:
    """The blocks of a network, from the shapes of its convolutions (out, in, height, width) in their order. The first
    convolution and the last are no blocks. ValueError when they do not fit together."""
    found: list[Block] = []
    at, last = 1, len(shapes) - 1
    while at < last:
        before = _is_point(shapes[at + 1])
        first = at + 1 if before else at
        at = first + 3
        behind = not before and at + 1 < last and _is_point(shapes[at]) and _is_point(shapes[at + 1])
        # Of two points in a row, the first stands beside the block before it only if it changes no width.
        behind = behind and shapes[at][0] == shapes[at][1]
        beside = first - 1 if before else at if behind else None
        at += 1 if behind else 0
        three = (first, first + 1, first + 2)
        if [_is_point(shapes[number]) for number in three] != [True, False, True]:
            raise ValueError(f"the convolutions {three} are no block")
        found.append(Block(three, beside, 1 if beside is None or not found else 2))
    return found


def _is_point(shape: tuple[int, ...]) -> bool:
    """Whether a convolution looks at one pixel."""
    return tuple(shape[2:]) == (1, 1)


def description(probabilities: Mapping[str, float], options: InterrogateOptions) -> str:
    """The tags that are probable enough, as a prompt (the WebUI's modules/deepbooru.py)."""
    threshold = options.interrogate_deepbooru_score_threshold
    filtered = {tag.strip().replace(" ", "_") for tag in options.deepbooru_filter_tags.split(",")}
    kept = [
        tag
        for tag, share in probabilities.items()
        if share >= threshold and not tag.startswith(RATING) and tag not in filtered
    ]
    kept.sort(key=None if options.deepbooru_sort_alpha else lambda tag: -probabilities[tag])
    return ", ".join(_written(tag, probabilities[tag], options) for tag in kept)


def _written(tag: str, share: float, options: InterrogateOptions) -> str:
    text = tag.replace("_", " ") if options.deepbooru_use_spaces else tag
    text = _SPECIAL.sub(r"\\\1", text) if options.deepbooru_escape else text
    return f"({text}:{share:.3f})" if options.interrogate_return_ranks else text
