"""DPM-Solver++ (Lu et al., 2022): 2M, and 2S a with noise."""

from torch import Tensor

from worker.engines.diffusers.sampling.noise import NoiseBetween
from worker.engines.diffusers.sampling.stepping import Denoise, OnStep, ancestral, ask, from_log, slope, to_log


def dpmpp_2m(denoise: Denoise, x: Tensor, sigmas: Tensor, noise: NoiseBetween, on_step: OnStep) -> Tensor:
    """Two steps at a time: the clean latents are extrapolated from this step and the one before. Adds no noise."""
    times = to_log(sigmas)
    before: Tensor | None = None
    for step in range(len(sigmas) - 1):
        clean = ask(denoise, x, sigmas[step])
        on_step(step, clean)
        length = times[step + 1] - times[step]
        aim = clean
        if before is not None and sigmas[step + 1] > 0:
            weight = length / (2 * (times[step] - times[step - 1]))
            aim = (1 + weight) * clean - weight * before
        x = sigmas[step + 1] / sigmas[step] * x - (-length).expm1() * aim
        before = clean
    return x


def dpmpp_2s_ancestral(
    denoise: Denoise,
    x: Tensor,
    sigmas: Tensor,
    noise: NoiseBetween,
    on_step: OnStep,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
) -> Tensor:
    """Asks the model in the middle of each step, goes to a lower level than the next, and adds noise to get there."""
    for step in range(len(sigmas) - 1):
        sigma, next_sigma = sigmas[step], sigmas[step + 1]
        clean = ask(denoise, x, sigma)
        on_step(step, clean)
        down, up = ancestral(sigma, next_sigma, eta)
        if down == 0:
            x = x + slope(x, sigma, clean) * (down - sigma)
        else:
            length = to_log(down) - to_log(sigma)
            middle = from_log(to_log(sigma) + length / 2)
            halfway = middle / sigma * x - (-length / 2).expm1() * clean
            x = down / sigma * x - (-length).expm1() * ask(denoise, halfway, middle)
        if next_sigma > 0:
            x = x + noise(sigma, next_sigma) * s_noise * up
    return x
