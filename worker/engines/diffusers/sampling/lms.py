"""LMS: a linear multistep method (Adams–Bashforth on unequal steps) of order 4."""

from numpy.polynomial import Polynomial
from torch import Tensor

from worker.engines.diffusers.sampling.noise import NoiseBetween
from worker.engines.diffusers.sampling.stepping import Denoise, OnStep, ask, slope

ORDER = 4


def lms(denoise: Denoise, x: Tensor, sigmas: Tensor, noise: NoiseBetween, on_step: OnStep) -> Tensor:
    """Integrates the polynomial through the last four directions. Adds no noise."""
    levels = sigmas.double().tolist()
    directions: list[Tensor] = []
    for step in range(len(sigmas) - 1):
        clean = ask(denoise, x, sigmas[step])
        on_step(step, clean)
        directions = [slope(x, sigmas[step], clean), *directions[: ORDER - 1]]
        weights = _weights(levels[: step + 1][::-1][: len(directions)], levels[step + 1])
        x = x + sum(weight * direction for weight, direction in zip(weights, directions, strict=True))
    return x


def _weights(points: list[float], end: float) -> list[float]:
    """How much the direction at each point counts for the step from the first point to `end`."""
    weights = []
    for point in points:
        # The Lagrange polynomial that is 1 at this point and 0 at all others.
        basis = Polynomial([1.0])
        for other in points:
            if other != point:
                basis *= Polynomial([-other, 1.0]) / (point - other)
        whole = basis.integ()
        weights.append(float(whole(end) - whole(points[0])))
    return weights
