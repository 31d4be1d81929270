"""Samplers and schedules are found by the WebUI's names, in an environment without torch, or refused by name."""

import subprocess
import sys
from typing import Any

import pytest

from darkroom.webui import samplers
from local.home import ROOT
from worker.engines.diffusers.sampling.names import SAMPLERS, SCHEDULERS, resolve, scheduler_of
from worker.engines.diffusers.sampling.options import SamplingOptions, options_of
from worker.engines.diffusers.sampling.steps import Steps, steps_from_latent
from worker.errors import JobError

LISTED_SAMPLERS = (
    "DPM++ 2M, DPM++ SDE, DPM++ 2M SDE, DPM++ 2M SDE Heun, DPM++ 2S a, DPM++ 3M SDE, Euler a, Euler, LMS, Heun, DPM2, "
    "DPM2 a, DPM fast, DPM adaptive, Restart, DDIM, DDIM CFG++, PLMS, UniPC, LCM"
)
LISTED_SCHEDULERS = (
    "Automatic, Uniform, Karras, Exponential, Polyexponential, SGM Uniform, KL Optimal, Align Your Steps, Simple, "
    "Normal, DDIM, Beta"
)


def test_all_samplers_and_schedules_of_the_webui_are_there_in_its_order() -> None:
    assert ", ".join(sampler.name for sampler in SAMPLERS) == LISTED_SAMPLERS
    assert ", ".join(scheduler.label for scheduler in SCHEDULERS) == LISTED_SCHEDULERS


def test_names_are_found_without_torch() -> None:
    code = (
        "import sys; from worker.engines.diffusers.sampling import names, options, steps; print('torch' in sys.modules)"
    )
    path = f"{ROOT}:{ROOT}/shared"
    ran = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": path}
    )
    assert ran.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("sampler", "scheduler", "means"),
    [
        ("DPM++ 2M", None, ("DPM++ 2M", "Karras")),
        ("DPM++ 2M", "Automatic", ("DPM++ 2M", "Karras")),
        ("DPM++ 2M Karras", None, ("DPM++ 2M", "Karras")),
        ("DPM++ 2M SDE Heun Exponential", None, ("DPM++ 2M SDE Heun", "Exponential")),
        ("DPM++ 2M SDE", "", ("DPM++ 2M SDE", "Exponential")),
        ("DPM++ 3M SDE Karras", "Automatic", ("DPM++ 3M SDE", "Karras")),
        ("DPM++ 2M Karras", "Beta", ("DPM++ 2M", "Beta")),
        ("LMS Karras", None, ("LMS", "Karras")),
        ("Euler a", "sgm_uniform", ("Euler a", "SGM Uniform")),
        ("Euler a", "SGMUniform", ("Euler a", "SGM Uniform")),
        ("Euler SGM Uniform", None, ("Euler", "SGM Uniform")),
        ("DDIM", None, ("DDIM", "Uniform")),
        ("Euler DDIM", None, ("Euler", "DDIM")),
        ("DPM2", None, ("DPM2", "Karras")),
        ("Restart", None, ("Restart", "Karras")),
        ("k_dpmpp_2s_a_ka", None, ("DPM++ 2S a", "Karras")),
        ("k_dpmpp_3m_sde_exp", None, ("DPM++ 3M SDE", "Exponential")),
        ("euler A", "KARRAS", ("Euler a", "Karras")),
        (None, None, ("Euler", "Uniform")),
        ("", None, ("Euler", "Uniform")),
    ],
)
def test_what_a_body_names_is_found(sampler: Any, scheduler: str | None, means: tuple[str, str]) -> None:
    found, schedule = resolve(sampler, scheduler)
    assert (found.name, schedule.label) == means


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: sampler.name)
def test_each_sampler_is_found_by_all_its_names_and_with_each_schedule(sampler: Any) -> None:
    [aliases] = [each.aliases for each in samplers.SAMPLERS if each.name == sampler.name]
    for name in (sampler.name, sampler.name.upper(), *aliases):
        assert resolve(name)[0] is sampler
        for scheduler in SCHEDULERS[1:]:
            assert resolve(f"{name} {scheduler.label}") == (sampler, scheduler)
            assert resolve(name, scheduler.name) == (sampler, scheduler)


@pytest.mark.parametrize("name", ["HeunPP2", "DDPM", "Eulera", "Karras", "DPM++ 2M Turbo", "Euler a a"])
def test_an_unknown_sampler_is_refused_by_name_and_never_replaced(name: str) -> None:
    with pytest.raises(JobError, match="no sampler") as refused:
        resolve(name)
    assert refused.value.code == "parameter_invalid"
    assert repr(name) in refused.value.message
    assert "DPM++ 2M SDE Heun" in refused.value.message


@pytest.mark.parametrize("name", ["Turbo", "AYS GITS", "Karas"])
def test_an_unknown_schedule_is_refused_by_name_and_never_replaced(name: str) -> None:
    with pytest.raises(JobError, match=f"no schedule '{name}'"):
        resolve("Euler", name)
    with pytest.raises(JobError, match="Align Your Steps"):
        scheduler_of(name)


def test_a_second_order_sampler_asks_the_model_twice_a_step() -> None:
    assert resolve("Heun")[0].calls(20) == 40
    assert resolve("DPM++ 2M")[0].calls(20) == 20


def test_options_have_the_webuis_defaults() -> None:
    assert options_of({}) == SamplingOptions()
    assert (SamplingOptions().eta_ancestral, SamplingOptions().eta_ddim, SamplingOptions().randn_source) == (
        1,
        0,
        "GPU",
    )


def test_a_bodys_eta_comes_before_the_options() -> None:
    options = options_of({"eta": 0.3, "override_settings": {"eta_ancestral": 0.9, "eta_noise_seed_delta": 31337}})
    assert (options.eta_ancestral, options.eta_ddim, options.eta_noise_seed_delta) == (0.3, 0.3, 31337)
    assert options_of({"eta": 0}).eta_ancestral == 0


def test_a_sigma_option_that_was_changed_comes_before_the_bodys_field() -> None:
    assert options_of({"s_churn": 3.0}).s_churn == 3
    assert options_of({"s_churn": 3.0, "override_settings": {"s_churn": 5.0}}).s_churn == 5
    assert options_of({"s_noise": 1.01, "override_settings": {"s_noise": 1.0}}).s_noise == 1.01


def test_an_impossible_option_is_refused_by_name() -> None:
    with pytest.raises(JobError, match="uni_pc_variant"):
        options_of({"override_settings": {"uni_pc_variant": "bh3"}})
    with pytest.raises(JobError, match="randn_source"):
        options_of({"override_settings": {"randn_source": "dice"}})


def test_early_steps_and_low_noise_may_skip_the_negative_prompt() -> None:
    early = SamplingOptions(skip_early_cond=0.2)
    assert [early.skips_uncond(call, 10, 5.0) for call in range(4)] == [True, True, True, False]
    low = SamplingOptions(s_min_uncond=1.0)
    assert [low.skips_uncond(call, 10, 0.5) for call in range(4)] == [False, True, False, True]
    assert not low.skips_uncond(1, 10, 1.5)
    everywhere = SamplingOptions(s_min_uncond=1.0, s_min_uncond_all=True)
    assert everywhere.skips_uncond(0, 10, 0.5)
    assert not SamplingOptions().skips_uncond(1, 10, 0.0)


@pytest.mark.parametrize(
    ("steps", "strength", "exact", "planned"),
    [
        (20, 0.75, False, Steps(20, 15)),
        (20, 1.0, False, Steps(20, 19)),
        (20, 0.0, False, Steps(20, 0)),
        (20, 0.75, True, Steps(26, 19)),
        (20, 1.0, True, Steps(20, 19)),
        (20, 0.0, True, Steps(0, 19)),
    ],
)
def test_img2img_does_a_share_of_the_steps_or_all_on_a_longer_schedule(
    steps: int, strength: float, exact: bool, planned: Steps
) -> None:
    assert steps_from_latent(steps, strength, exact=exact) == planned
