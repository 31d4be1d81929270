"""DPM-Solver++ for stochastic differential equations: DPM++ SDE, 2M SDE, 2M SDE Heun and 3M SDE.

Their noise comes from one Brownian path, so that noise of neighbouring steps fits together.
"""

from torch import Tensor

from worker.engines.diffusers.sampling.noise import NoiseBetween
from worker.engines.diffusers.sampling.stepping import Denoise, OnStep, ancestral, ask, from_log, slope, to_log


def dpmpp_sde(
    denoise: Denoise,
    x: Tensor,
    sigmas: Tensor,
    noise: NoiseBetween,
    on_step: OnStep,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
) -> Tensor:
    """One step at a time, with the model asked in its middle as well."""
    for step in range(len(sigmas) - 1):
        sigma, next_sigma = sigmas[step], sigmas[step + 1]
        clean = ask(denoise, x, sigma)
        on_step(step, clean)
        if next_sigma == 0:
            x = x + slope(x, sigma, clean) * (next_sigma - sigma)
            continue
        # The levels are led through the logarithm and back, so that all that follows agrees on their last digits.
        start, end = to_log(sigma), to_log(next_sigma)
        sigma, next_sigma, middle = from_log(start), from_log(end), from_log(start + (end - start) / 2)
        halfway = _noisy_step(x, sigma, middle, clean, noise, eta, s_noise)
        x = _noisy_step(x, sigma, next_sigma, ask(denoise, halfway, middle), noise, eta, s_noise)
    return x


def _noisy_step(
    x: Tensor, sigma: Tensor, next_sigma: Tensor, clean: Tensor, noise: NoiseBetween, eta: float, s_noise: float
) -> Tensor:
    down, up = ancestral(sigma, next_sigma, eta)
    down = from_log(to_log(down))
    moved = down / sigma * x - (to_log(sigma) - to_log(down)).expm1() * clean
    return moved + noise(sigma, next_sigma) * s_noise * up


def dpmpp_2m_sde(
    denoise: Denoise,
    x: Tensor,
    sigmas: Tensor,
    noise: NoiseBetween,
    on_step: OnStep,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
    heun: bool = False,
) -> Tensor:
    """Looks back one step; `heun` weighs the change since then by the exact integral, else by the midpoint's."""
    before: Tensor | None = None
    last_length = None
    for step in range(len(sigmas) - 1):
        clean = ask(denoise, x, sigmas[step])
        on_step(step, clean)
        if sigmas[step + 1] == 0:
            return clean
        length = to_log(sigmas[step + 1]) - to_log(sigmas[step])
        whole = length + eta * length
        x = sigmas[step + 1] / sigmas[step] * (-eta * length).exp() * x - (-whole).expm1() * clean
        if before is not None:
            change = (clean - before) * length / last_length
            x = x + ((-whole).expm1() / whole + 1 if heun else -0.5 * (-whole).expm1()) * change
        x = x + _step_noise(sigmas, step, length, noise, eta, s_noise)
        before, last_length = clean, length
    return x


def dpmpp_3m_sde(
    denoise: Denoise,
    x: Tensor,
    sigmas: Tensor,
    noise: NoiseBetween,
    on_step: OnStep,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
) -> Tensor:
    """Looks back two steps."""
    answers: list[Tensor] = []
    lengths: list[Tensor] = []
    for step in range(len(sigmas) - 1):
        clean = ask(denoise, x, sigmas[step])
        on_step(step, clean)
        if sigmas[step + 1] == 0:
            return clean
        length = to_log(sigmas[step + 1]) - to_log(sigmas[step])
        whole = length * (eta + 1)
        x = (-whole).exp() * x - (-whole).expm1() * clean
        phi_2 = (-whole).expm1() / whole + 1
        if len(answers) == 2:
            near, far = lengths[0] / length, lengths[1] / length
            first, second = (clean - answers[0]) / near, (answers[0] - answers[1]) / far
            bend = (first - second) / (near + far)
            x = x + phi_2 * (first + bend * near) - (phi_2 / whole - 0.5) * bend
        elif answers:
            x = x + phi_2 * (clean - answers[0]) * length / lengths[0]
        x = x + _step_noise(sigmas, step, length, noise, eta, s_noise)
        answers, lengths = [clean, *answers[:1]], [length, *lengths[:1]]
    return x


def _step_noise(
    sigmas: Tensor, step: int, length: Tensor, noise: NoiseBetween, eta: float, s_noise: float
) -> Tensor | float:
    if not eta:
        return 0.0
    strength = sigmas[step + 1] * (-(-2 * eta * length).expm1()).sqrt() * s_noise
    return noise(sigmas[step], sigmas[step + 1]) * strength
