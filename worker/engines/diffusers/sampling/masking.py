"""Keeping the latents outside of a mask while sampling."""

from collections.abc import Callable

from torch import Tensor

from worker.engines.diffusers.sampling.names import Sampler
from worker.engines.diffusers.sampling.predicting import spread

Denoise = Callable[[Tensor, Tensor], Tensor]
DenoiseBoth = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def masked(denoise: Denoise, sampler: Sampler, kept: Tensor, repaint: Tensor) -> Denoise:
    """A denoise that repaints only where `repaint` is 1 and leaves the clean latents `kept` where it is 0.

    `repaint` may lie in between, and is of the latents' size. As in the WebUI, samplers that go by timesteps blend what
    the model is shown, all others what it answers. Both are to be blended once more when the sampling is done.
    """

    def after(x: Tensor, sigma: Tensor) -> Tensor:
        return denoise(x, sigma) * repaint + kept * (1 - repaint)

    def before(x: Tensor, sigma: Tensor) -> Tensor:
        # The model sees the kept latents at unit variance and without noise; the noise that it finds is taken from x.
        scale = (spread(sigma, x) ** 2 + 1) ** 0.5
        shown = x * repaint + kept * scale * (1 - repaint)
        return x + denoise(shown, sigma) - shown

    return before if sampler.timesteps else after


def masked_both(denoise_both: DenoiseBoth, kept: Tensor, repaint: Tensor) -> DenoiseBoth:
    """The same for DDIM CFG++, which goes by timesteps and is answered twice."""

    def before(x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        scale = (spread(sigma, x) ** 2 + 1) ** 0.5
        shown = x * repaint + kept * scale * (1 - repaint)
        guided, without = denoise_both(shown, sigma)
        return x + guided - shown, x + without - shown

    return before
