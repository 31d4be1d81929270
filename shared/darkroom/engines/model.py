"""What an engine takes."""

from dataclasses import dataclass, field
from typing import Literal, get_args

from darkroom.checkpoints.model import KINDS, Kind
from darkroom.jobs.types import JOB_TYPES, JobType
from darkroom.webui.samplers import Named

EngineName = Literal["diffusers", "preview"]
ENGINE_NAMES: tuple[EngineName, ...] = get_args(EngineName)


@dataclass(frozen=True)
class Capabilities:
    """What one engine takes. None stands for "whatever a body says", as with an engine that only draws previews.

    `scripts` are titles in lower case. `upscalers` are those without a file, `families` the architectures of
    checkpoints. `pixels` and `steps` are of one pass, `side` of a picture's longer side.
    """

    engine: EngineName
    job_types: tuple[JobType, ...] = tuple(JOB_TYPES)
    samplers: tuple[Named, ...] | None = None
    schedulers: tuple[Named, ...] | None = None
    scripts: tuple[str, ...] | None = None
    preprocessors: tuple[str, ...] | None = None
    upscalers: tuple[str, ...] = ()
    model_kinds: tuple[Kind, ...] = KINDS
    families: tuple[str, ...] = ()
    formats: tuple[str, ...] = field(default=("png", "jpg", "jpeg", "webp"))
    restores_faces: bool = True
    steps: int | None = None
    pixels: int | None = None
    side: int = 8192
