"""Jobs with ControlNet units on tiny files."""

from functools import cache
from typing import Any

from PIL import Image, ImageDraw

from darkroom.jobs.contract import ModelFile
from tests.worker.files import folder
from tests.worker.jobs import SIZE, file, paint, picture
from worker.engines.diffusers import tiny
from worker.engines.diffusers.families import Family


@cache
def controlnet(family: Family = Family.SD1, seed: int = 0, name: str | None = None) -> ModelFile:
    """The file of a tiny ControlNet."""
    path = folder() / f"{name or f'control-{family.name.lower()}-{seed}'}.safetensors"
    return file(tiny.write(path, tiny.controlnet(family, seed)).name)


def square(size: tuple[int, int] = SIZE) -> Image.Image:
    """A white square on black."""
    made = Image.new("RGB", size)
    ImageDraw.Draw(made).rectangle((size[0] // 4, size[1] // 4, size[0] // 2, size[1] // 2), fill="white")
    return made


def unit(**fields: Any) -> dict[str, Any]:
    """A unit that looks at the picture `pose`; None leaves a field out."""
    said = {"enabled": True, "image": "image:pose", "module": "none", "model": controlnet().name} | fields
    return {name: value for name, value in said.items() if value is not None}


def job(*units: dict[str, Any], **what: Any) -> dict[str, Any]:
    """The arguments of a job with these units; `what` are other arguments of `jobs.request_of`."""
    what.setdefault("models", {"controlnet": [controlnet()]})
    pictures = {"pose": square()} | what.pop("pictures", {})
    return {"alwayson_scripts": {"ControlNet": {"args": [*units]}}, "pictures": pictures, **what}


def steered(*units: dict[str, Any], checkpoint: str = "tiny-sd15", **what: Any) -> Image.Image:
    """The only picture of such a job."""
    return picture(checkpoint, **job(*units, **what))


def refused(*units: dict[str, Any], **what: Any) -> list[Any]:
    """The pictures of such a job, which is to be refused."""
    return paint(**job(*units, **what))
