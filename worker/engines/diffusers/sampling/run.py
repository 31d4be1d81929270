"""Runs a sampler from noise (txt2img) or from latents (img2img, hires pass), as the WebUI does."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from worker.engines.diffusers.sampling import ddim, dpm, dpmpp, euler, lcm, lms, restart, sde, unipc
from worker.engines.diffusers.sampling.levels import TIMESTEPS, Levels
from worker.engines.diffusers.sampling.names import Sampler, Scheduler
from worker.engines.diffusers.sampling.noise import ImageNoise, NoiseBetween
from worker.engines.diffusers.sampling.options import SamplingOptions
from worker.engines.diffusers.sampling.schedules import sigmas_for
from worker.engines.diffusers.sampling.stepping import Denoise, OnStep
from worker.engines.diffusers.sampling.steps import steps_from_latent

BY_SIGMAS: dict[str, Callable[..., Tensor]] = {
    "DPM++ 2M": dpmpp.dpmpp_2m,
    "DPM++ SDE": sde.dpmpp_sde,
    "DPM++ 2M SDE": sde.dpmpp_2m_sde,
    "DPM++ 2M SDE Heun": sde.dpmpp_2m_sde,
    "DPM++ 2S a": dpmpp.dpmpp_2s_ancestral,
    "DPM++ 3M SDE": sde.dpmpp_3m_sde,
    "Euler a": euler.euler_ancestral,
    "Euler": euler.euler,
    "LMS": lms.lms,
    "Heun": euler.heun,
    "DPM2": euler.dpm2,
    "DPM2 a": euler.dpm2_ancestral,
    "Restart": restart.restart,
    "LCM": lcm.lcm,
}


def _no_progress(_step: int, _clean: Tensor) -> None:
    pass


@dataclass(frozen=True)
class Sampling:
    """What both ways need. `levels` are those of `levels_for` for this sampler; `scheduler` is never Automatic.

    `denoise` has the guidance in it, with the CFG scale times `sampler.guidance`. DDIM CFG++ is given `denoise_both`
    instead, which also answers the clean latents for the negative prompt alone. `noise` is that of the batch; its
    first noise has been drawn before. `sdxl` chooses the levels of Align Your Steps.
    """

    sampler: Sampler
    scheduler: Scheduler
    levels: Levels
    options: SamplingOptions
    noise: ImageNoise
    denoise: Denoise
    denoise_both: ddim.DenoiseBoth | None = None
    on_step: OnStep = _no_progress
    sdxl: bool = False


@torch.no_grad()
def from_noise(sampling: Sampling, noise: Tensor, steps: int) -> Tensor:
    """Paints from `noise` of variance one, shape (B, C, H, W); answers clean latents."""
    if sampling.sampler.timesteps:
        timesteps = ddim.timesteps_for(steps, discard=sampling.options.always_discard_next_to_last_sigma)
        return _by_timesteps(sampling, noise, timesteps, start=1.0)
    sigmas = _sigmas(sampling, steps)
    scale = (1 + sigmas[0] ** 2) ** 0.5 if sampling.options.sgm_noise_multiplier else sigmas[0]
    if sampling.sampler.name in ("DPM fast", "DPM adaptive"):
        # They take the model's whole range, whatever the schedule is; it only scales the noise.
        return _by_range(sampling, noise * scale, sampling.levels.highest, sampling.levels.lowest, steps)
    return _by_sigmas(sampling, noise * scale, sigmas, sigmas)


@torch.no_grad()
def from_latent(
    sampling: Sampling, latent: Tensor, noise: Tensor, steps: int, strength: float, *, exact: bool | None = None
) -> Tensor:
    """Paints over clean latents at a denoising strength (0 to 1); answers clean latents.

    `exact` does all `steps` (always so in the hires pass); by default the option `img2img_fix_steps` decides.
    """
    options = sampling.options
    planned = steps_from_latent(steps, strength, exact=options.img2img_fix_steps if exact is None else exact)
    if planned.schedule == 0:
        return latent
    if sampling.sampler.timesteps:
        timesteps = ddim.timesteps_for(planned.schedule, discard=options.always_discard_next_to_last_sigma)
        alpha = float(sampling.levels.alphas_cumprod[timesteps[planned.taken]])
        start = latent * alpha**0.5 + noise * (1 - alpha) ** 0.5 + noise * (options.img2img_extra_noise * alpha**0.5)
        # The first call of the model is one timestep lower than the noise that was added: so it is in the WebUI.
        timesteps = timesteps[: planned.taken]
        return _by_timesteps(sampling, start, timesteps, start=_start_time(timesteps))
    sigmas = _sigmas(sampling, planned.schedule)
    left = sigmas[planned.schedule - planned.taken - 1 :]
    start = latent + noise * left[0] + noise * options.img2img_extra_noise
    if sampling.sampler.name in ("DPM fast", "DPM adaptive"):
        return _by_range(sampling, start, float(left[0]), float(left[-2]), len(left) - 1)
    return _by_sigmas(sampling, start, left, sigmas)


def _sigmas(sampling: Sampling, steps: int) -> Tensor:
    return sigmas_for(
        sampling.sampler, sampling.scheduler, steps, sampling.levels, sampling.options, sdxl=sampling.sdxl
    )


def _settings(sampling: Sampling) -> dict[str, Any]:
    """The options that the sampler takes, by the names of its parameters."""
    options = sampling.options
    values = {
        "eta": options.eta_ddim if sampling.sampler.timesteps else options.eta_ancestral,
        "s_churn": options.s_churn,
        "s_tmin": options.s_tmin,
        "s_tmax": options.s_tmax or math.inf,
        "s_noise": options.s_noise,
    }
    return {name: values[name] for name in sampling.sampler.takes}


def _by_sigmas(sampling: Sampling, x: Tensor, sigmas: Tensor, schedule: Tensor) -> Tensor:
    """`schedule` is all of the schedule that `sigmas` is the end of: the Brownian path runs over all of it."""
    sampler, settings = sampling.sampler, _settings(sampling)
    noise: NoiseBetween = sampling.noise.between
    if sampler.brownian:
        noise = sampling.noise.brownian(float(schedule[schedule > 0].min()), float(schedule.max()))
    if sampler.name == "DPM++ 2M SDE Heun":
        settings["heun"] = True
    return BY_SIGMAS[sampler.name](sampling.denoise, x, sigmas, noise, sampling.on_step, **settings)


def _by_range(sampling: Sampling, x: Tensor, highest: float, lowest: float, calls: int) -> Tensor:
    settings = _settings(sampling)
    if sampling.sampler.name == "DPM fast":
        noise = sampling.noise.between
        return dpm.dpm_fast(sampling.denoise, x, highest, lowest, calls, noise, sampling.on_step, **settings)
    return dpm.dpm_adaptive(sampling.denoise, x, highest, lowest, sampling.noise.next_of, sampling.on_step, **settings)


def _start_time(timesteps: Tensor) -> float:
    return (float(timesteps[-1]) + 1) / TIMESTEPS if len(timesteps) else 1 / TIMESTEPS


def _by_timesteps(sampling: Sampling, x: Tensor, timesteps: Tensor, start: float) -> Tensor:
    """`x` is of variance one; so is what comes out, at the lowest noise there is."""
    alphas, noise, on_step, settings = (
        sampling.levels.alphas_cumprod,
        sampling.noise.between,
        sampling.on_step,
        _settings(sampling),
    )
    match sampling.sampler.name:
        case "DDIM":
            return ddim.ddim(sampling.denoise, x, timesteps, alphas, noise, on_step, **settings)
        case "DDIM CFG++":
            if sampling.denoise_both is None:
                raise ValueError("DDIM CFG++ needs denoise_both")
            return ddim.ddim_cfgpp(sampling.denoise_both, x, timesteps, alphas, noise, on_step, **settings)
        case "PLMS":
            return ddim.plms(sampling.denoise, x, timesteps, alphas, noise, on_step)
    if len(timesteps) == 0:
        return x
    options = sampling.options
    return unipc.unipc(
        sampling.denoise,
        x,
        len(timesteps),
        alphas,
        on_step,
        start=start,
        variant=options.uni_pc_variant,
        skip=options.uni_pc_skip_type,
        order=options.uni_pc_order,
        lower_order_final=options.uni_pc_lower_order_final,
    )
