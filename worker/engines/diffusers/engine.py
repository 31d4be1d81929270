"""The engine `diffusers`: paints with real model files, on a GPU or any processor, one job at a time."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import torch
from PIL import Image

from darkroom.jobs.contract import Components, ModelFile, UsedFile, WorkRequest, starting_pictures
from worker.engines import Painting, Task
from worker.engines.diffusers.canvas import Canvas, canvas
from worker.engines.diffusers.control.controls import Controls
from worker.engines.diffusers.control.units import replacements, units_of
from worker.engines.diffusers.interrogating.interrogator import Interrogator
from worker.engines.diffusers.models import Models
from worker.engines.diffusers.passes import Batch, Passes
from worker.engines.diffusers.plan import Plan, controls_of, plan_of
from worker.engines.diffusers.studio import Studio
from worker.engines.diffusers.upscaling import Upscaling
from worker.engines.enlarge import enlarge, enlarging_notices
from worker.engines.inputs import masked, picture_of
from worker.enlarging import enlarging_settings_of
from worker.errors import JobError
from worker.infotext import infotext
from worker.model_files import ModelFiles
from worker.parameters import is_masked, seeds_of
from worker.pictures import encode, flatten, thumbnail
from worker.store import Store

VERSION = "Darkroom diffusers"
PICKLES = frozenset({"weights_only", "any"})
"""The values of the stage's setting `pickles` with which this engine reads pickles; it never runs what is in them."""


class DiffusersEngine:
    """Paints one job at a time: the weights of the checkpoint in memory are changed for each."""

    version = VERSION

    def __init__(self, files: ModelFiles | None = None, models: Models | None = None) -> None:
        self._pickles = os.environ.get("DARKROOM_PICKLES", "weights_only") in PICKLES
        self._files = files or ModelFiles(Store())
        self.models = models or Models(pickles=self._pickles)
        self._painting = threading.Lock()
        self._noticed: dict[str, list[str]] = {}

    @property
    def device(self) -> str:
        """See Engine."""
        return self.models.placement.device

    def models_loaded(self) -> list[str]:
        """See Engine."""
        return self.models.loaded

    def load(self, task: Task) -> None:
        """See Engine."""
        if task.request.type not in ("txt2img", "img2img"):
            return
        checkpoint = _checkpoint(task.request)
        # What cannot be done is refused before a large file is read.
        units_of(task.request, [*controls_of(task.request)])
        look = partial(task.step, 0.0)
        with self._alone(look):
            self.models.get(self._files.path(checkpoint, look), checkpoint.name, look)

    def paint(self, task: Task) -> Iterator[Painting]:
        """See Engine."""
        look = partial(task.step, 0.0)
        with self._alone(look):
            if task.request.type == "extras":
                yield self._enlarged(task)
            else:
                yield from self._painted(task)

    def _upscaling(self, task: Task) -> Upscaling:
        return Upscaling(task.request, self._files, self.device, partial(task.step, 0.5), pickles=self._pickles)

    def _enlarged(self, task: Task) -> Painting:
        if enlarging_settings_of(task.request).restores_faces:
            message = "This engine restores no faces: set gfpgan_visibility and codeformer_visibility to 0."
            raise JobError("parameter_invalid", message)
        return enlarge(task, picture_of(task, "init"), self._upscaling(task).scale)

    def notices(self, task: Task) -> list[str]:
        """See Engine."""
        if task.request.type == "extras":
            return enlarging_notices(enlarging_settings_of(task.request))
        return [*replacements(controls_of(task.request)), *self._noticed.pop(task.request.job_id, [])]

    def components(self, task: Task) -> Components:
        """See Engine."""
        used = [UsedFile(kind=kind, name=file.name) for kind, file in _files(task.request)]
        precision = str(self.models.placement.dtype).removeprefix("torch.")
        return Components(engine="diffusers", version=self.version, attention="sdpa", precision=precision, files=used)

    def caption(self, task: Task) -> str:
        """See Engine."""
        look = partial(task.step, 0.5)
        with self._alone(look):
            placed = self.models.placement
            describing = Interrogator(task.request, self._files, placed, look, pickles=self._pickles)
            caption = describing.describe(flatten(picture_of(task, "init")))
            self._noticed[task.request.job_id] = describing.notices
        return caption

    def _painted(self, task: Task) -> Iterator[Painting]:
        request, settings = task.request, task.settings
        starts = [_start(task, name) for name in starting_pictures(request.parameters)] if _is_img2img(request) else []
        plan = plan_of(request, settings, starts[0].size if starts else None)
        controls = Controls(task, plan, self._files, self.device, pickles=self._pickles)
        seeds = seeds_of(request, settings)
        look = partial(task.step, 0.0)
        with Studio(request, self.models, self._files, look, pickles=self._pickles, tiling=settings.tiling) as studio:
            number = 0
            larger = self._upscaling(task).whole(plan.hires.upscaler if plan.hires else "None")
            for turn in range(settings.n_iter):
                share = partial(_share, task.step, turn, settings.n_iter)
                passes = Passes(plan, studio, _checkpoint(request), look=share, enlarge=larger, controls=controls)
                here = seeds[turn * settings.batch_size : (turn + 1) * settings.batch_size]
                batch = Batch([seed for seed, _ in here], [subseed for _, subseed in here])
                for picture in self._batch(passes, batch, task, plan, starts):
                    seed, subseed = seeds[number]
                    number += 1
                    yield self._finished(task, plan, picture, seed, subseed)
            if noticed := [*studio.notices, *controls.notices]:
                self._noticed[request.job_id] = noticed

    def _batch(
        self, passes: Passes, batch: Batch, task: Task, plan: Plan, starts: Sequence[Image.Image]
    ) -> Iterator[Image.Image]:
        if not starts:
            return passes.from_noise(batch)
        many = starts if len(starts) > 1 else list(starts) * len(batch.seeds)
        return passes.from_pictures(batch, [_canvas(task, plan, start) for start in many])

    def _finished(self, task: Task, plan: Plan, picture: Image.Image, seed: int, subseed: int) -> Painting:
        text = infotext(task.request, task.settings, seed=seed, subseed=subseed, size=plan.size, version=self.version)
        png = encode(picture, text, partial(task.step, 1.0))
        return Painting(png, picture.width, picture.height, seed, text, thumbnail(picture))

    @contextmanager
    def _alone(self, look: Callable[[], None]) -> Iterator[None]:
        """Waits until no other job is painted."""
        while not self._painting.acquire(timeout=1):
            look()
        try:
            with torch.inference_mode(mode=False):
                yield
        finally:
            self._painting.release()


def _share(step: Callable[[float], None], turn: int, turns: int, share: float) -> None:
    step((turn + share) / turns)


def _is_img2img(request: WorkRequest) -> bool:
    return request.type == "img2img"


def _checkpoint(request: WorkRequest) -> ModelFile:
    if request.checkpoint is None:
        raise JobError("model_missing", "The job names no checkpoint; choose one.")
    return request.checkpoint


def _files(request: WorkRequest) -> Iterator[tuple[str, ModelFile]]:
    if request.checkpoint:
        yield "stable-diffusion", request.checkpoint
    for kind, files in request.models.items():
        yield from ((kind, file) for file in files if file.s3)
    for files in request.files.values():
        yield from (("engine-file", file) for file in files)


def _start(task: Task, name: str) -> Image.Image:
    return flatten(picture_of(task, name))


def _canvas(task: Task, plan: Plan, init: Image.Image) -> Canvas:
    start, mask = masked(task, init) if is_masked(task.request) else (init, None)
    return canvas(start, mask, task.settings, plan.size)
