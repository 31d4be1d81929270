"""The types of jobs and their modes: one table for everything that depends on them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from darkroom.checkpoints.model import JOB_KINDS, Kind

JobType = Literal["txt2img", "img2img", "extras", "interrogate_clip", "interrogate_deepbooru"]
Mode = Literal["img2img", "sketch", "inpaint", "inpaint_sketch", "inpaint_upload"]

AnswerKind = Literal["pictures", "caption"]

INIT, MASK, SKETCH = "init", "mask", "sketch"
"""Names of pictures: the one to start from, the mask, and the painted-over one."""


@dataclass(frozen=True)
class Rules:
    """What a job of a type needs, and what its worker answers with.

    `kinds` are the kinds of model files it may use. `answers_with` is what its answer must hold. `pictures` are the
    pictures it needs in any mode. `modes` are its modes, each with the pictures it needs besides; the first one is
    meant when none is named.
    """

    kinds: tuple[Kind, ...] = JOB_KINDS
    answers_with: AnswerKind = "pictures"
    pictures: tuple[str, ...] = ()
    modes: Mapping[Mode, tuple[str, ...]] = field(default_factory=dict)

    @property
    def uses_models(self) -> bool:
        """Whether it may use model files at all."""
        return bool(self.kinds)

    @property
    def needs_checkpoint(self) -> bool:
        """Whether it cannot do without a checkpoint: every type that may use one needs one."""
        return "stable-diffusion" in self.kinds


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
    "extras": Rules(kinds=("upscaler",), pictures=(INIT,)),
    "interrogate_clip": Rules(kinds=(), answers_with="caption", pictures=(INIT,)),
    "interrogate_deepbooru": Rules(kinds=(), answers_with="caption", pictures=(INIT,)),
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


def types_answered_by(kinds: set[AnswerKind]) -> tuple[JobType, ...]:
    """The types of jobs that an answer of these kinds is enough for."""
    return tuple(job_type for job_type, rules in JOB_TYPES.items() if rules.answers_with in kinds)
