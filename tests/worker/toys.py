"""Models whose answers can be calculated, for tests of samplers."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from worker.engines.diffusers.sampling.levels import alphas_cumprod, levels_for
from worker.engines.diffusers.sampling.names import Sampler, resolve
from worker.engines.diffusers.sampling.noise import ImageNoise, NoiseSource
from worker.engines.diffusers.sampling.options import SamplingOptions
from worker.engines.diffusers.sampling.predicting import spread
from worker.engines.diffusers.sampling.run import Sampling, from_latent, from_noise

MEAN, DEVIATION = 0.5, 0.8
SHAPE = (4, 8, 8)
ALPHAS = alphas_cumprod()
CPU = NoiseSource("CPU", torch.device("cpu"))


def gaussian(x: Tensor, sigma: Tensor) -> Tensor:
    """The best answer if all clean latents are drawn from one normal distribution (MEAN, DEVIATION)."""
    level = spread(sigma, x)
    return (DEVIATION**2 * x + level**2 * MEAN) / (DEVIATION**2 + level**2)


def exact_end(x: Tensor, highest: float, lowest: float = 0.0) -> Tensor:
    """Where x at the level `highest` is led to when the steps are infinitely small and no noise is added."""
    scale = (DEVIATION**2 + lowest**2) ** 0.5 / (DEVIATION**2 + highest**2) ** 0.5
    return MEAN + (x - MEAN) * scale


def wavy(x: Tensor, sigma: Tensor) -> Tensor:
    """An answer that depends on the latents and the level in no simple way, pixel by pixel."""
    level = spread(sigma, x)
    scaled = x / (level**2 + 1) ** 0.5
    return 0.8 * torch.sin(2 * scaled + level.log() / 3) + 0.1 * scaled


def wavy_both(x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    """`wavy`, and another answer for the negative prompt."""
    return wavy(x, sigma), 0.9 * wavy(x, sigma)


def sampling_of(
    name: str,
    seeds: list[int],
    *,
    scheduler: str | None = None,
    denoise: Callable[[Tensor, Tensor], Tensor] = wavy,
    shape: tuple[int, int, int] = SHAPE,
    alphas: Tensor = ALPHAS,
    **options: Any,
) -> tuple[Sampling, Tensor]:
    """A sampling by a sampler's name, and the first noise of its batch. `options` are SamplingOptions."""
    sampler, schedule = resolve(name, scheduler)
    noise = ImageNoise(shape, seeds, CPU, delta=options.get("eta_noise_seed_delta", 0))

    def both(x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        return wavy_both(x, sigma) if denoise is wavy else (denoise(x, sigma),) * 2

    sampling = Sampling(
        sampler=sampler,
        scheduler=schedule,
        levels=levels_for(sampler, alphas),
        options=SamplingOptions(**options),
        noise=noise,
        denoise=denoise,
        denoise_both=both,
    )
    return sampling, noise.first()


def painted(name: str, seeds: list[int], steps: int, **settings: Any) -> Tensor:
    """The latents that a sampler paints from noise."""
    sampling, noise = sampling_of(name, seeds, **settings)
    return from_noise(sampling, noise, steps)


def painted_over(name: str, seeds: list[int], steps: int, strength: float, **settings: Any) -> Tensor:
    """The latents that a sampler paints over a ramp from -1 to 1, the same for each picture."""
    sampling, noise = sampling_of(name, seeds, **settings)
    return from_latent(sampling, ramp(noise), noise, steps, strength)


def ramp(like: Tensor) -> Tensor:
    """A ramp from -1 to 1 over each picture."""
    return torch.linspace(-1, 1, like[0].numel()).reshape(like[0].shape).expand_as(like)


def end_level(sampler: Sampler) -> float:
    """The noise that is left in the end: samplers that go by timesteps stop at the model's lowest levels."""
    sigmas = levels_for(sampler, ALPHAS).sigmas
    return {True: float(sigmas[0 if sampler.name == "UniPC" else 1]), False: 0.0}[sampler.timesteps]
