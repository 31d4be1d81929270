"""One call of the UNet for what is wanted and what is not, and their sum: classifier-free guidance.

As in the WebUI 1.10 (modules/sd_samplers_cfg_denoiser.py, `CFGDenoiser`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from worker.engines.diffusers.conditions import Condition, Conditions
from worker.engines.diffusers.models import Model
from worker.engines.diffusers.running import Inputs
from worker.engines.diffusers.sampling.levels import Levels
from worker.engines.diffusers.sampling.names import Sampler
from worker.engines.diffusers.sampling.options import SamplingOptions
from worker.engines.diffusers.sampling.predicting import predictor
from worker.engines.diffusers.vaes import nothing_painted

Residuals = tuple[list[Tensor], Tensor]
"""What is added to the UNet's way down, and to its middle."""


class Control(Protocol):
    """Something that steers the UNet: ControlNets."""

    def residuals(self, latents: Tensor, timestep: Tensor, told: "Told", share: float) -> Residuals | None:
        """What to add for a batch, which holds `told.wanted` times the pictures with what is wanted, then the pictures
        with what is not. `latents` are of variance one; `share` is that of the pass which the WebUI counts as done.
        None: nothing."""
        ...

    def corrected(self, clean: Tensor, told: "Told") -> Tensor:
        """What becomes of the clean latents that the UNet answered for such a batch."""
        ...


@dataclass(frozen=True)
class Told:
    """What the UNet is told for a batch: the fields of a Condition, a row for each picture. `pictures` is how many
    there are; the first `wanted` times as many rows are of what is wanted, the rest of what is not."""

    words: Tensor
    pooled: Tensor | None
    ids: Tensor | None
    pictures: int
    wanted: int

    def extra_in(self, dtype: torch.dtype) -> dict[str, Tensor] | None:
        """What diffusers calls `added_cond_kwargs`. Sizes stay in full precision: half cannot tell 2049 pixels."""
        if self.pooled is None or self.ids is None:
            return None
        return {"text_embeds": self.pooled.to(dtype), "time_ids": self.ids}


class Finite:
    """Watches that the answers of a pass are numbers.

    A GPU is still busy with an answer when the next step is prepared. So an answer is looked at one step later there:
    to wait for it at once would leave the GPU idle between the steps, and not to wait at all would send it a whole
    picture's work before a job could be cancelled.
    """

    def __init__(self) -> None:
        self._before: tuple[torch.cuda.Event, Tensor] | None = None

    def so_far(self, answer: Tensor) -> bool:
        """Whether all answers are numbers, up to this one; on a GPU up to the one before."""
        sound = torch.isfinite(answer).all()
        if not sound.is_cuda:
            return bool(sound)
        before = self._before
        host = torch.empty((), dtype=torch.bool, pin_memory=True)
        host.copy_(sound, non_blocking=True)
        event = torch.cuda.Event()
        event.record()
        self._before = (event, host)
        if before is None:
            return True
        before[0].synchronize()
        return bool(before[1])


@dataclass
class Guidance:
    """Answers clean latents for a sampler. `scale` is the CFG scale of this pass, times `sampler.guidance`; `calls`
    counts how often it was asked, and `expected` is how often it will be.

    `beside` (B, 5, h, w) are the channels that an inpainting model sees beside the latents. `told` gets what is said
    under the picture of what was left out.
    """

    model: Model
    conditions: Conditions
    levels: Levels
    sampler: Sampler
    options: SamplingOptions
    scale: float
    expected: int
    beside: Tensor | None = None
    controls: Sequence[Control] = ()
    look: Callable[[float], None] = lambda share: None
    before_call: Callable[["Guidance", Tensor], None] = lambda guidance, sigma: None
    told: dict[str, Any] = field(default_factory=dict)
    calls: int = field(default=0, init=False)
    _begun: Model | None = field(default=None, init=False)
    _finite: Finite = field(default_factory=Finite, init=False)

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        """See the package `sampling`."""
        return self.denoise_both(x, sigma)[0]

    def denoise_both(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """The clean latents with the guidance, and those for the negative prompt alone."""
        self.look(min(1.0, self.calls / max(1, self.expected)))
        self.before_call(self, sigma)
        wanted, unwanted = self.conditions.at(self.calls)
        alone = self._alone(wanted, sigma)
        answers = self._ask(x, sigma, [each for _, each in wanted], None if alone else unwanted)
        self.calls += 1
        base = answers[0] if alone else answers[-1]
        guided = base.clone()
        for (weight, _), answer in zip(wanted, answers, strict=False):
            guided += (answer - base) * (weight * self.scale * self.sampler.guidance)
        if not self._finite.so_far(guided):
            raise nothing_painted()
        return guided, base

    def _alone(self, wanted: list[tuple[float, Condition]], sigma: Tensor) -> bool:
        """Whether the UNet is asked for what is wanted only: an option says so, or the negative prompt would count
        nothing."""
        level = self._level(sigma) if self.options.s_min_uncond else 0.0
        if self.options.skips_uncond(self.calls, self.expected, level):
            self.told |= self.options.skip_fields(self.calls, self.expected)
            return True
        return len(wanted) == 1 and wanted[0][0] * self.scale == 1 and self.sampler.guidance == 1

    def _level(self, sigma: Tensor) -> float:
        """The level as the option NGMS counts it. It waits for the GPU, which nothing else does between two steps."""
        return float((self.levels.timestep(sigma) if self.sampler.timesteps else sigma).max())

    def _ask(self, x: Tensor, sigma: Tensor, wanted: list[Condition], unwanted: Condition | None) -> list[Tensor]:
        """The clean latents for each condition; in one call where all have as many words."""
        conditions = [*wanted, *([unwanted] if unwanted else [])]
        groups: list[list[int]] = [[*range(len(conditions))]]
        if len({each.words.shape[1] for each in conditions}) > 1:
            groups = [[number] for number in range(len(conditions))]
        answers: dict[int, Tensor] = {}
        for group in groups:
            told = _told(
                [conditions[number] for number in group], len(x), sum(number < len(wanted) for number in group)
            )
            many = x.repeat(len(group), 1, 1, 1)
            found = self._predict(many, sigma.repeat(len(group)), told)
            answers |= dict(zip(group, found.chunk(len(group)), strict=True))
        return [answers[number] for number in range(len(conditions))]

    def _predict(self, x: Tensor, sigma: Tensor, told: Told) -> Tensor:
        predict = predictor(self._unet, self.levels, self.sampler, _PREDICTIONS[self.model.prediction.value])
        clean = predict(x, sigma, told)
        for control in self.controls:
            clean = control.corrected(clean, told)
        return clean

    def _counted(self) -> float:
        """The share of the steps that the WebUI counts as done: a step counts once the next one has begun.

        Some samplers ask more often than expected; what is to steer to the end still does then, other than there.
        """
        a_step = self.sampler.calls(1)
        return min(1.0, max(0, self.calls - 1) // a_step * a_step / max(1, self.expected))

    def _residuals(self, latents: Tensor, timestep: Tensor, told: Told) -> Residuals | tuple[None, None]:
        """What all controls add together."""
        share = self._counted()
        found = [each.residuals(latents, timestep, told, share) for each in self.controls]
        added = [each for each in found if each is not None]
        if not added:
            return None, None
        down = [sum(layer[1:], layer[0]) for layer in zip(*(each[0] for each in added), strict=True)]
        return down, sum((each[1] for each in added[1:]), added[0][1])

    def _unet(self, latents: Tensor, timestep: Tensor, told: Told) -> Tensor:
        if self._begun is not self.model:
            self._begun = self.model
            self.model.runner.begin(max(1, self.expected - self.calls))
        down, middle = self._residuals(latents, timestep, told)
        if self.beside is not None:
            latents = torch.cat([latents, self.beside.repeat(len(latents) // len(self.beside), 1, 1, 1)], dim=1)
        inputs = Inputs(latents, timestep, told.words, told.pooled, told.ids, tuple(down or ()), middle)
        return self.model.runner(inputs).float()


_PREDICTIONS: dict[str, Any] = {"epsilon": "epsilon", "v": "v_prediction"}


def _told(conditions: list[Condition], pictures: int, wanted: int) -> Told:
    def rows(field: str) -> Tensor | None:
        found = [getattr(condition, field) for condition in conditions]
        return None if found[0] is None else torch.cat([each.repeat_interleave(pictures, dim=0) for each in found])

    words = rows("words")
    if words is None:
        raise ValueError("a condition without words")
    return Told(words, rows("pooled"), rows("ids"), pictures, wanted)
