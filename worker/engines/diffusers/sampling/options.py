"""The options of the WebUI that change how a job is sampled. Needs no torch."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from worker.checked import checked, options_said

Real = Annotated[float, Field(allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
# Infinity is no limit; no comparison holds for NaN, so `ge` refuses it.
Limit = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]

# The options that a body may say as a field, too.
FIELDS = ("s_churn", "s_tmin", "s_tmax", "s_noise")


class SamplingOptions(BaseModel):
    """The options by the WebUI's names, with its defaults. 0 stands for "as the model has it" where it says so.

    `eta` is for samplers that add noise, `eta_ddim` for DDIM and DDIM CFG++. `s_tmax` 0 and Infinity mean no limit;
    `sigma_min`, `sigma_max` and `rho` 0 mean those of the model and of the schedule. `inpainting_mask_weight` is how
    much of what is masked an inpainting model is not shown.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    eta_ancestral: NotNegative = 1.0
    eta_ddim: NotNegative = 0.0
    s_churn: NotNegative = 0.0
    s_tmin: NotNegative = 0.0
    s_tmax: Limit = 0.0
    s_noise: NotNegative = 1.0
    sigma_min: NotNegative = 0.0
    sigma_max: NotNegative = 0.0
    rho: NotNegative = 0.0
    beta_dist_alpha: Positive = 0.6
    beta_dist_beta: Positive = 0.6
    use_old_karras_scheduler_sigmas: bool = False
    always_discard_next_to_last_sigma: bool = False
    sgm_noise_multiplier: bool = False
    uni_pc_variant: Literal["bh1", "bh2", "vary_coeff"] = "bh1"
    uni_pc_skip_type: Literal["time_uniform", "time_quadratic", "logSNR"] = "time_uniform"
    uni_pc_order: Annotated[int, Field(ge=1, le=50)] = 3
    uni_pc_lower_order_final: bool = True
    sd_noise_schedule: Literal["Default", "Zero Terminal SNR"] = "Default"
    use_downcasted_alpha_bar: bool = False
    enable_quantization: bool = False
    img2img_fix_steps: bool = False
    img2img_extra_noise: Real = 0.0
    inpainting_mask_weight: Annotated[float, Field(ge=0, le=1)] = 1.0
    randn_source: Literal["GPU", "CPU", "NV"] = "GPU"
    eta_noise_seed_delta: Annotated[int, Field(ge=-(2**63), lt=2**63)] = 0
    skip_early_cond: Real = 0.0
    s_min_uncond: Real = 0.0
    s_min_uncond_all: bool = False

    def skips_uncond(self, call: int, calls: int, sigma: float) -> bool:
        """Whether the model is asked without the negative prompt this time: the options Skip Early CFG and NGMS.

        `call` counts the model's answers of this pass from 0, `calls` is Sampler.calls. `sigma` is the noise level, or
        for a sampler that goes by timesteps the timestep, as the WebUI compares that one.
        """
        if self._is_early(call, calls):
            return True
        return (call % 2 == 1 or self.s_min_uncond_all) and self.s_min_uncond > 0 and sigma < self.s_min_uncond

    def skip_fields(self, call: int, calls: int) -> dict[str, Any]:
        """What the WebUI writes under the picture when `skips_uncond` says yes."""
        if self._is_early(call, calls):
            return {"Skip Early CFG": self.skip_early_cond}
        return {"NGMS": self.s_min_uncond, **({"NGMS all steps": True} if self.s_min_uncond_all else {})}

    def _is_early(self, call: int, calls: int) -> bool:
        return self.skip_early_cond != 0 and call / calls <= self.skip_early_cond


def options_of(parameters: Mapping[str, Any]) -> SamplingOptions:
    """The options of a job: those of `override_settings`, and the body's fields `eta`, `s_churn` and so on.

    `parameters` is the body. As in the WebUI, the field `eta` stands for both kinds of samplers, and a sigma option
    that differs from its default comes before the body's field. Raises JobError `parameter_invalid`.
    """
    values = options_said(parameters)
    if parameters.get("eta") is not None:
        values |= {"eta_ancestral": parameters["eta"], "eta_ddim": parameters["eta"]}
    if parameters.get("s_min_uncond") is not None:
        values["s_min_uncond"] = parameters["s_min_uncond"]
    defaults = SamplingOptions.model_fields
    for name in FIELDS:
        if parameters.get(name) is not None and values.get(name) in (None, defaults[name].default):
            values[name] = parameters[name]
    return checked(SamplingOptions, values, "these options")
