"""The schedules: falling noise levels, of which the last is 0 (KL Optimal ends at the lowest level of the model)."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from worker.engines.diffusers.sampling.levels import Levels
from worker.engines.diffusers.sampling.names import Sampler, Scheduler
from worker.engines.diffusers.sampling.options import SamplingOptions
from worker.errors import JobError

# Align Your Steps (Sabour et al., 2024): the published levels for ten steps.
ALIGNED_SD = (14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029)
ALIGNED_SDXL = (14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029)
OLD_KARRAS = (0.1, 10.0)


@dataclass(frozen=True)
class Range:
    """What a schedule is made for: `count` levels from `highest` to `lowest` of a model."""

    count: int
    lowest: float
    highest: float
    levels: Levels
    rho: float
    options: SamplingOptions
    sdxl: bool


def sigmas_for(
    sampler: Sampler, scheduler: Scheduler, steps: int, levels: Levels, options: SamplingOptions, *, sdxl: bool = False
) -> Tensor:
    """The noise levels of a sampling, shape (steps + 1,) but for DDIM's, which may be longer; float32 on the CPU.

    Applies the options `sigma_min`, `sigma_max`, `rho`, `use_old_karras_scheduler_sigmas` and Discard penultimate
    sigma. `sdxl` chooses the levels of Align Your Steps.
    """
    discard = sampler.drops_penultimate or options.always_discard_next_to_last_sigma
    lowest, highest = OLD_KARRAS if options.use_old_karras_scheduler_sigmas else (levels.lowest, levels.highest)
    span = Range(
        count=steps + 1 if discard else steps,
        lowest=options.sigma_min or lowest,
        highest=options.sigma_max or highest,
        levels=levels,
        rho=options.rho or scheduler.rho or 0.0,
        options=options,
        sdxl=sdxl,
    )
    try:
        sigmas = SCHEDULES[scheduler.label](span)
    except OverflowError as error:
        raise JobError("parameter_invalid", f"rho: with {span.rho} there are no noise levels.") from error
    return torch.cat([sigmas[:-2], sigmas[-1:]]) if discard else sigmas


def karras(count: int, lowest: float, highest: float, rho: float = 7.0) -> Tensor:
    """The schedule of Karras et al. (2022), equation 5, and a zero."""
    ramp = torch.linspace(0, 1, count)
    least, most = lowest ** (1 / rho), highest ** (1 / rho)
    return _end((most + ramp * (least - most)) ** rho)


def _end(sigmas: Tensor) -> Tensor:
    return torch.cat([sigmas.float(), torch.zeros(1)])


def _uniform(span: Range) -> Tensor:
    last, first = len(span.levels.sigmas) * span.levels.stride - 1, span.levels.stride - 1
    return _end(span.levels.sigma(torch.linspace(last, first, span.count)))


def _karras(span: Range) -> Tensor:
    return karras(span.count, span.lowest, span.highest, span.rho)


def _exponential(span: Range) -> Tensor:
    return _end(torch.linspace(math.log(span.highest), math.log(span.lowest), span.count).exp())


def _polyexponential(span: Range) -> Tensor:
    ramp = torch.linspace(1, 0, span.count) ** span.rho
    return _end(torch.exp(ramp * (math.log(span.highest) - math.log(span.lowest)) + math.log(span.lowest)))


def _timesteps(span: Range, count: int) -> Tensor:
    start, end = (float(span.levels.timestep(torch.tensor(sigma))) for sigma in (span.highest, span.lowest))
    return torch.linspace(start, end, count)


def _sgm_uniform(span: Range) -> Tensor:
    return _end(span.levels.sigma(_timesteps(span, span.count + 1)[:-1]))


def _normal(span: Range) -> Tensor:
    return _end(span.levels.sigma(_timesteps(span, span.count)))


def _kl_optimal(span: Range) -> Tensor:
    share = torch.arange(span.count + 1) / max(span.count, 1)
    return torch.tan(share * math.atan(span.lowest) + (1 - share) * math.atan(span.highest))


def _align_your_steps(span: Range) -> Tensor:
    known = torch.tensor(ALIGNED_SDXL if span.sdxl else ALIGNED_SD, dtype=torch.float64)
    if span.count == len(known):
        return _end(known)
    # The logarithms in between are interpolated; counted from the low end, as published.
    places = torch.linspace(0, len(known) - 1, span.count, dtype=torch.float64)
    logs = known.flip(0).log()
    below = places.floor().long().clamp(max=len(known) - 2)
    wanted = logs[below] + (places - below) * (logs[below + 1] - logs[below])
    return _end(wanted.exp().flip(0))


def _simple(span: Range) -> Tensor:
    known = span.levels.sigmas
    places = [-1 - int(n * (len(known) / span.count)) for n in range(span.count)]
    return _end(known[places])


def _ddim(span: Range) -> Tensor:
    known = span.levels.sigmas
    return _end(known[1 :: max(len(known) // max(span.count, 1), 1)].flip(0))


def _beta(span: Range) -> Tensor:
    # "Beta Sampling is All You Need" (Lee et al., 2024); the WebUI spreads sigmas so, and not timesteps.
    from scipy.special import betaincinv

    shares = torch.linspace(1, 0, span.count, dtype=torch.float64)
    spots = betaincinv(span.options.beta_dist_alpha, span.options.beta_dist_beta, shares.numpy())
    return _end(span.lowest + torch.from_numpy(spots) * (span.highest - span.lowest))


SCHEDULES: dict[str, Callable[[Range], Tensor]] = {
    "Uniform": _uniform,
    "Karras": _karras,
    "Exponential": _exponential,
    "Polyexponential": _polyexponential,
    "SGM Uniform": _sgm_uniform,
    "KL Optimal": _kl_optimal,
    "Align Your Steps": _align_your_steps,
    "Simple": _simple,
    "Normal": _normal,
    "DDIM": _ddim,
    "Beta": _beta,
}
