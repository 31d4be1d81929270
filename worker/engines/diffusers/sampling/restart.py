"""Restart (Xu et al., 2023): Heun's method that goes back up to more noise once or twice on its way."""

from itertools import pairwise

from torch import Tensor

from worker.engines.diffusers.sampling.euler import heun_step
from worker.engines.diffusers.sampling.noise import NoiseBetween
from worker.engines.diffusers.sampling.schedules import karras
from worker.engines.diffusers.sampling.stepping import Denoise, OnStep, ask

# Restarts begin at the level nearest to LOW and lead back to that nearest to HIGH.
LOW, HIGH = 0.1, 2.0


def restart(denoise: Denoise, x: Tensor, sigmas: Tensor, noise: NoiseBetween, on_step: OnStep) -> Tensor:
    """From 20 steps on some are spent on restarts, on a schedule of Karras; with fewer it is Heun."""
    last = None
    for number, (sigma, next_sigma) in enumerate(_pairs(sigmas)):
        if last is not None and last < sigma:
            x = x + noise(last, sigma) * (sigma**2 - last**2) ** 0.5
        clean = ask(denoise, x, sigma)
        on_step(number, clean)
        x = heun_step(denoise, x, sigma, next_sigma, clean)
        last = next_sigma
    return x


def _pairs(sigmas: Tensor) -> list[tuple[Tensor, Tensor]]:
    """The steps, each from one level to another; where a step starts above the end of the one before, it restarts."""
    steps = len(sigmas) - 1
    if steps < 20:
        return list(pairwise(sigmas))
    length, times = (9, 1) if steps < 36 else (steps // 4, 2)
    sigmas = karras(steps - length * times, float(sigmas[-2]), float(sigmas[0]))
    low, high = (int((sigmas - level).abs().argmin()) for level in (LOW, HIGH))
    down = list(pairwise(sigmas))
    if high >= low:
        return down
    again = karras(length + 1, float(sigmas[low]), float(sigmas[high]))[:-1]
    return [*down[:low], *(list(pairwise(again)) * times), *down[low:]]
