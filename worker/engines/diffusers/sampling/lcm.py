"""LCM: sampling of latent consistency models (Luo et al., 2023)."""

from torch import Tensor

from worker.engines.diffusers.sampling.noise import NoiseBetween
from worker.engines.diffusers.sampling.stepping import Denoise, OnStep, ask


def lcm(denoise: Denoise, x: Tensor, sigmas: Tensor, noise: NoiseBetween, on_step: OnStep) -> Tensor:
    """Takes the model's answer as it is, and adds the next level's noise to it."""
    for step in range(len(sigmas) - 1):
        x = ask(denoise, x, sigmas[step])
        on_step(step, x)
        if sigmas[step + 1] > 0:
            x = x + sigmas[step + 1] * noise(sigmas[step], sigmas[step + 1])
    return x
