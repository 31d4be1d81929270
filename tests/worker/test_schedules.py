"""The schedules have the WebUI's levels, and a UNet is asked at the right timestep whatever it predicts."""

from typing import Any

import numpy as np
import pytest
import torch

from tests.worker.toys import ALPHAS, gaussian
from worker.engines.diffusers.sampling.ddim import timesteps_for
from worker.engines.diffusers.sampling.levels import alphas_cumprod, levels_for
from worker.engines.diffusers.sampling.names import SCHEDULERS, resolve, scheduler_of
from worker.engines.diffusers.sampling.options import SamplingOptions
from worker.engines.diffusers.sampling.predicting import Prediction, predictor, spread
from worker.engines.diffusers.sampling.schedules import SCHEDULES, karras, sigmas_for

EULER, LCM = resolve("Euler")[0], resolve("LCM")[0]
LEVELS = levels_for(EULER, ALPHAS)
LABELS = [scheduler.label for scheduler in SCHEDULERS[1:]]


def sigmas(
    label: str, steps: int, *, sampler: Any = EULER, levels: Any = LEVELS, sdxl: Any = False, **options: Any
) -> Any:
    return sigmas_for(sampler, scheduler_of(label), steps, levels, SamplingOptions(**options), sdxl=sdxl)


# Five steps from 14.6146 to 0.0292, made once and compared with k-diffusion and the formulas of the papers.
FIVE_STEPS = {
    "Uniform": [14.6146, 4.0861, 1.6156, 0.6951, 0.0292, 0.0],
    "Karras": [14.6146, 4.7965, 1.2741, 0.248, 0.0292, 0.0],
    "Exponential": [14.6146, 3.089, 0.6529, 0.138, 0.0292, 0.0],
    "Polyexponential": [14.6146, 3.089, 0.6529, 0.138, 0.0292, 0.0],
    "SGM Uniform": [14.6146, 5.0924, 2.2797, 1.1629, 0.5712, 0.0],
    "KL Optimal": [14.6146, 2.6329, 1.2948, 0.7116, 0.3356, 0.0292],
    "Align Your Steps": [14.615, 3.2269, 1.396, 0.51, 0.029, 0.0],
    "Simple": [14.6146, 5.0878, 2.2765, 1.1606, 0.5693, 0.0],
    "Normal": [14.6146, 4.0861, 1.6156, 0.6951, 0.0292, 0.0],
    "DDIM": [5.1344, 2.2929, 1.1682, 0.5741, 0.0413, 0.0],
    "Beta": [14.6146, 12.0523, 7.3219, 2.5915, 0.0292, 0.0],
}


def test_every_schedule_but_automatic_is_there() -> None:
    assert set(SCHEDULES) == set(LABELS)


@pytest.mark.parametrize("label", LABELS)
def test_a_schedule_has_these_levels(label: str) -> None:
    assert sigmas(label, 5).tolist() == pytest.approx(FIVE_STEPS[label], abs=2e-4)


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("steps", [1, 2, 10, 11, 20, 100])
def test_a_schedule_falls_and_has_a_level_for_each_step(label: str, steps: int) -> None:
    levels = sigmas(label, steps)
    # DDIM's is longer where the steps do not divide a thousand.
    assert len(levels) == steps + 1 or (label == "DDIM" and 1000 % steps)
    assert levels.dtype == torch.float32
    assert (levels.diff() < 0).all()
    assert levels[-1] == (0 if label != "KL Optimal" else pytest.approx(LEVELS.lowest))


@pytest.mark.parametrize("label", LABELS)
def test_the_penultimate_level_is_dropped_from_a_schedule_that_is_one_longer(label: str) -> None:
    longer = sigmas(label, 11)
    expected = torch.cat([longer[:-2], longer[-1:]])
    assert torch.equal(sigmas(label, 10, always_discard_next_to_last_sigma=True), expected)
    for name in ("DPM2", "DPM2 a", "DPM++ 3M SDE"):
        assert torch.equal(sigmas(label, 10, sampler=resolve(name)[0]), expected)


def test_steps_that_do_not_divide_a_thousand_make_ddims_schedule_longer() -> None:
    assert len(sigmas("DDIM", 30)) == 32
    assert timesteps_for(20, discard=False).tolist() == list(range(1, 1000, 50))
    assert len(timesteps_for(30, discard=False)) == 31
    assert timesteps_for(1000, discard=False)[-1] == 999
    assert len(timesteps_for(20, discard=True)) == len(range(0, 1000, 47))


def test_options_change_the_range_and_the_exponent() -> None:
    assert sigmas("Karras", 10, sigma_min=0.1, sigma_max=8.0)[[0, -2]].tolist() == pytest.approx([8, 0.1])
    assert torch.allclose(sigmas("Karras", 10, rho=5.0), karras(10, LEVELS.lowest, LEVELS.highest, 5.0))
    old = sigmas("Karras", 10, use_old_karras_scheduler_sigmas=True)
    assert old[[0, -2]].tolist() == pytest.approx([10, 0.1])
    assert not torch.allclose(sigmas("Polyexponential", 10, rho=2.0), sigmas("Polyexponential", 10))
    assert torch.equal(sigmas("Exponential", 10, rho=2.0), sigmas("Exponential", 10))
    assert not torch.allclose(sigmas("Beta", 10, beta_dist_alpha=0.9), sigmas("Beta", 10))


def test_align_your_steps_has_the_published_levels_of_each_family() -> None:
    assert sigmas("Align Your Steps", 11).tolist()[:3] == pytest.approx([14.615, 6.475, 3.861])
    assert sigmas("Align Your Steps", 11, sdxl=True).tolist()[:3] == pytest.approx([14.615, 6.315, 3.771])


def test_the_levels_are_those_of_stable_diffusion() -> None:
    assert [LEVELS.lowest, LEVELS.highest] == pytest.approx([0.029168, 14.614642], abs=1e-5)
    assert alphas_cumprod()[[0, 499, 999]].tolist() == pytest.approx([0.99915, 0.2777, 0.0046602], rel=1e-3)


def test_a_timestep_leads_to_a_sigma_and_back() -> None:
    timesteps = torch.tensor([0.0, 1.0, 500.0, 500.25, 998.5, 999.0])
    assert LEVELS.timestep(LEVELS.sigma(timesteps)).tolist() == pytest.approx(timesteps.tolist(), abs=2e-3)
    outside = torch.tensor([0.001, 100.0])
    assert LEVELS.timestep(outside).tolist() == [0, 999]


def test_quantization_rounds_to_a_whole_timestep_but_not_for_samplers_that_go_by_timesteps() -> None:
    rounded = levels_for(EULER, ALPHAS, rounded=True)
    assert rounded.timestep(LEVELS.sigma(torch.tensor([500.25, 700.75]))).tolist() == [500, 701]
    assert not levels_for(resolve("UniPC")[0], ALPHAS, rounded=True).rounded


def test_lcm_knows_fifty_timesteps() -> None:
    levels = levels_for(LCM, ALPHAS)
    assert len(levels.sigmas) == 50
    asked = levels.timestep(sigmas("Uniform", 8, sampler=LCM, levels=levels)[:-1])
    assert asked[[0, -1]].tolist() == [999, 19]
    assert {int(timestep) % 20 for timestep in asked} == {19}


def test_zero_terminal_snr_leaves_no_signal_at_the_last_timestep() -> None:
    levels = levels_for(EULER, alphas_cumprod(zero_terminal_snr=True))
    assert levels.highest == pytest.approx(4518.76, rel=1e-3)
    assert levels.lowest == pytest.approx(LEVELS.lowest, rel=1e-4)
    assert (levels.sigmas.diff() > 0).all()


def test_downcast_rounds_to_half_precision() -> None:
    assert torch.equal(alphas_cumprod(downcast=True), ALPHAS.half().float())


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("name", ["Euler", "UniPC"])
def test_what_a_unet_predicts_becomes_the_clean_latents(prediction: Prediction, name: str) -> None:
    x = torch.randn((2, 4, 8, 8), generator=torch.Generator().manual_seed(1)) * 5
    sigma = LEVELS.sigma(torch.tensor([100.0, 800.0]))
    clean = gaussian(x, sigma)
    seen: dict[str, Any] = {}

    def unet(scaled: Any, timestep: Any, cond: Any) -> Any:
        seen.update(scaled=scaled, timestep=timestep, cond=cond)
        level = spread(sigma, x)
        noise = (x - clean) / level
        return noise if prediction == "epsilon" else (noise - level * clean) / (level**2 + 1) ** 0.5

    predict = predictor(unet, levels_for(resolve(name)[0], ALPHAS), resolve(name)[0], prediction)
    assert torch.allclose(predict(x, sigma, "a cat"), clean, atol=1e-4)
    assert seen["timestep"].tolist() == pytest.approx([100, 800], abs=1e-2)
    assert seen["cond"] == "a cat"
    assert torch.allclose(seen["scaled"], x / (spread(sigma, x) ** 2 + 1) ** 0.5)


def test_a_consistency_model_hands_its_input_through_at_timestep_zero_only() -> None:
    levels = levels_for(LCM, ALPHAS)
    predict = predictor(lambda x, t, c: torch.zeros_like(x), levels, LCM, "epsilon")
    x = torch.ones((1, 4, 2, 2))
    # The unet finds no noise, so input and clean latents are the same, and each share of them makes 1 in all but c_out.
    timestep = 19 * 10
    expected = timestep / np.hypot(timestep, 0.5) + 0.25 / (timestep**2 + 0.25)
    assert float(predict(x, levels.sigmas[:1], None)[0, 0, 0, 0]) == pytest.approx(expected, abs=1e-6)
