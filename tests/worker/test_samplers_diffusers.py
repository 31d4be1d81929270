"""Where diffusers has the same sampler on the same schedule, the two paint the same latents."""

from typing import Any

import pytest
import torch
from diffusers import (
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
    LMSDiscreteScheduler,
)

from tests.worker.toys import painted, sampling_of, wavy

MODEL = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "timestep_spacing": "linspace"}


def by_diffusers(scheduler: Any, noise: torch.Tensor, steps: int, *, unit_variance: bool = False) -> torch.Tensor:
    """What diffusers' scheduler makes of the noise with the model `wavy`, which it is told as predicted noise."""
    scheduler.set_timesteps(steps)
    x = noise if unit_variance else noise * scheduler.sigmas[0]
    for number, timestep in enumerate(scheduler.timesteps):
        sigma = scheduler.sigmas[number]
        noisy = x * (1 + sigma**2) ** 0.5 if unit_variance else x
        predicted = (noisy - wavy(noisy, sigma.expand(len(x)))) / sigma
        scheduler.scale_model_input(x, timestep)
        x = scheduler.step(predicted, timestep, x).prev_sample
    return x


@pytest.mark.parametrize(
    ("name", "scheduler", "theirs"),
    [
        ("Euler", "Uniform", EulerDiscreteScheduler(**MODEL)),
        ("Euler", "Karras", EulerDiscreteScheduler(**MODEL, use_karras_sigmas=True)),
        ("Euler", "Exponential", EulerDiscreteScheduler(**MODEL, use_exponential_sigmas=True)),
        ("Heun", "Uniform", HeunDiscreteScheduler(**MODEL)),
        ("Heun", "Karras", HeunDiscreteScheduler(**MODEL, use_karras_sigmas=True)),
        ("LMS", "Uniform", LMSDiscreteScheduler(**MODEL)),
        ("DPM++ 2M", "Karras", DPMSolverMultistepScheduler(**MODEL, use_karras_sigmas=True)),
        ("DPM++ 2M", "Exponential", DPMSolverMultistepScheduler(**MODEL, use_exponential_sigmas=True)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_it_paints_what_diffusers_paints(name: str, scheduler: Any, theirs: Any) -> None:
    _, noise = sampling_of(name, [3])
    # diffusers' DPM++ 2M counts on latents of unit variance, which is what the option is for.
    unit_variance = name == "DPM++ 2M"
    ours = painted(name, [3], 20, scheduler=scheduler, sgm_noise_multiplier=unit_variance)
    assert torch.allclose(ours, by_diffusers(theirs, noise, 20, unit_variance=unit_variance), atol=2e-4)
