"""What most samplers need: the direction of a step, the noise of an ancestral one, and how progress is told."""

from collections.abc import Callable

import torch
from torch import Tensor

from worker.engines.diffusers.sampling.predicting import spread

Denoise = Callable[[Tensor, Tensor], Tensor]
"""`denoise(x, sigma) -> x0`; see the package."""
OnStep = Callable[[int, Tensor], None]
"""Called once a step with its number from 0 and the clean latents that the model sees; what it raises ends it all."""


def ask(denoise: Denoise, x: Tensor, sigma: Tensor | float) -> Tensor:
    """The clean latents at one sigma for the whole batch."""
    if x.is_cuda and not (isinstance(sigma, Tensor) and sigma.is_cuda):
        # A copy to the GPU would wait until it has done all that it was given.
        return denoise(x, torch.full((len(x),), float(sigma), dtype=torch.float32, device=x.device))
    return denoise(x, torch.as_tensor(sigma, dtype=torch.float32).to(x.device).expand(len(x)))


def slope(x: Tensor, sigma: Tensor, clean: Tensor) -> Tensor:
    """How x changes with sigma on its way to the clean latents: dx/dsigma of Karras et al. (2022)."""
    return (x - clean) / (spread(sigma, x) if sigma.ndim else sigma)


def ancestral(sigma: Tensor, next_sigma: Tensor, eta: float) -> tuple[Tensor, Tensor]:
    """A step from one level to another that adds noise: the level to go down to, and how much noise leads back up."""
    if not eta:
        return next_sigma, torch.zeros_like(next_sigma)
    variance = next_sigma**2 * (sigma**2 - next_sigma**2) / sigma**2
    up = torch.minimum(next_sigma, eta * variance**0.5)
    return (next_sigma**2 - up**2) ** 0.5, up


def to_log(sigma: Tensor) -> Tensor:
    """The time in which DPM-Solver counts: minus the logarithm of sigma, which grows as the noise falls."""
    return -sigma.log()


def from_log(time: Tensor) -> Tensor:
    """The sigma at a time of DPM-Solver."""
    return (-time).exp()
