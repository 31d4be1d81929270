"""DPM fast and DPM adaptive: DPM-Solver (Lu et al., 2022) with up to three calls of the model a step."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from worker.engines.diffusers.sampling.noise import NoiseBetween
from worker.engines.diffusers.sampling.predicting import spread
from worker.engines.diffusers.sampling.stepping import Denoise, OnStep, ancestral, from_log, to_log

NoiseOf = Callable[[int], Tensor]
"""`noise_of(number)`: the next noise (C, H, W) of one picture of the batch."""

# Of DPM adaptive, as published: how large an error may be, and the first step.
ABSOLUTE, RELATIVE = 0.0078, 0.05
FIRST_STEP = 0.05
ACCEPTED = 0.81
END = 1e-5


class Step:
    """One step from time `start` to `end` (both of shape (B,)), which asks the model as often as an order needs."""

    def __init__(self, denoise: Denoise, x: Tensor, start: Tensor, end: Tensor) -> None:
        self._denoise = denoise
        self._x, self._start, self._length = x, start, end - start
        self.clean = denoise(x, from_log(start))
        self._here = self._noise(x, start, self.clean)
        self._third: Tensor | None = None

    def first_order(self) -> Tensor:
        """Where the direction at the start leads to."""
        return self._to(1.0)

    def second_order(self, at: float = 0.5) -> Tensor:
        """Corrected by the direction at one point within, given as a share of the step."""
        change = self._within(at, self._to(at)) - self._here
        return self._to(1.0) - self._growth(1.0) / (2 * at) * change

    def second_order_at_third(self) -> Tensor:
        """Second order from a point at one third; third_order uses the same answer of the model."""
        return self._to(1.0) - self._growth(1.0) / (2 / 3) * (self._at_third() - self._here)

    def third_order(self) -> Tensor:
        """Corrected by the directions at one and two thirds."""
        bend = self._at_third() - self._here
        ahead = self._to(2 / 3) - self._curve(2 / 3) * 2 * bend
        change = self._within(2 / 3, ahead) - self._here
        return self._to(1.0) - self._curve(1.0) / (2 / 3) * change

    def _at_third(self) -> Tensor:
        if self._third is None:
            self._third = self._within(1 / 3, self._to(1 / 3))
        return self._third

    def _to(self, share: float) -> Tensor:
        return self._x - self._growth(share) * self._here

    def _growth(self, share: float) -> Tensor:
        time = self._start + share * self._length
        return spread(from_log(time) * (share * self._length).expm1(), self._x)

    def _curve(self, share: float) -> Tensor:
        time, length = self._start + share * self._length, share * self._length
        return spread(from_log(time) * (length.expm1() / length - 1), self._x)

    def _within(self, share: float, x: Tensor) -> Tensor:
        time = self._start + share * self._length
        return self._noise(x, time, self._denoise(x, from_log(time)))

    def _noise(self, x: Tensor, time: Tensor, clean: Tensor) -> Tensor:
        return (x - clean) / spread(from_log(time), x)


def dpm_fast(
    denoise: Denoise,
    x: Tensor,
    highest: float,
    lowest: float,
    calls: int,
    noise: NoiseBetween,
    on_step: OnStep,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
) -> Tensor:
    """From one level to another with `calls` calls of the model: steps of order 3, and what is left at the end."""
    steps = calls // 3 + 1
    start, end = to_log(torch.tensor(highest)), to_log(torch.tensor(lowest))
    times = torch.linspace(float(start), float(end), steps + 1)
    orders = [3] * (steps - 2) + [2, 1] if calls % 3 == 0 else [3] * (steps - 1) + [calls % 3]
    for number, order in enumerate(orders):
        aim, up = _noisy_end(times[number], times[number + 1], end, eta)
        here, there = (time.to(x.device).expand(len(x)) for time in (times[number], aim))
        step = Step(denoise, x, here, there)
        on_step(number, step.clean)
        x = {1: step.first_order, 2: step.second_order, 3: step.third_order}[order]()
        if eta:
            x = x + up * s_noise * noise(from_log(times[number]), from_log(times[number + 1]))
    return x


def dpm_adaptive(
    denoise: Denoise,
    x: Tensor,
    highest: float,
    lowest: float,
    noise_of: NoiseOf,
    on_step: OnStep,
    *,
    eta: float = 1.0,
) -> Tensor:
    """From one level to another in as many steps as the error asks for.

    Each picture of the batch has steps of its own: else it would depend on the others how it looks. A picture that is
    done waits for the rest.
    """
    count = len(x)
    end = to_log(torch.tensor(lowest))
    begin = to_log(torch.tensor(highest))
    times = [begin] * count
    lengths = [FIRST_STEP] * count
    before = x
    rounds = 0
    while any(time < end - END for time in times):
        # A picture that is done takes the first step again, for nothing: one of no length would divide by zero.
        now = [begin if time >= end - END else time for time in times]
        ends = [torch.minimum(end, time + length) for time, length in zip(now, lengths, strict=True)]
        aims = [_noisy_end(time, there, end, eta) for time, there in zip(now, ends, strict=True)]
        here, there = (torch.stack(part).to(x.device) for part in (now, [aim for aim, _ in aims]))
        step = Step(denoise, x, here, there)
        on_step(rounds, step.clean)
        low, high = step.second_order_at_third(), step.third_order()
        after, low_after = list(x), list(before)
        for number in range(count):
            if times[number] >= end - END:
                continue
            factor = _factor(low[number], high[number], before[number], 1.5 if eta else 3)
            if factor >= ACCEPTED:
                low_after[number] = low[number]
                after[number] = high[number] + aims[number][1] * noise_of(number) if eta else high[number]
                times[number] = ends[number]
            lengths[number] *= factor
        x, before = torch.stack(after), torch.stack(low_after)
        rounds += 1
    return x


def _noisy_end(time: Tensor, next_time: Tensor, end: Tensor, eta: float) -> tuple[Tensor, Tensor]:
    """The time to go to, and how much noise leads back from there."""
    if not eta:
        return next_time, torch.zeros(())
    down, _ = ancestral(from_log(time), from_log(next_time), eta)
    aim = torch.minimum(end, to_log(down))
    return aim, (from_log(next_time) ** 2 - from_log(aim) ** 2).clamp(min=0) ** 0.5


def _factor(low: Tensor, high: Tensor, before: Tensor, order: float) -> float:
    """How much longer one picture's next step may be, from how far the two orders are apart."""
    scale = torch.clamp(RELATIVE * torch.maximum(low.abs(), before.abs()), min=ABSOLUTE)
    error = float(torch.linalg.vector_norm((low - high) / scale)) / high.numel() ** 0.5
    if not math.isfinite(error):
        raise FloatingPointError("The model answered with something that is not a number.")
    return float(1 + math.atan((1 / (error + 1e-8)) ** (1 / order) - 1))
