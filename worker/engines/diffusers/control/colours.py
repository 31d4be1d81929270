"""Keeps the colours of a unit's picture, which a tile ControlNet takes freely: the preprocessors `tile_colorfix` and
`tile_colorfix+sharp`."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from worker.engines.diffusers.guidance import Told

SHARPENING = 0.01
"""What the unit's sharpness is multiplied with."""


@dataclass(frozen=True)
class ColourFix:
    """Gives clean latents the soft shades of others. `latents` (1, 4, h, w) are those of the unit's picture, `radius`
    says how soft, `weight` (0 to 1) how much. `sharpness` softens what is not wanted."""

    latents: Tensor
    radius: int
    weight: float
    sharpness: float

    def corrected(self, clean: Tensor, told: Told) -> Tensor:
        """See `guidance.Control`."""
        fixed = clean - softened(clean, self.radius) + softened(self.latents.to(clean), self.radius)
        if self.sharpness:
            unwanted = torch.zeros(len(clean), 1, 1, 1, device=clean.device)
            unwanted[told.wanted * told.pictures :] = self.sharpness * SHARPENING
            fixed = fixed + unwanted * (softened(fixed, self.radius) - fixed)
        return clean + self.weight * (fixed - clean)


def softened(latents: Tensor, radius: int) -> Tensor:
    """Each value becomes the mean of the square around it, which reaches so far; edges are drawn out."""
    padded = functional.pad(latents, (radius,) * 4, mode="replicate")
    return functional.avg_pool2d(padded, 2 * radius + 1, stride=1)
