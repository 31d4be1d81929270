"""The noise levels that a model was trained on, and the way between a level (sigma) and the model's timestep."""

from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from worker.engines.diffusers.sampling.names import Sampler

TIMESTEPS = 1000
LCM_LEVELS = 50
# A last level of exactly zero signal would be an infinite sigma.
LEAST_SIGNAL = 4.8973451890853435e-08


def alphas_cumprod(*, zero_terminal_snr: bool = False, downcast: bool = False) -> Tensor:
    """The share of the signal's variance at each of Stable Diffusion's 1000 timesteps, shape (1000,), float32.

    `zero_terminal_snr`: rescaled so that the last timestep is all noise (Lin et al., 2023), for models trained so.
    `downcast`: rounded to half precision, as WebUIs before 1.8 did.
    """
    betas = torch.linspace(0.00085**0.5, 0.0120**0.5, TIMESTEPS, dtype=torch.float64) ** 2
    alphas = (1 - betas).cumprod(0).float()
    if downcast:
        alphas = alphas.half().float()
    if zero_terminal_snr:
        root = alphas.sqrt()
        root = (root - root[-1]) * (root[0] / (root[0] - root[-1]))
        alphas = root**2
        alphas[-1] = LEAST_SIGNAL
    return alphas


@dataclass(frozen=True)
class Levels:
    """Rising noise levels: `sigmas[i]` belongs to the timestep `(i + 1) * stride - 1`. All are float32.

    With `rounded`, a sigma between two levels is given the timestep of the nearer one, else one in between.
    """

    sigmas: Tensor
    alphas_cumprod: Tensor
    stride: int = 1
    rounded: bool = False
    _logs: dict[torch.device, Tensor] = field(default_factory=dict, init=False, repr=False, compare=False)

    @cached_property
    def log_sigmas(self) -> Tensor:
        """The logarithm of each level."""
        return self.sigmas.log()

    @property
    def lowest(self) -> float:
        """The lowest level."""
        return float(self.sigmas[0])

    @property
    def highest(self) -> float:
        """The highest level."""
        return float(self.sigmas[-1])

    def timestep(self, sigma: Tensor) -> Tensor:
        """The timestep of each sigma, of the same shape and on the same device."""
        logs = self._logs.get(sigma.device)
        if logs is None:
            logs = self._logs[sigma.device] = self.log_sigmas.to(sigma.device)
        wanted = sigma.float().log()
        if self.rounded:
            index = (wanted[..., None] - logs).abs().argmin(-1).to(sigma.dtype)
        else:
            low = (torch.searchsorted(logs, wanted.contiguous(), right=True) - 1).clamp(0, len(logs) - 2)
            share = ((wanted - logs[low]) / (logs[low + 1] - logs[low])).clamp(0, 1)
            index = low + share
        return (index + 1) * self.stride - 1

    def sigma(self, timestep: Tensor) -> Tensor:
        """The sigma of each timestep; between two levels the logarithm is interpolated."""
        index = ((timestep.float() + 1) / self.stride - 1).clamp(0, len(self.sigmas) - 1)
        logs = self.log_sigmas
        share = index.frac()
        return ((1 - share) * logs[index.floor().long()] + share * logs[index.ceil().long()]).exp()


def levels_for(sampler: Sampler, alphas: Tensor, *, rounded: bool = False) -> Levels:
    """The levels that a sampler uses of a model with these `alphas_cumprod`.

    LCM knows 50 of the timesteps, and always rounds to one of them. `rounded` is the option `enable_quantization`,
    which samplers that go by timesteps ignore.
    """
    alphas = alphas.detach().to("cpu", torch.float32)
    sigmas = ((1 - alphas) / alphas) ** 0.5
    if sampler.name == "LCM":
        stride = len(sigmas) // LCM_LEVELS
        return Levels(sigmas[stride - 1 :: stride], alphas, stride, rounded=True)
    return Levels(sigmas, alphas, rounded=rounded and not sampler.timesteps)
