"""Euler, Euler a, Heun and DPM2 (Karras et al., 2022, "Elucidating the Design Space", algorithms 1 and 2)."""

import math
from collections.abc import Callable

from torch import Tensor

from worker.engines.diffusers.sampling.noise import NoiseBetween
from worker.engines.diffusers.sampling.stepping import Denoise, OnStep, ancestral, ask, slope

MOST_CHURN = 2**0.5 - 1


class Churn:
    """Raises the noise before a step: `s_churn` in all, between the levels `s_tmin` and `s_tmax`."""

    def __init__(
        self,
        sigmas: Tensor,
        noise: NoiseBetween,
        *,
        s_churn: float = 0.0,
        s_tmin: float = 0.0,
        s_tmax: float = math.inf,
        s_noise: float = 1.0,
    ) -> None:
        self._share = min(s_churn / (len(sigmas) - 1), MOST_CHURN) if s_churn else 0.0
        self._sigmas = sigmas
        self._noise = noise
        self._from, self._to = s_tmin, s_tmax
        self._strength = s_noise

    def raised(self, x: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """The latents and the level that step number `step` really starts from."""
        sigma = self._sigmas[step]
        if not self._share:
            return x, sigma
        # The noise is drawn outside of the limits, too: what comes later must not depend on them.
        noise = self._noise(sigma, self._sigmas[step + 1]) * self._strength
        if not self._from <= sigma <= self._to:
            return x, sigma
        higher = sigma * (1 + self._share)
        return x + noise * (higher**2 - sigma**2) ** 0.5, higher


Move = Callable[[Denoise, Tensor, Tensor, Tensor, Tensor], Tensor]
"""`move(denoise, x, sigma, next_sigma, clean)`: one step down; `clean` is what the model answered at x and sigma."""


def euler(denoise: Denoise, x: Tensor, sigmas: Tensor, noise: NoiseBetween, on_step: OnStep, **churn: float) -> Tensor:
    """Euler's method from the first of the sigmas to the last. Adds noise only with `s_churn`; see Churn."""
    return _churned(_euler_step, denoise, x, sigmas, Churn(sigmas, noise, **churn), on_step)


def heun(denoise: Denoise, x: Tensor, sigmas: Tensor, noise: NoiseBetween, on_step: OnStep, **churn: float) -> Tensor:
    """Heun's method: the mean of the directions at both ends of a step. The step to zero is Euler's. See Churn."""
    return _churned(heun_step, denoise, x, sigmas, Churn(sigmas, noise, **churn), on_step)


def dpm2(denoise: Denoise, x: Tensor, sigmas: Tensor, noise: NoiseBetween, on_step: OnStep, **churn: float) -> Tensor:
    """DPM-Solver-2: the direction in the (logarithmic) middle of a step. The step to zero is Euler's. See Churn."""
    return _churned(_midpoint_step, denoise, x, sigmas, Churn(sigmas, noise, **churn), on_step)


def _churned(move: Move, denoise: Denoise, x: Tensor, sigmas: Tensor, churn: Churn, on_step: OnStep) -> Tensor:
    for step in range(len(sigmas) - 1):
        x, sigma = churn.raised(x, step)
        clean = ask(denoise, x, sigma)
        on_step(step, clean)
        x = move(denoise, x, sigma, sigmas[step + 1], clean)
    return x


def _euler_step(_: Denoise, x: Tensor, sigma: Tensor, next_sigma: Tensor, clean: Tensor) -> Tensor:
    return x + slope(x, sigma, clean) * (next_sigma - sigma)


def euler_ancestral(
    denoise: Denoise, x: Tensor, sigmas: Tensor, noise: NoiseBetween, on_step: OnStep, *, eta: float = 1.0
) -> Tensor:
    """Euler's method to a lower level than the next, and noise to get there."""
    for step in range(len(sigmas) - 1):
        sigma, next_sigma = sigmas[step], sigmas[step + 1]
        clean = ask(denoise, x, sigma)
        on_step(step, clean)
        down, up = ancestral(sigma, next_sigma, eta)
        x = x + slope(x, sigma, clean) * (down - sigma)
        if next_sigma > 0:
            x = x + noise(sigma, next_sigma) * up
    return x


def heun_step(denoise: Denoise, x: Tensor, sigma: Tensor, next_sigma: Tensor, clean: Tensor) -> Tensor:
    """One step of Heun's method. See Move."""
    direction = slope(x, sigma, clean)
    length = next_sigma - sigma
    if next_sigma == 0:
        return x + direction * length
    ahead = x + direction * length
    there = slope(ahead, next_sigma, ask(denoise, ahead, next_sigma))
    return x + (direction + there) / 2 * length


def dpm2_ancestral(
    denoise: Denoise,
    x: Tensor,
    sigmas: Tensor,
    noise: NoiseBetween,
    on_step: OnStep,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
) -> Tensor:
    """DPM2 to a lower level than the next, and noise to get there."""
    for step in range(len(sigmas) - 1):
        sigma, next_sigma = sigmas[step], sigmas[step + 1]
        clean = ask(denoise, x, sigma)
        on_step(step, clean)
        down, up = ancestral(sigma, next_sigma, eta)
        x = _midpoint_step(denoise, x, sigma, down, clean)
        if down > 0:
            x = x + noise(sigma, next_sigma) * s_noise * up
    return x


def _midpoint_step(denoise: Denoise, x: Tensor, sigma: Tensor, next_sigma: Tensor, clean: Tensor) -> Tensor:
    direction = slope(x, sigma, clean)
    if next_sigma == 0:
        return x + direction * (next_sigma - sigma)
    middle = sigma.log().lerp(next_sigma.log(), 0.5).exp()
    halfway = x + direction * (middle - sigma)
    return x + slope(halfway, middle, ask(denoise, halfway, middle)) * (next_sigma - sigma)
