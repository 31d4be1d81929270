"""From a UNet that predicts noise or velocity to clean latents."""

from collections.abc import Callable
from typing import Any, Literal

from torch import Tensor

from worker.engines.diffusers.sampling.levels import Levels
from worker.engines.diffusers.sampling.names import Sampler

Unet = Callable[[Tensor, Tensor, Any], Tensor]
"""`unet(x, timestep, cond)`: x of variance about one, a timestep for each picture; answers what the model predicts."""
Predict = Callable[[Tensor, Tensor, Any], Tensor]
"""`predict(x, sigma, cond)`: clean latents, for one conditioning; see the package for x and sigma."""
Prediction = Literal["epsilon", "v_prediction"]


def spread(values: Tensor, like: Tensor) -> Tensor:
    """One value for each picture, shape (B,), shaped so that it can be multiplied with a batch `like` (B, …)."""
    return values.reshape(-1, *[1] * (like.ndim - 1))


def predictor(unet: Unet, levels: Levels, sampler: Sampler, prediction: Prediction) -> Predict:
    """Turns a UNet into a function that answers clean latents, for the sampler that will use it.

    `prediction` says what the UNet was trained to predict. The guidance, which needs several answers, is put around
    this function.
    """

    def predict(x: Tensor, sigma: Tensor, cond: Any) -> Tensor:
        timestep = levels.timestep(sigma)
        level = spread(sigma, x)
        scale = (level**2 + 1) ** 0.5
        answer = unet(x / scale, timestep, cond)
        clean = x - level * answer if prediction == "epsilon" else x / scale**2 - answer * level / scale
        return _consistent(clean, x, timestep) if sampler.name == "LCM" else clean

    return predict


def _consistent(clean: Tensor, x: Tensor, timestep: Tensor) -> Tensor:
    """What a latent consistency model answers: near timestep 0, it hands its input through (Luo et al., 2023)."""
    data = 0.5**2
    scaled = spread(timestep, x) * 10.0
    return scaled / (scaled**2 + data) ** 0.5 * clean + data / (scaled**2 + data) * x
