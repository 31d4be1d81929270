"""The noise of a batch: each picture has generators of its own, so that it looks the same alone and in any batch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from worker.engines.diffusers.sampling.brownian import BrownianTree
from worker.engines.diffusers.sampling.philox import PhiloxGenerator

Shape = tuple[int, int, int]
"""Channels, height and width of one picture's latents."""
NoiseBetween = Callable[[Tensor, Tensor], Tensor]
"""`noise(sigma, next_sigma)`: standard normal noise for a batch, for the step between two levels."""


class Generator(Protocol):
    """Draws standard normal numbers, tensor after tensor."""

    def randn(self, shape: tuple[int, ...]) -> Tensor:
        """The next tensor of this shape, float32."""


class TorchGenerator:
    """torch's own generator of one device."""

    def __init__(self, seed: int, device: torch.device) -> None:
        self._generator = torch.Generator(device).manual_seed(seed)

    def randn(self, shape: tuple[int, ...]) -> Tensor:
        """See Generator."""
        return torch.randn(shape, generator=self._generator, device=self._generator.device)


@dataclass(frozen=True)
class NoiseSource:
    """Where noise comes from (the option `randn_source`), and the device it is wanted on.

    `CPU` is torch's generator of the processor, `NV` and `GPU` that of a graphics card. `NV` calculates its numbers
    anywhere; `GPU` asks the card, and without one calculates them, too: the WebUI's default must not give another
    picture where there is no card.
    """

    kind: Literal["GPU", "CPU", "NV"]
    device: torch.device

    def generator(self, seed: int) -> Generator:
        """A new generator with this seed."""
        if self.kind == "CPU":
            return TorchGenerator(seed, torch.device("cpu"))
        if self.kind == "GPU" and self.device.type == "cuda":
            return TorchGenerator(seed, self.device)
        return PhiloxGenerator(seed)

    def randn(self, seed: int, shape: Shape) -> Tensor:
        """The first tensor of a new generator with this seed, on the device."""
        return self.generator(seed).randn(shape).to(self.device)


@dataclass(frozen=True)
class Variation:
    """Another noise that is blended in by `strength` (0 to 1), from one subseed for each picture."""

    subseeds: Sequence[int]
    strength: float


class ImageNoise:
    """The noise of one batch.

    `seeds` has one seed for each picture. `resize_from` is the size in pixels (width, height) whose noise is put into
    the middle, none below 1. `delta` (ENSD) is added to the seeds of all noise but the first.
    """

    def __init__(
        self,
        shape: Shape,
        seeds: Sequence[int],
        source: NoiseSource,
        *,
        variation: Variation | None = None,
        resize_from: tuple[int, int] = (0, 0),
        delta: int = 0,
    ) -> None:
        self._shape = shape
        self._seeds = tuple(seeds)
        self._source = source
        self._variation = variation if variation and variation.strength else None
        width, height = resize_from
        self._first_shape = (shape[0], height // 8, width // 8) if width > 0 and height > 0 else shape
        self._delta = delta
        self._generators = [source.generator(seed) for seed in self._seeds]

    def first(self) -> Tensor:
        """The noise that the pictures start from, shape (B, C, H, W). To be asked for once, before `next`."""
        noise = torch.stack([self._first_of(number, seed) for number, seed in enumerate(self._seeds)])
        if self._delta:
            self._generators = [self._source.generator(seed + self._delta) for seed in self._seeds]
        return noise

    def next(self) -> Tensor:
        """More noise for each picture of the batch, shape (B, C, H, W)."""
        return torch.stack([self.next_of(number) for number in range(len(self._seeds))])

    def next_of(self, number: int) -> Tensor:
        """More noise for one picture of the batch, shape (C, H, W)."""
        return self._generators[number].randn(self._shape).to(self._source.device)

    def between(self, _sigma: Tensor, _next_sigma: Tensor) -> Tensor:
        """The same as `next`, for samplers that do not care which levels the noise is for."""
        return self.next()

    def brownian(self, lowest: float, highest: float) -> NoiseBetween:
        """Noise from one Brownian path for each picture, which runs over the levels from `lowest` to `highest`."""

        def draw(seed: int) -> Tensor:
            return self._source.randn(seed, self._shape)

        trees = [BrownianTree(draw, lowest, highest, seed) for seed in self._seeds]

        def between(sigma: Tensor, next_sigma: Tensor) -> Tensor:
            low, high = sorted((float(sigma), float(next_sigma)))
            moved = torch.stack([tree.between(low, high) for tree in trees])
            # The path runs upwards, and a sampler goes down it.
            return (-moved if next_sigma < sigma else moved) / (next_sigma - sigma).abs().sqrt()

        return between

    def _first_of(self, number: int, seed: int) -> Tensor:
        resized = self._first_shape != self._shape
        own = self._generators[number]
        noise = self._source.generator(seed).randn(self._first_shape) if resized else own.randn(self._shape)
        noise = noise.to(self._source.device)
        if self._variation:
            subseeds = self._variation.subseeds
            subseed = subseeds[number] if number < len(subseeds) else 0
            noise = slerp(self._variation.strength, noise, self._source.randn(subseed, self._first_shape))
        return _middle(noise, own.randn(self._shape).to(self._source.device)) if resized else noise


def slerp(share: float, low: Tensor, high: Tensor) -> Tensor:
    """Between two noises (C, H, W), by the angle between their columns; `share` 0 is all `low`, 1 all `high`."""
    dot = (low / low.norm(dim=1, keepdim=True) * (high / high.norm(dim=1, keepdim=True))).sum(1)
    if dot.mean() > 0.9995:
        # Almost the same noise; the WebUI weighs the two the other way round here, which nobody can see.
        return low * share + high * (1 - share)
    angle = torch.acos(dot)
    whole = torch.sin(angle)
    parts = torch.sin((1.0 - share) * angle) / whole, torch.sin(share * angle) / whole
    return parts[0].unsqueeze(1) * low + parts[1].unsqueeze(1) * high


def _middle(small: Tensor, canvas: Tensor) -> Tensor:
    """Puts `small` into the middle of `canvas`, both (C, H, W); what is larger than the canvas is cut off."""
    dx, dy = (canvas.shape[2] - small.shape[2]) // 2, (canvas.shape[1] - small.shape[1]) // 2
    width = small.shape[2] if dx >= 0 else small.shape[2] + 2 * dx
    height = small.shape[1] if dy >= 0 else small.shape[1] + 2 * dy
    to_x, to_y, from_x, from_y = max(dx, 0), max(dy, 0), max(-dx, 0), max(-dy, 0)
    canvas[:, to_y : to_y + height, to_x : to_x + width] = small[:, from_y : from_y + height, from_x : from_x + width]
    return canvas
