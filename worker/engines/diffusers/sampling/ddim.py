"""DDIM (Song et al., 2020), DDIM CFG++ (Chung et al., 2024) and PLMS (Liu et al., 2022).

They go through whole timesteps, on latents of unit variance: sqrt(a) of the signal and sqrt(1 - a) of the noise, where
a is the model's `alphas_cumprod`.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from worker.engines.diffusers.sampling.levels import TIMESTEPS
from worker.engines.diffusers.sampling.noise import NoiseBetween
from worker.engines.diffusers.sampling.stepping import Denoise, OnStep, ask

DenoiseBoth = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""`denoise(x, sigma)`: the clean latents with the guidance applied, and those for the negative prompt alone."""


def timesteps_for(steps: int, *, discard: bool) -> Tensor:
    """The timesteps, from the lowest; as many as `steps` where 1000 can be divided by it, else more.

    `discard` is the option Discard penultimate sigma: one step more.
    """
    stride = max(TIMESTEPS // (steps + 1 if discard else steps), 1)
    return (torch.arange(0, TIMESTEPS, stride) + 1).clamp(max=TIMESTEPS - 1)


def ddim(
    denoise: Denoise,
    x: Tensor,
    timesteps: Tensor,
    alphas: Tensor,
    noise: NoiseBetween,
    on_step: OnStep,
    *,
    eta: float = 0.0,
) -> Tensor:
    """From the last of the rising timesteps to the first. `eta` 0 adds no noise, 1 as much as DDPM."""

    def both(x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        clean = denoise(x, sigma)
        return clean, clean

    return ddim_cfgpp(both, x, timesteps, alphas, noise, on_step, eta=eta)


def ddim_cfgpp(
    denoise: DenoiseBoth,
    x: Tensor,
    timesteps: Tensor,
    alphas: Tensor,
    noise: NoiseBetween,
    on_step: OnStep,
    *,
    eta: float = 0.0,
) -> Tensor:
    """DDIM whose noise is that of the negative prompt, so that the guidance does not lead away from the data.

    The WebUI divides the CFG scale by 12.5 for it (Sampler.guidance).
    """
    signal = alphas[timesteps].double().tolist()
    for number, index in enumerate(range(len(timesteps) - 1, 0, -1)):
        a, b = signal[index], signal[index - 1]
        sigma = ((1 - a) / a) ** 0.5
        level = torch.full((len(x),), sigma, device=x.device)
        noisy = x / a**0.5
        clean, without = denoise(noisy, level)
        on_step(number, clean)
        added = eta * ((1 - b) / (1 - a) * (1 - a / b)) ** 0.5
        # An eta far above 1 leaves no room for the direction: such a picture is none.
        left = 1 - b - added**2
        x = b**0.5 * clean + (left**0.5 if left >= 0 else math.nan) * (noisy - without) / sigma
        if eta:
            x = x + added * noise(torch.tensor(sigma), torch.tensor(((1 - b) / b) ** 0.5))
    return x


def plms(
    denoise: Denoise, x: Tensor, timesteps: Tensor, alphas: Tensor, noise: NoiseBetween, on_step: OnStep
) -> Tensor:
    """A linear multistep method of order 4 on the predicted noise. Adds no noise."""
    signal = alphas[timesteps].double().tolist()
    past: list[Tensor] = []
    for number, index in enumerate(range(len(timesteps) - 1, 0, -1)):
        a, b = signal[index], signal[index - 1]
        here = _predicted_noise(denoise, x, a)
        if not past:
            there = _predicted_noise(denoise, _moved(x, here, a, b), b)
            direction = (here + there) / 2
        else:
            terms = zip(ADAMS_BASHFORTH[len(past)], [here, *past], strict=True)
            direction = sum((weight * term for weight, term in terms), torch.zeros_like(x))
        on_step(number, (x - (1 - a) ** 0.5 * direction) / a**0.5)
        x = _moved(x, direction, a, b)
        past = [here, *past[:2]]
    return x


ADAMS_BASHFORTH = {
    1: (3 / 2, -1 / 2),
    2: (23 / 12, -16 / 12, 5 / 12),
    3: (55 / 24, -59 / 24, 37 / 24, -9 / 24),
}


def _predicted_noise(denoise: Denoise, x: Tensor, a: float) -> Tensor:
    noisy, sigma = x / a**0.5, ((1 - a) / a) ** 0.5
    return (noisy - ask(denoise, noisy, sigma)) / sigma


def _moved(x: Tensor, noise: Tensor, a: float, b: float) -> Tensor:
    """From signal share a to b, along the predicted noise."""
    return b**0.5 * (x - (1 - a) ** 0.5 * noise) / a**0.5 + (1 - b) ** 0.5 * noise
