"""UniPC (Zhao et al., 2023): a predictor and a corrector that share the model's answers.

It goes through times t from 1 to 1/1000, on latents of unit variance. Between the model's timesteps the logarithm of
the signal is interpolated. `lambda` is the logarithm of signal over noise. Its steps are calculated in double
precision on Python's numbers, and only the latents are tensors.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from worker.engines.diffusers.sampling.stepping import Denoise, OnStep, ask

Variant = Literal["bh1", "bh2", "vary_coeff"]
Skip = Literal["time_uniform", "time_quadratic", "logSNR"]


@dataclass(frozen=True)
class Point:
    """A time: the shares of signal and noise in the latents there, and lambda."""

    signal: float
    noise: float
    snr: float


class Times:
    """The way from a time to its Point, for a model with these `alphas_cumprod`."""

    def __init__(self, alphas: Tensor) -> None:
        self._logs = 0.5 * alphas.double().log().numpy()
        self._times = np.linspace(0, 1, len(self._logs) + 1)[1:]

    def point(self, time: float) -> Point:
        """The point at a time between 1/1000 and 1."""
        log = float(np.interp(time, self._times, self._logs))
        noise = math.sqrt(-math.expm1(2 * log))
        return Point(math.exp(log), noise, log - math.log(noise))

    def spread(self, start: float, steps: int, skip: Skip) -> list[float]:
        """`steps` + 1 times from `start` to the lowest one."""
        end = float(self._times[0])
        if skip == "time_uniform":
            return np.linspace(start, end, steps + 1).tolist()
        if skip == "time_quadratic":
            return (np.linspace(start**0.5, end**0.5, steps + 1) ** 2).tolist()
        snrs = np.linspace(self.point(start).snr, self.point(end).snr, steps + 1)
        return np.interp(-0.5 * np.logaddexp(0, -2 * snrs), self._logs[::-1], self._times[::-1]).tolist()


def unipc(
    denoise: Denoise,
    x: Tensor,
    steps: int,
    alphas: Tensor,
    on_step: OnStep,
    *,
    start: float = 1.0,
    variant: Variant = "bh1",
    skip: Skip = "time_uniform",
    order: int = 3,
    lower_order_final: bool = True,
) -> Tensor:
    """`steps` steps from time `start`. Adds no noise.

    `order` is lowered to the number of steps, where the WebUI fails. `lower_order_final` lowers it for the last steps.
    """
    times = Times(alphas)
    points = [times.point(time) for time in times.spread(start, steps, skip)]
    order = min(order, steps)
    answers = [_clean(denoise, x, points[0])]
    for step in range(1, steps + 1):
        used = min(order, step, steps + 1 - step if lower_order_final and step >= order else order)
        past = points[step - 1 :: -1][:used]
        move = Move(variant, past, points[step], answers[:used])
        ahead = move.predicted(x)
        if step < steps:
            answer = _clean(denoise, ahead, points[step])
            x = move.corrected(x, answer)
            answers = [answer, *answers[: order - 1]]
            on_step(step - 1, answer)
        else:
            # The last step is not corrected: it would cost one more call of the model.
            x = ahead
            on_step(step - 1, answers[0])
    return x


def _clean(denoise: Denoise, x: Tensor, point: Point) -> Tensor:
    return ask(denoise, x / point.signal, point.noise / point.signal)


class Move:
    """One step to `end`, from the newest of the points `past` and the model's clean latents at each, newest first."""

    def __init__(self, variant: Variant, past: list[Point], end: Point, answers: list[Tensor]) -> None:
        here = past[0]
        self._end = end
        self._base = end.noise / here.noise
        self._newest = answers[0]
        # hh is minus the step in lambda, as the latents and not the noise are predicted.
        self._hh = here.snr - end.snr
        shares = [(point.snr - here.snr) / (end.snr - here.snr) for point in past[1:]]
        self._changes = [(answer - answers[0]) / share for answer, share in zip(answers[1:], shares, strict=True)]
        weigh = _varying_weights if variant == "vary_coeff" else _bh_weights
        self._predictor, self._corrector = weigh(variant, [*shares, 1.0], self._hh)

    def predicted(self, x: Tensor) -> Tensor:
        """Where the model's answers so far lead to."""
        return self._moved(x, self._predictor, self._changes)

    def corrected(self, x: Tensor, answer: Tensor) -> Tensor:
        """The same with the model's answer at the end of the step."""
        return self._moved(x, self._corrector, [*self._changes, answer - self._newest])

    def _moved(self, x: Tensor, weights: list[float], changes: list[Tensor]) -> Tensor:
        linear = self._base * x - self._end.signal * math.expm1(self._hh) * self._newest
        terms = (weight * change for weight, change in zip(weights, changes, strict=True))
        return linear - self._end.signal * sum(terms, torch.zeros_like(x))


def _phis(hh: float, count: int) -> list[float]:
    """phi_k(hh) * hh for k from 1: the integrals of the exponential against powers."""
    values = [math.expm1(hh)]
    for k in range(1, count):
        values.append(values[-1] / hh - 1 / math.factorial(k))
    return values


def _bh_weights(variant: str, shares: list[float], hh: float) -> tuple[list[float], list[float]]:
    """The weights of predictor and corrector with B(h) = h (bh1) or exp(h) - 1 (bh2)."""
    order = len(shares)
    scale = hh if variant == "bh1" else math.expm1(hh)
    matrix = np.vander(shares, order, increasing=True).T
    wanted = [phi * math.factorial(k) / scale for k, phi in enumerate(_phis(hh, order + 1)[1:], 1)]
    # For the lowest orders the paper sets one half, instead of solving.
    predictor = [0.5] if order == 2 else np.linalg.solve(matrix[:-1, :-1], wanted[:-1]) if order > 1 else []
    corrector = [0.5] if order == 1 else np.linalg.solve(matrix, wanted)
    return [scale * float(weight) for weight in predictor], [scale * float(weight) for weight in corrector]


def _varying_weights(_variant: str, shares: list[float], hh: float) -> tuple[list[float], list[float]]:
    """The weights that make every order exact, however long the step is; the corrector's as the authors' code has them.

    There the model's newest answer is weighed by the last integral alone.
    """
    order = len(shares)
    columns = [np.power(shares, k) / math.factorial(k + 1) for k in range(order)]
    matrix = np.stack(columns, axis=1)
    phis = np.array(_phis(hh, order + 1)[1:])
    predictor = phis[:-1] @ np.linalg.inv(matrix[:-1, :-1]) if order > 1 else []
    inverse = np.linalg.inv(matrix)
    corrector = [*(phis[:-1] @ inverse[:-1, :-1]), phis[-1] * inverse[max(order - 2, 0), -1]]
    return [float(weight) for weight in predictor], [float(weight) for weight in corrector]
