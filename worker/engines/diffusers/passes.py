"""The passes over a batch: from noise or from pictures to latents, the second pass of hires fix, and to pictures.

As in the WebUI 1.10 (modules/processing.py: `StableDiffusionProcessingTxt2Img.sample`, `sample_hr_pass`,
`StableDiffusionProcessingImg2Img.sample`; modules/sd_samplers_common.py: `apply_refiner`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from darkroom.jobs.contract import ModelFile
from worker.engines.diffusers import vaes
from worker.engines.diffusers.canvas import LATENT_NOISE, LATENT_NOTHING, LATENT_RESIZE, Canvas, latent_mask
from worker.engines.diffusers.conditions import Conditions, Teller
from worker.engines.diffusers.families import Family
from worker.engines.diffusers.guidance import Control, Guidance
from worker.engines.diffusers.latents import FACTOR, LATENT_MODES, image, pixels, stretched
from worker.engines.diffusers.models import Model
from worker.engines.diffusers.plan import Hires, Plan, Prompts, Size
from worker.engines.diffusers.prompts.schedule import PassSteps
from worker.engines.diffusers.sampling.fields import sampling_fields
from worker.engines.diffusers.sampling.levels import alphas_cumprod, levels_for
from worker.engines.diffusers.sampling.masking import Denoise, DenoiseBoth, masked, masked_both
from worker.engines.diffusers.sampling.names import Sampler, Scheduler
from worker.engines.diffusers.sampling.noise import ImageNoise, NoiseSource, Variation
from worker.engines.diffusers.sampling.run import Sampling, from_latent, from_noise
from worker.engines.diffusers.sampling.steps import steps_from_latent
from worker.engines.diffusers.studio import Equipped, Studio
from worker.infotext import short_title

CHANNELS = 4
Enlarge = Callable[[Image.Image, Size], Image.Image]
"""An upscaler: a picture and the size that it gets."""
Beside = Callable[[Model], Tensor | None]
"""What a model sees beside the latents of a pass: five channels for an inpainting model, None for others."""
Controls = Callable[[Model, Size, bool], Sequence[Control]]
"""What steers a pass: by which model, of which size, and whether it is the second."""


@dataclass(frozen=True)
class Batch:
    """The pictures that are painted together, by their seeds and variation seeds."""

    seeds: Sequence[int]
    subseeds: Sequence[int]


@dataclass(frozen=True)
class _Pass:
    """What differs from pass to pass. `steps` is what the prompts' schedules count, `taken` how many of them are done;
    `named` is False where the schedule is the model's own, `over` says that latents are painted over. `before` is how
    often the model was asked in the first pass, None in the first."""

    sampler: Sampler
    scheduler: Scheduler
    prompts: Prompts
    size: Size
    steps: int
    taken: int
    named: bool
    over: bool = True
    before: int | None = None


@dataclass(frozen=True)
class _Mask:
    """`repaint` (B, 1, h, w) is 1 where the latents `kept` (B, 4, h, w) are painted over."""

    kept: Tensor
    repaint: Tensor


class Passes:
    """Paints the batches of one job."""

    def __init__(
        self,
        plan: Plan,
        studio: Studio,
        checkpoint: ModelFile,
        *,
        look: Callable[[float], None],
        enlarge: Enlarge,
        controls: Controls = lambda model, size, second: (),
        told: dict[str, Any] | None = None,
    ) -> None:
        """`look` gets the share of a batch that is done; `enlarge` is the upscaler of the hires pass; `controls` says
        what steers a pass. `told` gets what is said under the pictures about how they were painted, in the WebUI's
        order."""
        self._plan = plan
        self._studio = studio
        self._checkpoint = checkpoint
        self._look = look
        self._controls = controls
        self._enlarge = enlarge
        self._done, self._weight = 0.0, 1.0
        self._told = told if told is not None else {}
        self.sees_mask = False
        """Whether an inpainting model painted."""
        self.empty_mask = False
        """Whether only the masked part was to be painted, and the mask covers nothing."""

    def from_noise(self, batch: Batch) -> Iterator[Image.Image]:
        """The pictures of txt2img, one by one."""
        plan = self._plan
        self._done, self._weight = 0.0, 0.5 if plan.hires else 1.0
        steps = plan.settings.steps
        first = _Pass(plan.sampler, plan.scheduler, plan.prompts, plan.size, steps, steps, plan.named, over=False)
        equipped = self._studio.use(self._checkpoint, plan.prompts)
        noise = self._noise(batch, plan.size, equipped.model)

        def beside(model: Model) -> Tensor | None:
            return self._beside_nothing(model, plan.size)

        latents = from_noise(self._sampling(first, equipped, noise, beside), noise.first(), first.steps)
        if plan.hires:
            latents = self._second(batch, plan.hires, latents)
        yield from self._pictures(latents)

    def from_pictures(self, batch: Batch, canvases: Sequence[Canvas]) -> Iterator[Image.Image]:
        """The pictures of img2img, one by one, each from its canvas: what was kept is laid over."""
        plan, settings = self._plan, self._plan.settings
        self._done, self._weight = 0.0, 1.0
        first = canvases[0]
        self.empty_mask = settings.inpaint_full_res and first.mask is not None and first.paste is None
        equipped = self._studio.use(self._checkpoint, plan.prompts)
        model = equipped.model
        # A batch that starts from one picture encodes it once.
        shown = canvases[:1] if all(each is first for each in canvases) else canvases
        starts = pixels([each.start for each in shown], torch.device(model.placement.device))
        latents = self._encoded(model, starts)
        if settings.resize_mode == LATENT_RESIZE and first.mask is None:
            latents = stretched(latents, plan.size)
        latents = latents.repeat(len(canvases) // len(shown), 1, 1, 1)
        mask = self._mask(canvases, latents, batch, model)
        if mask:
            latents = mask.kept
        planned = steps_from_latent(settings.steps, settings.denoising_strength, exact=plan.sampling.img2img_fix_steps)
        taken = planned.taken + 1
        this = _Pass(plan.sampler, plan.scheduler, plan.prompts, plan.size, settings.steps, taken, plan.named)
        noise = self._noise(batch, plan.size, model)

        def beside(model: Model) -> Tensor | None:
            return self._beside(model, starts, latents.shape[-2:], [each.mask for each in shown])

        sampling = self._sampling(this, equipped, noise, beside, mask)
        painted = from_latent(
            sampling, latents, noise.first() * plan.noise, settings.steps, settings.denoising_strength
        )
        if mask:
            painted = painted * mask.repaint + mask.kept * (1 - mask.repaint)
        for canvas, picture in zip(canvases, self._pictures(painted), strict=True):
            yield canvas.finish(picture)

    def _second(self, batch: Batch, hires: Hires, latents: Tensor) -> Tensor:
        """The second pass: larger latents, painted over."""
        plan = self._plan
        stretch = LATENT_MODES.get(hires.upscaler)
        pictures = None if stretch else [*self._pictures(latents)]
        equipped = self._studio.use(
            hires.checkpoint or self._checkpoint, hires.prompts, second=hires.checkpoint is not None
        )
        model = equipped.model
        if stretch:
            latents = stretched(latents, hires.size, stretch[0], antialias=stretch[1])
        elif pictures:
            larger = [self._enlarged(picture, hires) for picture in pictures]
            latents = self._encoded(model, pixels(larger, latents.device))
        latents = _cut(latents, hires)
        self._done = self._weight = 0.5
        # The hires pass does as many steps as it says, whatever its strength.
        first = plan.sampler.calls(plan.settings.steps)
        this = _Pass(
            hires.sampler,
            hires.scheduler,
            hires.prompts,
            hires.cut,
            hires.steps,
            hires.steps,
            hires.named,
            before=first,
        )
        noise = self._noise(batch, hires.cut, model)
        sampling = self._sampling(this, equipped, noise, lambda model: self._beside_nothing(model, hires.cut))
        strength = plan.settings.denoising_strength
        return from_latent(sampling, latents, noise.first(), hires.steps, strength, exact=True)

    def _enlarged(self, picture: Image.Image, hires: Hires) -> Image.Image:
        self._look(self._done + self._weight)
        return self._enlarge(picture, hires.size)

    def _sampling(
        self,
        this: _Pass,
        equipped: Equipped,
        noise: ImageNoise,
        beside: Beside,
        mask: _Mask | None = None,
    ) -> Sampling:
        plan, model, options = self._plan, equipped.model, self._plan.sampling
        conditions = self._conditions(this, equipped)
        self._tell(this)
        alphas = alphas_cumprod(
            zero_terminal_snr=model.kind.zero_snr or options.sd_noise_schedule == "Zero Terminal SNR",
            downcast=options.use_downcasted_alpha_bar,
        )
        guidance = Guidance(
            model=model,
            conditions=conditions,
            levels=levels_for(this.sampler, alphas, rounded=options.enable_quantization),
            sampler=this.sampler,
            options=options,
            scale=plan.settings.cfg_scale,
            expected=this.sampler.calls(this.taken),
            beside=beside(model),
            controls=self._controls(model, this.size, this.before is not None),
            look=lambda share: self._look(self._done + self._weight * share),
            before_call=self._refining(this, beside),
            told=self._told,
        )
        denoise, both = _within(guidance, mask)
        return Sampling(
            sampler=this.sampler,
            scheduler=this.scheduler,
            levels=guidance.levels,
            options=options,
            noise=noise,
            denoise=denoise,
            denoise_both=both,
            sdxl=model.kind.family in (Family.SDXL, Family.REFINER),
        )

    def _conditions(self, this: _Pass, equipped: Equipped) -> Conditions:
        self.sees_mask = self.sees_mask or equipped.model.kind.inpainting
        if equipped.lora_hashes:
            known = self._told.get("Lora hashes")
            named = [*(known.split(", ") if known else []), *(f"{k}: {v}" for k, v in equipped.lora_hashes.items())]
            self._told["Lora hashes"] = ", ".join(dict.fromkeys(named))
        teller = Teller(
            equipped.model,
            self._plan.prompting,
            equipped.embeddings,
            lambda: self._look(self._done),
            equipped.embedding_hashes,
        )
        teller.told |= {name: self._told[name] for name in ("TI hashes",) if name in self._told}
        steps = PassSteps(this.sampler.calls(this.steps), this.before, self._plan.prompting.use_old_scheduling)
        conditions = teller.conditions(this.prompts.positive, this.prompts.negative, steps, this.size)
        self._told.update(teller.told)
        return conditions

    def _tell(self, this: _Pass) -> None:
        """Notes what is special about how a pass is sampled."""
        plan = self._plan
        if plan.noise != 1.0:
            self._told["Noise multiplier"] = plan.noise
        fields = sampling_fields(this.sampler, this.scheduler, plan.sampling, named=this.named, over=this.over)
        self._told.update(fields)

    def _refining(self, this: _Pass, beside: Beside) -> Callable[[Guidance, Tensor], None]:
        """What changes to the refiner when its time has come."""
        refiner, hires = self._plan.refiner, self._plan.hires is not None
        second = this.before is not None
        skipped = hires and refiner is not None and refiner.passes == ("first pass" if second else "second pass")
        if refiner is None or skipped or refiner.checkpoint == self._checkpoint:
            return lambda guidance, sigma: None
        changed = False

        def change(guidance: Guidance, sigma: Tensor) -> None:
            nonlocal changed
            if changed:
                return
            if refiner.by_steps:
                self._told["Refiner switch by sampling steps"] = True
            done = guidance.calls / max(1, guidance.expected)
            if not refiner.by_steps:
                done = (999 - float(guidance.levels.timestep(sigma).max().round())) / 1000
            if done < refiner.at:
                return
            changed = True
            if hires and refiner.passes != "second pass":
                self._told["Hires refiner"] = refiner.passes
            title = short_title(refiner.checkpoint.name, self._studio.sha256(refiner.checkpoint))
            self._told |= {"Refiner": title, "Refiner switch at": refiner.at}
            equipped = self._studio.use(refiner.checkpoint, this.prompts, second=True)
            guidance.model = equipped.model
            if not equipped.model.kind.inpainting:
                guidance.beside = None
            elif guidance.beside is None:
                guidance.beside = beside(equipped.model)
            guidance.conditions = self._conditions(this, equipped)
            # The noise schedule stays that of the first checkpoint, as the sampler is half way down it.

        return change

    def _noise(self, batch: Batch, size: Size, model: Model) -> ImageNoise:
        settings, options = self._plan.settings, self._plan.sampling
        return ImageNoise(
            (CHANNELS, size[1] // FACTOR, size[0] // FACTOR),
            batch.seeds,
            NoiseSource(options.randn_source, torch.device(model.placement.device)),
            variation=Variation(batch.subseeds, settings.subseed_strength),
            resize_from=(settings.seed_resize_from_w, settings.seed_resize_from_h),
            delta=options.eta_noise_seed_delta,
        )

    def _mask(self, canvases: Sequence[Canvas], latents: Tensor, batch: Batch, model: Model) -> _Mask | None:
        """The masks of the latents, and the latents with the masked content that is asked for."""
        height, width = latents.shape[-2:]
        masks = [latent_mask(each.mask, (width, height)) for each in canvases if each.mask is not None]
        if not masks:
            return None
        repaint = torch.from_numpy(np.stack(masks))[:, None].to(latents)
        content = self._plan.settings.inpainting_fill
        if content == LATENT_NOISE:
            noise = self._plain_noise(batch, (width * FACTOR, height * FACTOR), model)
            latents = latents * (1 - repaint) + noise * repaint
        elif content == LATENT_NOTHING:
            latents = latents * (1 - repaint)
        return _Mask(latents, repaint)

    def _plain_noise(self, batch: Batch, size: Size, model: Model) -> Tensor:
        """The noise of the seeds alone."""
        source = NoiseSource(self._plan.sampling.randn_source, torch.device(model.placement.device))
        shape = (CHANNELS, size[1] // FACTOR, size[0] // FACTOR)
        return ImageNoise(shape, batch.seeds, source).first()

    def _encoded(self, model: Model, starts: Tensor) -> Tensor:
        """The latents of pictures; one at a time, as each takes much memory."""
        found = []
        for one in starts.split(1):
            self._look(self._done)
            found.append(vaes.encode(model, one))
        return torch.cat(found)

    def _pictures(self, latents: Tensor) -> Iterator[Image.Image]:
        model = self._studio.current.model
        for one in latents.split(1):
            self._look(self._done + self._weight)
            yield image(vaes.decode(model, one)[0])

    def _beside(
        self, model: Model, starts: Tensor, size: Sequence[int], masks: Sequence[Image.Image | None]
    ) -> Tensor | None:
        """The five channels of an inpainting model: the mask, and the latents of what is not masked."""
        if not model.kind.inpainting:
            return None
        shown, channels = [], []
        for start, mask in zip(starts.split(1), masks, strict=True):
            share = torch.ones_like(start[:, :1])
            if mask is not None:
                share = torch.from_numpy(np.asarray(mask, dtype=np.float32) / 255).round()[None, None].to(start)
            shown.append(start * (1 - share * self._plan.sampling.inpainting_mask_weight))
            channels.append(functional.interpolate(share, size=tuple(size)))
        latents = functional.interpolate(self._encoded(model, torch.cat(shown)), size=tuple(size))
        return torch.cat([torch.cat(channels), latents], dim=1)

    def _beside_nothing(self, model: Model, size: Size) -> Tensor | None:
        """The same where there is no picture, for every picture of a batch: all is masked, and what is shown is
        grey."""
        if not model.kind.inpainting:
            return None
        grey = torch.zeros(1, 3, size[1], size[0], device=model.placement.device)
        return self._beside(model, grey, (size[1] // FACTOR, size[0] // FACTOR), [None])


def _within(guidance: Guidance, mask: _Mask | None) -> tuple[Denoise, DenoiseBoth]:
    """The guidance's answers, where the mask says so."""
    if mask is None:
        return guidance.denoise, guidance.denoise_both
    kept, repaint = mask.kept, mask.repaint
    return (
        masked(guidance.denoise, guidance.sampler, kept, repaint),
        masked_both(guidance.denoise_both, kept, repaint),
    )


def _cut(latents: Tensor, hires: Hires) -> Tensor:
    """The middle of the latents, where the picture is to have other proportions."""
    right = (hires.size[0] - hires.cut[0]) // FACTOR
    down = (hires.size[1] - hires.cut[1]) // FACTOR
    height, width = latents.shape[-2:]
    return latents[:, :, down // 2 : height - (down + 1) // 2, right // 2 : width - (right + 1) // 2]
