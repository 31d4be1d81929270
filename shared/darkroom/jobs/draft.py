"""The draft of a job: what a request or a stored job asks for, checked without any write."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from darkroom.errors import FieldError, Invalid, TooLarge
from darkroom.images.header import ImageHeader
from darkroom.jobs.api import JobIn
from darkroom.jobs.contract import starting_pictures
from darkroom.jobs.model import Job, JobLine, as_json
from darkroom.jobs.named_models import JobModels, NamedModels, named_again, named_in
from darkroom.jobs.parameters import passed_on_styles, rounded
from darkroom.jobs.pictures import ExtractedPicture, Path, check_batch, check_count, extract
from darkroom.jobs.state import CREATED
from darkroom.jobs.types import JOB_TYPES, MASK, SKETCH, JobType, Mode, implied_mode, needed_pictures

PROMPT_IN_LINE = 2_000
"""Characters of the prompt that lists and searches see, for every index holds them; the parameters have it whole."""
MAX_PARAMETER_BYTES = 200 * 1024
"""Parameters stand in the job's item, which DynamoDB ends at 400 KB; names and the answer need room too."""


@dataclass(frozen=True)
class Draft:
    """A job before it is written. `named` is what it names, `models` the files that were found; `images` maps names of
    uploaded pictures to their ids; `extracted` are the pictures that stood inside the parameters; `endpoint` is the
    wanted one, None for any."""

    type: JobType
    mode: Mode | None
    named: NamedModels
    parameters: dict[str, Any]
    images: dict[str, str]
    endpoint: str | None = None
    extracted: tuple[ExtractedPicture, ...] = ()
    models: JobModels = field(default_factory=JobModels)
    notices: tuple[str, ...] = ()

    @property
    def picture_names(self) -> set[str]:
        """The names of all pictures, uploaded and inside."""
        return set(self.images) | {picture.name for picture in self.extracted}


def draft_of(request: JobIn) -> Draft:
    """The draft of a request, checked without looking anything up. Raises Invalid and TooLarge."""
    sent, notices = rounded(request.parameters.fields())
    notices += passed_on_styles(sent)
    fields, extracted, references = extract(sent)
    _check_length(fields)
    check_count(len(request.images) + len(extracted))
    _check_names(request, extracted, references)
    check_batch(request.type, fields)
    names = set(request.images) | {picture.name for picture in extracted}
    mode = _mode(request, names)
    named, images = named_in(request, fields), dict(request.images)
    draft = Draft(request.type, mode, named, fields, images, request.endpoint, tuple(extracted), notices=notices)
    _check_needed(draft)
    return draft


def draft_again(job: Job, endpoint: str | None) -> Draft:
    """The draft that makes a stored job once more, on this endpoint or any. The limits of a request are not checked
    again: the models and pictures that were found inside the request are stored as if they had been named in it."""
    line = job.line
    return Draft(line.type, line.mode, named_again(job), job.parameters, job.inputs, endpoint)


def _check_length(fields: dict[str, Any]) -> None:
    """Raises TooLarge `parameters_too_large`. Called before texts are searched, which takes long for long ones."""
    if len(as_json(fields)) > MAX_PARAMETER_BYTES:
        raise TooLarge(
            "parameters_too_large",
            f"`parameters` are over {MAX_PARAMETER_BYTES} bytes without their pictures.",
        )


def check_sizes(work: Draft, headers: dict[str, ImageHeader]) -> None:
    """Mask and sketch lie over the pictures to start from, pixel by pixel; raises Invalid `image_sizes_differ`."""
    if not JOB_TYPES[work.type].modes:
        return
    for name, start in product((MASK, SKETCH), starting_pictures(work.parameters)):
        init, other = headers.get(start), headers.get(name)
        if init and other and other.size != init.size:
            why = f"is {other.width}x{other.height} pixels, but {start} is {init.width}x{init.height}"
            raise Invalid(
                "image_sizes_differ",
                f"The picture {name} {why}; both must have the same size.",
                (FieldError(("body", "images", name), why),),
            )


@dataclass(frozen=True)
class Placement:
    """Where a job runs: the endpoint, its instance type, and what an hour of the job's share of an instance costs. None
    for what is not known, or not chosen, yet. `pool` has the prices by instance type, if they are several; which one it
    is is known at the end."""

    endpoint: str | None = None
    instance_type: str | None = None
    price: float | None = None
    pool: Mapping[str, float | None] = field(default_factory=dict)


def to_job(work: Draft, owner: str, placement: Placement, inputs: dict[str, str], expires_at: int, job_id: str) -> Job:
    """The job to write. `inputs` maps picture names to image ids, `expires_at` is in epoch seconds."""
    prompt = work.parameters.get("prompt")
    line = JobLine(
        id=job_id,
        owner=owner,
        type=work.type,
        mode=work.mode,
        status=CREATED,
        endpoint=placement.endpoint,
        checkpoint=work.models.checkpoint,
        prompt=prompt[:PROMPT_IN_LINE] if prompt else None,
        lora=tuple(work.models.files.get("lora", ())),
        price=placement.price,
        price_estimated=bool(placement.pool),
        seeds=_seeds_asked(work),
        batch=batch_of(work),
        notice_count=len(work.notices),
    )
    models, spellings = work.models.files, work.models.spellings
    job = Job(line, work.parameters, inputs, models, spellings, expires_at, placement.instance_type)
    found = work.models
    job = replace(job, notices=work.notices, objects=found.objects, files=found.engine_files, facts=found.facts)
    return replace(job, pool=placement.pool)


def _seeds_asked(work: Draft) -> tuple[int, ...]:
    """The seed of the first picture, if the job asks for a fixed one."""
    seed = work.parameters.get("seed")
    return (seed,) if isinstance(seed, int) and seed >= 0 and JOB_TYPES[work.type].needs_checkpoint else ()


def batch_of(work: Draft) -> int | None:
    """How many pictures a job asks for, None for a job of another type."""
    if not JOB_TYPES[work.type].needs_checkpoint:
        return None
    return int(work.parameters.get("batch_size") or 1) * int(work.parameters.get("n_iter") or 1)


def _mode(request: JobIn, names: set[str]) -> Mode | None:
    if request.mode is None:
        return implied_mode(request.type, names)
    if request.mode not in JOB_TYPES[request.type].modes:
        raise Invalid(
            "mode_not_possible",
            f"Only img2img jobs have a mode; leave it out of a {request.type} job.",
            (FieldError(("body", "mode"), "only img2img jobs have a mode"),),
        )
    return request.mode


def _check_names(request: JobIn, extracted: list[ExtractedPicture], references: dict[str, Path]) -> None:
    for picture in extracted:
        if picture.name in request.images:
            why = f"is given twice: in images and at parameters.{'.'.join(map(str, picture.path))}"
            error = FieldError(("body", "images", picture.name), why)
            raise Invalid("image_given_twice", f"The picture {picture.name} {why}.", (error,))
    for name, path in references.items():
        if name not in request.images:
            why = f"refers to the picture {name!r}, which is not among `images`"
            error = FieldError(("body", "parameters", *path), why)
            raise Invalid("image_not_uploaded", f"parameters.{path[0]} {why}.", (error,))


def _check_needed(work: Draft) -> None:
    needed = needed_pictures(work.type, work.mode)
    what = f"{work.type}/{work.mode}" if work.mode else work.type
    missing = [name for name in needed if name not in work.picture_names]
    if missing:
        raise Invalid(
            "image_missing",
            f"A {what} job needs the picture {' and '.join(missing)}: name it in `images`.",
            tuple(FieldError(("body", "images", name), f"{what} needs it") for name in missing),
        )
    if JOB_TYPES[work.type].needs_checkpoint and not work.named.checkpoint:
        raise Invalid(
            "checkpoint_missing",
            f"A {what} job needs a stable-diffusion checkpoint: set `checkpoint`. "
            "GET /checkpoints?kind=stable-diffusion shows those there are.",
            (FieldError(("body", "checkpoint"), f"{what} needs one"),),
        )
