"""What the WebUI writes under a picture about how it was sampled. Needs no torch.

From the WebUI 1.10: modules/sd_samplers_kdiffusion.py (`get_sigmas`, `sample`, `sample_img2img`),
sd_samplers_timesteps.py, sd_samplers_common.py (`initialize`) and sd_models.py (`apply_alpha_schedule_override`).
"""

import math
from typing import Any

from worker.engines.diffusers.sampling.names import Sampler, Scheduler
from worker.engines.diffusers.sampling.options import SamplingOptions

SIGMAS = {"s_churn": "Sigma churn", "s_tmin": "Sigma tmin", "s_tmax": "Sigma tmax", "s_noise": "Sigma noise"}


def sampling_fields(
    sampler: Sampler, scheduler: Scheduler, options: SamplingOptions, *, named: bool, over: bool
) -> dict[str, Any]:
    """The fields of one pass in their order. `named` is False where the schedule is the model's own (Automatic, for a
    sampler without one); `over` says that the pass paints over latents."""
    fields: dict[str, Any] = {}
    if options.use_downcasted_alpha_bar:
        fields["Downcast alphas_cumprod"] = True
    if options.sd_noise_schedule != "Default":
        fields["Noise Schedule"] = options.sd_noise_schedule
    if options.always_discard_next_to_last_sigma and not sampler.drops_penultimate:
        fields["Discard penultimate sigma"] = True
    if named and not sampler.timesteps:
        fields |= _schedule_fields(scheduler, options)
    if over:
        fields |= {"Extra noise": options.img2img_extra_noise} if options.img2img_extra_noise > 0 else {}
    elif options.sgm_noise_multiplier and not sampler.timesteps:
        fields["SGM noise multiplier"] = True
    return fields | _noise_fields(sampler, options)


def noise_seed_delta(sampler: Sampler, options: SamplingOptions) -> int | None:
    """The option ENSD, None where it changes nothing."""
    changes = sampler.seeds_noise and options.eta_ancestral != 0 and options.eta_noise_seed_delta != 0
    return options.eta_noise_seed_delta if changes else None


def _schedule_fields(scheduler: Scheduler, options: SamplingOptions) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if options.sigma_min:
        fields["Schedule min sigma"] = options.sigma_min
    if options.sigma_max:
        fields["Schedule max sigma"] = options.sigma_max
    if scheduler.rho is not None and options.rho and options.rho != scheduler.rho:
        fields["Schedule rho"] = options.rho
    if scheduler.label == "Beta":
        fields["Beta schedule alpha"] = options.beta_dist_alpha
        fields["Beta schedule beta"] = options.beta_dist_beta
    return fields


def _noise_fields(sampler: Sampler, options: SamplingOptions) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if "eta" in sampler.takes:
        eta, usual = (options.eta_ddim, 0.0) if sampler.timesteps else (options.eta_ancestral, 1.0)
        if eta != usual:
            fields["Eta DDIM" if sampler.timesteps else "Eta"] = eta
    usual_sigmas = {"s_churn": 0.0, "s_tmin": 0.0, "s_tmax": math.inf, "s_noise": 1.0}
    for name, label in SIGMAS.items():
        value = getattr(options, name) or (math.inf if name == "s_tmax" else 0.0)
        if name in sampler.takes and value != usual_sigmas[name]:
            fields[label] = value
    return fields
