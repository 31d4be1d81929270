"""Only what is masked is repainted, by the rule of the sampler."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.worker.toys import gaussian, ramp, sampling_of, wavy
from worker.engines.diffusers.sampling.masking import masked
from worker.engines.diffusers.sampling.names import resolve
from worker.engines.diffusers.sampling.run import from_latent


@pytest.mark.parametrize("name", ["Euler", "DPM++ 2M SDE", "DDIM", "PLMS", "UniPC"])
def test_only_what_is_masked_is_repainted(name: str) -> None:
    sampling, noise = sampling_of(name, [3], denoise=gaussian)
    kept = ramp(noise)
    repaint = torch.zeros_like(kept)
    repaint[..., 4:] = 1
    denoise = masked(gaussian, sampling.sampler, kept, repaint)
    ended = from_latent(replace(sampling, denoise=denoise), kept, noise, 20, 0.7)
    free = from_latent(sampling_of(name, [3], denoise=gaussian)[0], kept, noise, 20, 0.7)
    # Pixels of this model do not know of each other: what is repainted is as without a mask.
    assert torch.allclose(ended[..., 4:], free[..., 4:], atol=1e-5)
    if not sampling.sampler.timesteps:
        assert torch.allclose(ended[..., :4], kept[..., :4], atol=1e-4)


def test_ddim_shows_the_model_the_kept_latents_without_noise() -> None:
    shown = []

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        shown.append(x / (1 + sigma[0] ** 2) ** 0.5)
        return gaussian(x, sigma)

    sampling, noise = sampling_of("DDIM", [3], denoise=denoise)
    kept = ramp(noise)
    keeping = masked(denoise, sampling.sampler, kept, torch.zeros_like(kept))
    from_latent(replace(sampling, denoise=keeping), kept, noise, 10, 0.7)
    assert all(torch.allclose(latents, kept, atol=1e-5) for latents in shown)


def test_a_sampler_by_timesteps_takes_the_noise_that_the_model_finds_in_what_it_is_shown() -> None:
    x, sigma, kept = torch.full((1, 4, 8, 8), 3.0), torch.tensor([2.0]), torch.full((1, 4, 8, 8), 0.5)
    nothing = torch.zeros_like(x)
    shown = kept * 5**0.5
    found = x - masked(wavy, resolve("DDIM")[0], kept, nothing)(x, sigma)
    assert torch.allclose(found, shown - wavy(shown, sigma))
    assert torch.equal(masked(wavy, resolve("Euler")[0], kept, nothing)(x, sigma), kept)
