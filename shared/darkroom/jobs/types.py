"""The types of jobs and their modes: one table for everything that depends on them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

JobType = Literal["txt2img", "img2img", "interrogate_clip", "interrogate_deepbooru"]
Mode = Literal["img2img", "sketch", "inpaint", "inpaint_sketch", "inpaint_upload"]

INIT, MASK, SKETCH = "init", "mask", "sketch"
"""Names of pictures: the one to start from, the mask, and the painted-over one."""


@dataclass(frozen=True)
class Rules:
    """What a job of a type needs.

    `uses_models`: it needs a checkpoint, and may use other model files. `pictures` are the pictures it needs in any
    mode. `modes` are its modes, each with the pictures it needs besides, the one that is meant without a word first.
    """

    uses_models: bool = True
    pictures: tuple[str, ...] = ()
    modes: Mapping[Mode, tuple[str, ...]] = field(default_factory=dict)


JOB_TYPES: Final[Mapping[JobType, Rules]] = {
    "txt2img": Rules(),
    "img2img": Rules(
        pictures=(INIT,),
        modes={
            "img2img": (),
            "inpaint": (MASK,),
            "inpaint_sketch": (SKETCH,),
            "sketch": (),
            "inpaint_upload": (MASK,),
        },
    ),
    "interrogate_clip": Rules(uses_models=False, pictures=(INIT,)),
    "interrogate_deepbooru": Rules(uses_models=False, pictures=(INIT,)),
}


def implied_mode(job_type: JobType, pictures: set[str]) -> Mode | None:
    """The mode that the names of the given pictures imply, None for a type without modes: the first mode of the table
    whose own picture is given, else the first mode."""
    modes = JOB_TYPES[job_type].modes
    return next((mode for mode, needed in modes.items() if needed and set(needed) <= pictures), next(iter(modes), None))


def needed_pictures(job_type: JobType, mode: Mode | None) -> tuple[str, ...]:
    """The names of the pictures that a job of this type and mode needs."""
    rules = JOB_TYPES[job_type]
    return rules.pictures + (rules.modes[mode] if mode else ())
