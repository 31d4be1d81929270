"""Jobs for the engine on tiny model files, as the worker runs them."""

import io
import random
from collections.abc import Mapping
from functools import cache, partial
from typing import Any

from PIL import Image

from darkroom.jobs.contract import ModelFile, WorkRequest
from tests.worker.files import CPU, checkpoint_file, folder
from worker.engines import Painting, Task
from worker.engines.diffusers.engine import DiffusersEngine
from worker.engines.diffusers.models import Models
from worker.model_files import ModelFiles
from worker.parameters import settings_of
from worker.store import Store

SIZE = (64, 64)
PLAIN: dict[str, Any] = {
    "prompt": "a pier at night",
    "seed": 7,
    "steps": 4,
    "width": SIZE[0],
    "height": SIZE[1],
    "override_settings": {"randn_source": "CPU"},
}


@cache
def engine() -> DiffusersEngine:
    """One engine for all tests of a process."""
    files = ModelFiles(Store(), cache=folder() / "cache", local=folder())
    return DiffusersEngine(files, Models(CPU, pickles=True))


def file(name: str) -> ModelFile:
    """A file of the folder, as a request names it."""
    return ModelFile(name=name, s3=f"s3://models/{name}")


def photo(size: tuple[int, int] = SIZE, seed: int = 1) -> Image.Image:
    """A picture of noise."""
    return Image.frombytes("RGB", size, random.Random(seed).randbytes(size[0] * size[1] * 3))


def request_of(
    checkpoint: str = "tiny-sd15",
    *,
    job: str = "txt2img",
    mode: str | None = None,
    models: Mapping[str, list[ModelFile]] | None = None,
    files: Mapping[str, list[ModelFile]] | None = None,
    pictures: Mapping[str, Image.Image] | None = None,
    **fields: Any,
) -> WorkRequest:
    """A job with the fields of PLAIN and these; None leaves a field out."""
    parameters = {name: value for name, value in (PLAIN | fields).items() if value is not None}
    return WorkRequest.model_validate(
        {
            "job_id": "job-1",
            "type": job,
            "mode": mode,
            "parameters": parameters,
            "images": {name: f"s3://pictures/{name}" for name in pictures or {}},
            "checkpoint": file(checkpoint_file(checkpoint).name),
            "models": {kind: [each.model_dump() for each in files] for kind, files in (models or {}).items()},
            "files": {purpose: [each.model_dump() for each in given] for purpose, given in (files or {}).items()},
            "output": "s3://pictures/jobs/job-1/output/",
        }
    )


def task_of(request: WorkRequest, pictures: Mapping[str, Image.Image] | None = None, look: Any = None) -> Task:
    """The job as the engine gets it."""
    return Task(request, settings_of(request), pictures or {}, look or (lambda share: None))


def paint(checkpoint: str = "tiny-sd15", *, look: Any = None, **what: Any) -> list[Painting]:
    """The pictures of a job; `what` are the arguments of `request_of`."""
    request = request_of(checkpoint, **what)
    task = task_of(request, what.get("pictures"), look)
    engine().load(task)
    return [*engine().paint(task)]


def pictures_of(paintings: list[Painting]) -> list[Image.Image]:
    """The paintings decoded."""
    return [Image.open(io.BytesIO(each.content), formats=["PNG", "JPEG", "WEBP"]).convert("RGB") for each in paintings]


def picture(checkpoint: str = "tiny-sd15", **what: Any) -> Image.Image:
    """The only picture of a job."""
    [painted] = pictures_of(paint(checkpoint, **what))
    return painted


img2img = partial(picture, job="img2img")
