"""The preview engine: without a model it draws a picture in milliseconds, on any machine, and marks it as a preview.

Everything but the drawing is as with a real engine: sizes, seeds, masks, strength, infotext.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from PIL import Image

from darkroom.jobs.contract import Components, WorkRequest, starting_pictures
from worker.engines import Fetched, NothingToFetch, Painting, Task, painting
from worker.engines.banner import stamp
from worker.engines.describe import sentence, tags
from worker.engines.enlarge import enlarge, enlarging_notices
from worker.engines.inputs import masked, picture_of
from worker.engines.scene import draw_scene
from worker.enlarging import enlarging_settings_of
from worker.errors import JobError
from worker.infotext import infotext
from worker.parameters import GenerationSettings, hires_size_of, is_masked, seeds_of
from worker.picture_files import PARAMETERS
from worker.pictures import feather, fit, flatten
from worker.release import RELEASE

TXT2IMG_SIDE = 512
MAX_SIDE = 8192


@dataclass(frozen=True)
class Canvas:
    """What is painted on. `size` is the size of the result, `requested` the one that the infotext names.

    `start` is the picture that is painted over, `mask` (L, 255 = repaint) says where, and `kept` is the picture that
    stays everywhere else. `soft` is the mask with its edges blurred.
    """

    size: tuple[int, int]
    requested: tuple[int, int]
    start: Image.Image | None = None
    kept: Image.Image | None = None
    mask: Image.Image | None = None
    soft: Image.Image | None = None


class PreviewEngine:
    """Draws a scene that depends on the job only: the same job always gives the same bytes."""

    version = f"Darkroom preview {RELEASE}"
    device = "cpu"

    def models_loaded(self) -> list[str]:
        """None, as it has no models."""
        return []

    def fetch(self, request: WorkRequest) -> Fetched:
        """See Engine. It needs none."""
        return NothingToFetch()

    def load(self, task: Task) -> None:
        """Nothing to load."""

    def paint(self, task: Task) -> Iterator[Painting]:
        """See Engine. Raises JobError `image_missing` without a needed picture, and `sizes_differ` for a mask of
        another size."""
        if task.request.type == "extras":
            yield enlarge(task, picture_of(task, "init"))
            return
        starts = starting_pictures(task.request.parameters)
        canvas = _canvas(task, starts[0], partial(task.step, 0.0))
        seeds = seeds_of(task.request, task.settings)
        subject = _subject(task.request, task.settings)
        for number, (seed, subseed) in enumerate(seeds):
            look = partial(task.step, number / len(seeds))
            look()
            if len(starts) > 1:
                # Made when it is needed: the canvases of a whole batch may not fit into memory together.
                canvas = _canvas(task, starts[number % len(starts)], look, canvas.requested)
            text = infotext(
                task.request,
                task.settings,
                seed=seed,
                subseed=subseed,
                size=canvas.requested,
                version=self.version,
            )
            varied = f" {subseed}" if task.settings.subseed_strength else ""
            image = _painted(canvas, task.settings, f"{subject} {seed}{varied}", f"seed {seed}", look)
            yield painting(task, image, {PARAMETERS: text}, text, number / len(seeds), seed)

    def notices(self, task: Task) -> list[str]:
        """See Engine; every other picture says itself that it is a preview."""
        if task.request.type != "extras":
            return []
        settings = enlarging_settings_of(task.request)
        notices = enlarging_notices(settings)
        names = " and ".join(name[:100] for name in settings.upscalers)
        if settings.enlarges and names not in ("Lanczos", "Nearest"):
            notices.append(f"This is a preview: it was resized with Lanczos, not with {names}.")
        if settings.restores_faces:
            notices.append("This is a preview: no face was restored.")
        return notices

    def components(self, task: Task) -> Components:
        """See Engine; it computes nothing and reads no model file."""
        return Components(engine="preview", version=RELEASE)

    def caption(self, task: Task) -> str:
        """See Engine. The description has only what can be measured: colours, light, shape."""
        picture = flatten(picture_of(task, "init"))
        return sentence(picture) if task.request.type == "interrogate_clip" else tags(picture)


def _painted(
    canvas: Canvas, settings: GenerationSettings, recipe: str, note: str, look: Callable[[], None]
) -> Image.Image:
    """One picture; `look` is called between its stages, each of which takes up to a second for the largest sizes."""
    strength = 1.0 if canvas.start is None else settings.denoising_strength
    if strength == 0 and canvas.start is not None:
        image = canvas.start
    else:
        image = draw_scene(recipe, canvas.size)
        look()
        if canvas.start is not None:
            image = Image.blend(canvas.start, image, strength)
        stamp(image, note, settings.prompt, canvas.mask)
    look()
    if canvas.kept is None or canvas.soft is None:
        return image
    return Image.composite(image, canvas.kept, canvas.soft)


def _subject(request: WorkRequest, settings: GenerationSettings) -> str:
    """A digest of all that a real model's pictures depend on, apart from seeds, size and the pictures they start from.

    Made once a job: the prompt and the list of models may be long, and the pictures many.
    """
    text = json.dumps(
        [
            settings.subseed_strength,
            settings.prompt,
            settings.negative_prompt,
            request.checkpoint.name if request.checkpoint else None,
            {kind: [file.name for file in files] for kind, files in sorted(request.models.items()) if files},
            [settings.steps, settings.sampler, settings.scheduler, settings.cfg_scale, settings.clip_skip],
        ]
    )
    return hashlib.sha256(text.encode()).hexdigest()


def _canvas(task: Task, name: str, look: Callable[[], None], size: tuple[int, int] | None = None) -> Canvas:
    """The canvas over the picture `name`. `size` is the size of the batch, None for the one that the job requests;
    `look` is called between the stages."""
    settings = task.settings
    if task.request.type == "txt2img":
        requested = (settings.width or TXT2IMG_SIDE, settings.height or TXT2IMG_SIDE)
        return Canvas(size=_hires(requested, settings) if settings.enable_hr else requested, requested=requested)
    init = flatten(picture_of(task, name))
    requested = size or (settings.width or init.width, settings.height or init.height)
    if not is_masked(task.request):
        return Canvas(size=requested, requested=requested, start=fit(init, requested, settings.resize_mode))
    start, mask = masked(task, init)
    # "Only masked" pastes what it paints back into the picture as it came; "whole picture" resizes it first.
    size = init.size if settings.inpaint_full_res else requested
    fitted = []
    for each in (start, init, mask):
        look()
        fitted.append(fit(each, size, settings.resize_mode))
    look()
    start, kept, mask = fitted
    return Canvas(size, requested, start, kept, mask, soft=feather(mask, settings.blur))


def _hires(requested: tuple[int, int], settings: GenerationSettings) -> tuple[int, int]:
    """The size after the hires pass. JobError `parameter_invalid` for one that is too large."""
    width, height = hires_size_of(settings, requested)
    if max(width, height) > MAX_SIDE:
        raise JobError("parameter_invalid", f"The hires pass would end above {MAX_SIDE} pixels a side.")
    return max(width, 8), max(height, 8)
