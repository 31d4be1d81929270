"""The engine `diffusers`: paints with real model files, on a GPU or any processor, one job at a time."""

import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from PIL import Image

from darkroom.jobs.contract import Components, ModelFile, UsedFile, WorkRequest, starting_pictures
from worker.engines import Painting, Task, painting
from worker.engines.diffusers.canvas import LATENT_RESIZE, Canvas, canvas
from worker.engines.diffusers.compiled import runners
from worker.engines.diffusers.control.controls import Controls
from worker.engines.diffusers.control.units import replacements, units_of
from worker.engines.diffusers.interrogating.interrogator import Interrogator
from worker.engines.diffusers.memory import too_large
from worker.engines.diffusers.models import Models, placement
from worker.engines.diffusers.passes import Batch, Passes
from worker.engines.diffusers.plan import GRID, Plan, Size, checked, controls_of, left_out, plan_of
from worker.engines.diffusers.sampling.fields import noise_seed_delta
from worker.engines.diffusers.studio import Studio
from worker.engines.diffusers.upscaling import Upscaling
from worker.engines.enlarge import enlarge, enlarging_notices
from worker.engines.inputs import masked, picture_of
from worker.enlarging import enlarging_settings_of
from worker.errors import JobError
from worker.fetching import Fetching
from worker.filing import Steps
from worker.findings import Findings
from worker.infotext import infotext
from worker.model_files import ModelFiles
from worker.parameters import is_masked, seeds_of
from worker.picture_files import PARAMETERS
from worker.pictures import flatten
from worker.release import RELEASE
from worker.store import Store
from worker.used_files import JobFiles, files_of

VERSION = f"Darkroom diffusers {RELEASE}"
PICKLES = frozenset({"weights_only", "any"})
"""The values of the stage's setting `pickles` with which this engine reads pickles; it never runs what is in them."""


class DiffusersEngine:
    """Paints one job at a time: the weights of the checkpoint in memory are changed for each."""

    version = VERSION

    def __init__(self, files: ModelFiles | None = None, models: Models | None = None) -> None:
        self._pickles = os.environ.get("DARKROOM_PICKLES", "weights_only") in PICKLES
        store = Store()
        self._files = files or ModelFiles(store)
        self.models = models or _models(store, pickles=self._pickles)
        self._painting = threading.Lock()
        self._asked: tuple[Size, int] | None = None
        self._used: dict[str, list[UsedFile]] = {}
        self._noticed: dict[str, list[str]] = {}

    @property
    def device(self) -> str:
        """See Engine."""
        return self.models.placement.device

    def models_loaded(self) -> list[str]:
        """See Engine."""
        return self.models.loaded

    def fetch(self, request: WorkRequest) -> Fetching:
        """See Engine. The checkpoint comes first: it is loaded while the others are on their way."""
        return Fetching(self._files, [file for _, file in reversed(files_of(request))])

    def load(self, task: Task) -> None:
        """See Engine."""
        if task.request.type not in ("txt2img", "img2img"):
            return
        checkpoint = _checkpoint(task.request)
        # What cannot be done is refused before a large file is read.
        units_of(task.request, [*controls_of(task.request)])
        look = partial(task.step, 0.0)
        with self._files.open(checkpoint, look) as opened:
            if self._painting.locked():
                # Whoever is painted need not wait for a file that is on its way.
                opened.wait_whole(look)
            with self._alone(look):
                self.models.get(opened, checkpoint.name, look)

    def paint(self, task: Task) -> Iterator[Painting]:
        """See Engine."""
        task = replace(task, step=Steps(task.step))
        look = partial(task.step, 0.0)
        with JobFiles(self._files, task.request) as files:
            with self._alone(look):
                if task.request.type == "extras":
                    yield self._enlarged(task, files)
                else:
                    yield from self._painted(task, files)
            self._used[task.request.job_id] = files.used(look)

    def _upscaling(self, task: Task, files: JobFiles) -> Upscaling:
        return Upscaling(task.request, files, self.device, partial(task.step, 0.5), pickles=self._pickles)

    def _enlarged(self, task: Task, files: JobFiles) -> Painting:
        if enlarging_settings_of(task.request).restores_faces:
            message = "This engine restores no faces: set gfpgan_visibility and codeformer_visibility to 0."
            raise JobError("parameter_invalid", message)
        return enlarge(task, picture_of(task, "init"), self._upscaling(task, files).scale)

    def notices(self, task: Task) -> list[str]:
        """See Engine."""
        if task.request.type == "extras":
            return enlarging_notices(enlarging_settings_of(task.request))
        return [*replacements(controls_of(task.request)), *self._noticed.pop(task.request.job_id, [])]

    def components(self, task: Task) -> Components:
        """See Engine."""
        used = self._used.pop(task.request.job_id, [])
        precision = str(self.models.placement.dtype).removeprefix("torch.")
        return Components(engine="diffusers", version=RELEASE, attention="sdpa", precision=precision, files=used)

    def caption(self, task: Task) -> str:
        """See Engine."""
        request, look = task.request, partial(task.step, 0.5)
        with JobFiles(self._files, request) as files:
            with self._alone(look):
                describing = Interrogator(request, files, self.models.placement, look, pickles=self._pickles)
                caption = describing.describe(flatten(picture_of(task, "init")))
            self._noticed[request.job_id] = describing.notices
            self._used[request.job_id] = files.used(look)
        return caption

    def _painted(self, task: Task, files: JobFiles) -> Iterator[Painting]:
        request, settings = task.request, task.settings
        starts = [_start(task, name) for name in starting_pictures(request.parameters)] if _is_img2img(request) else []
        plan = plan_of(request, settings, starts[0].size if starts else None)
        self._asked = (plan.hires.size if plan.hires else plan.size, settings.batch_size)
        canvases = _canvases(task, plan, starts)
        controls = Controls(task, plan, files, self.device, pickles=self._pickles)
        seeds = seeds_of(request, settings)
        look = partial(task.step, 0.0)
        told: dict[str, Any] = {}
        with Studio(request, self.models, files, look, pickles=self._pickles, tiling=settings.tiling) as studio:
            number = 0
            larger = self._upscaling(task, files).whole(plan.hires.upscaler if plan.hires else "None")
            for turn in range(settings.n_iter):
                share = partial(_share, task.step, turn, settings.n_iter)
                passes = Passes(
                    plan, studio, _checkpoint(request), look=share, enlarge=larger, controls=controls, told=told
                )
                here = seeds[turn * settings.batch_size : (turn + 1) * settings.batch_size]
                batch = Batch([seed for seed, _ in here], [subseed for _, subseed in here])
                for picture in _batch(passes, batch, canvases):
                    seed, subseed = seeds[number]
                    number += 1
                    found = replace(self._findings(task, plan, files, passes, told), scripts=controls.said)
                    yield self._finished(task, plan, picture, (seed, subseed), found, (turn + 1) / settings.n_iter)
            if noticed := [*studio.notices, *controls.notices, *left_out(settings.override_settings)]:
                self._noticed[request.job_id] = noticed

    def _findings(self, task: Task, plan: Plan, files: JobFiles, passes: Passes, told: Mapping[str, Any]) -> Findings:
        """What is said under a picture and does not stand in the job."""
        request, look = task.request, partial(task.step, 0.0)
        vae = next((file for file in request.models.get("vae", []) if file.s3), None)
        second = plan.hires.checkpoint if plan.hires else None
        return Findings(
            model_hash=files.sha256(_checkpoint(request), look),
            vae_hash=files.sha256(vae, look) if vae else None,
            hires_checkpoint=(second.name, files.sha256(second, look)) if second else None,
            mask_weight=plan.sampling.inpainting_mask_weight if passes.sees_mask else None,
            noise_seed_delta=noise_seed_delta(plan.sampler, plan.sampling),
            start_hash=_start_hash(task),
            empty_mask=passes.empty_mask,
            painted=dict(told),
        )

    def _finished(
        self, task: Task, plan: Plan, picture: Image.Image, seeds: tuple[int, int], found: Findings, share: float
    ) -> Painting:
        settings = task.settings
        text = infotext(
            task.request,
            settings,
            seed=seeds[0],
            subseed=seeds[1],
            # As it was asked for: the WebUI tells this size, though it paints whole multiples of 8 pixels.
            size=(settings.width or plan.size[0], settings.height or plan.size[1]),
            version=self.version,
            found=found,
        )
        return painting(task, picture, {PARAMETERS: text}, text, share, seeds[0], found)

    @contextmanager
    def _alone(self, look: Callable[[], None]) -> Iterator[None]:
        """Waits until no other job is painted. JobError `out_of_memory`, with what would fit, when this does not."""
        while not self._painting.acquire(timeout=1):
            look()
        self._asked = None
        try:
            full = False
            try:
                with torch.inference_mode(mode=False):
                    yield
            except torch.OutOfMemoryError:
                full = True
            if full:
                # Only here are the tensors gone that the error held.
                raise too_large(self.models.current, self._asked, look)
        finally:
            self._painting.release()


def _models(store: Store, *, pickles: bool) -> Models:
    placed = placement()
    return Models(placed, pickles=pickles, runner=runners(placed.device, os.environ, store))


def _share(step: Callable[[float], None], turn: int, turns: int, share: float) -> None:
    step((turn + share) / turns)


def _is_img2img(request: WorkRequest) -> bool:
    return request.type == "img2img"


def _checkpoint(request: WorkRequest) -> ModelFile:
    if request.checkpoint is None:
        raise JobError("model_missing", "The job names no checkpoint; choose one.")
    return request.checkpoint


def _start_hash(task: Task) -> str | None:
    """The hash of the last picture that img2img starts from, where the option `save_init_img` asks for it."""
    if not _is_img2img(task.request) or task.settings.override_settings.get("save_init_img") is not True:
        return None
    last = picture_of(task, starting_pictures(task.request.parameters)[-1])
    return hashlib.md5(last.tobytes(), usedforsecurity=False).hexdigest()


def _start(task: Task, name: str) -> Image.Image:
    return flatten(picture_of(task, name))


def _canvases(task: Task, plan: Plan, starts: Sequence[Image.Image]) -> list[Canvas]:
    """What the pictures of every batch are painted on, one for each picture that the job starts from."""
    is_inpainting = is_masked(task.request)
    if starts and task.settings.resize_mode == LATENT_RESIZE and not is_inpainting:
        _check_stretched(starts)
    begun = [masked(task, start) if is_inpainting else (start, None) for start in starts]
    return [canvas(start, mask, task.settings, plan.size) for start, mask in begun]


def _batch(passes: Passes, batch: Batch, canvases: list[Canvas]) -> Iterator[Image.Image]:
    if not canvases:
        return passes.from_noise(batch)
    return passes.from_pictures(batch, canvases if len(canvases) > 1 else canvases * len(batch.seeds))


def _check_stretched(starts: Sequence[Image.Image]) -> None:
    """Refuses pictures of which latents cannot be made as they are, where these are stretched and not the pictures."""
    if len({start.size for start in starts}) > 1:
        raise JobError("sizes_differ", "resize_mode 3 takes pictures of one size; choose another resize mode.")
    if min(starts[0].size) < GRID:
        message = f"resize_mode 3 needs a picture of {GRID} pixels a side at least; choose another resize mode."
        raise JobError("parameter_invalid", message)
    checked(starts[0].size)
