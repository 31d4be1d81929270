"""The draft of a job: what a request or a stored job asks for, checked without any write."""

from dataclasses import dataclass, replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from darkroom.checkpoints.api import FileName
from darkroom.checkpoints.model import ModelKey
from darkroom.checkpoints.networks import ResolvedNetworks
from darkroom.errors import FieldError, Invalid, TooLarge
from darkroom.images.model import ImageHeader
from darkroom.jobs.api import JobIn
from darkroom.jobs.model import EXTRA_KINDS, NO_VAE, Job, JobLine, as_json
from darkroom.jobs.parameters import checkpoint_in, vae_in
from darkroom.jobs.pictures import ExtractedPicture, Path, extract
from darkroom.jobs.state import CREATED
from darkroom.jobs.types import INIT, JOB_TYPES, MASK, SKETCH, JobType, Mode, implied_mode, needed_pictures

AUTOMATIC_VAE = "Automatic"
PROMPT_IN_LINE = 2_000
"""Characters of the prompt that lists and searches see, for every index holds them; the parameters have it whole."""
MAX_MODELS = 90
"""A transaction takes 100 items (DynamoDB API reference), and each model file is a condition in it."""
MAX_PARAMETER_BYTES = 200 * 1024
"""Parameters stand in the job's item, which DynamoDB ends at 400 KB; names and the answer need room too."""


@dataclass(frozen=True)
class Draft:
    """A job before it is written. `models` maps kinds to file names, `images` names of uploaded pictures to their ids;
    `extracted` are the pictures that stood inside the parameters; `endpoint` is the wanted one, None for any."""

    type: JobType
    mode: Mode | None
    checkpoint: str | None
    models: dict[str, list[str]]
    parameters: dict[str, Any]
    images: dict[str, str]
    endpoint: str | None = None
    extracted: tuple[ExtractedPicture, ...] = ()
    unchecked: frozenset[ModelKey] = frozenset()

    @property
    def prompts(self) -> tuple[str, ...]:
        """The texts that may call for extra networks."""
        texts = (self.parameters.get(name) for name in ("prompt", "negative_prompt"))
        return tuple(text for text in texts if isinstance(text, str))

    @property
    def model_keys(self) -> tuple[ModelKey, ...]:
        """Every model file that must be active, the checkpoint first, each once.

        An embedding that a plain word of the prompt calls for is not among them: nobody asked for it outright, so
        it must not refuse the job if it was deleted a moment ago.
        """
        keys = [ModelKey("stable-diffusion", self.checkpoint)] if self.checkpoint else []
        keys += [ModelKey("vae", name) for name in self.models.get("vae", []) if name != NO_VAE]
        keys += [ModelKey(kind, name) for kind in EXTRA_KINDS for name in self.models.get(kind, [])]
        return tuple(key for key in dict.fromkeys(keys) if key not in self.unchecked)

    @property
    def picture_names(self) -> set[str]:
        """The names of all pictures, uploaded and inside."""
        return set(self.images) | {picture.name for picture in self.extracted}


_FILE_NAME: TypeAdapter[str] = TypeAdapter(FileName)


def draft_of(request: JobIn) -> Draft:
    """The draft of a request, checked without looking anything up. Raises Invalid."""
    fields, extracted, references = extract(request.parameters.fields())
    _check_names(request, extracted, references)
    names = set(request.images) | {picture.name for picture in extracted}
    mode = _mode(request, names)
    checkpoint = None
    if JOB_TYPES[request.type].needs_checkpoint:
        in_body = _file_name(checkpoint_in(fields), "sd_model_checkpoint")
        checkpoint = request.checkpoint or in_body
    models, images = _models(request, fields), dict(request.images)
    draft = Draft(request.type, mode, checkpoint, models, fields, images, request.endpoint, tuple(extracted))
    _check_needed(draft)
    return draft


def draft_again(job: Job, endpoint: str | None) -> Draft:
    """The draft that makes a stored job once more, on this endpoint or any. The limits of a request are not checked
    again: the models and pictures that were found inside the request are stored as if they had been named in it."""
    line = job.line
    return Draft(line.type, line.mode, line.checkpoint, job.models, job.parameters, job.inputs, endpoint)


def with_networks(work: Draft, resolved: ResolvedNetworks) -> Draft:
    """The draft with the files its prompts call for, each once; raises Invalid `checkpoint_not_active` with what
    no file answers to."""
    if resolved.missing:
        raise not_active(resolved.missing)
    models = {kind: list(names) for kind, names in work.models.items()}
    for key in (*resolved.tagged, *resolved.embeddings):
        names = models.setdefault(key.kind, [])
        if key.name not in names:
            names.append(key.name)
    implicit = frozenset(resolved.embeddings)
    return replace(work, models=models, unchecked=implicit - set(work.model_keys))


def check_limits(work: Draft) -> None:
    """What a request may hold at most. Raises Invalid `too_many_models` or TooLarge `parameters_too_large`."""
    if len(work.model_keys) > MAX_MODELS:
        raise Invalid("too_many_models", f"A job takes at most {MAX_MODELS} model files.")
    if len(as_json(work.parameters)) > MAX_PARAMETER_BYTES:
        raise TooLarge(
            "parameters_too_large",
            f"`parameters` are over {MAX_PARAMETER_BYTES} bytes without their pictures.",
        )


def not_active(models: tuple[ModelKey, ...]) -> Invalid:
    """The refusal that names every model file that is missing or not active."""
    names = ", ".join(f"{key.name} ({key.kind})" for key in models)
    return Invalid(
        "checkpoint_not_active",
        f"Missing or not active: {names}. GET /checkpoints shows what is there.",
        tuple(
            FieldError(
                ("body", "checkpoint") if key.kind == "stable-diffusion" else ("body", "models", key.kind),
                f"{key.name} is missing or not active",
            )
            for key in models
        ),
    )


def check_sizes(work: Draft, headers: dict[str, ImageHeader]) -> None:
    """Mask and sketch lie over `init` pixel by pixel; raises Invalid `image_sizes_differ`."""
    init = headers.get(INIT)
    for name in (MASK, SKETCH):
        other = headers.get(name)
        if init and other and other.size != init.size and JOB_TYPES[work.type].modes:
            why = f"is {other.width}x{other.height} pixels, but init is {init.width}x{init.height}"
            raise Invalid(
                "image_sizes_differ",
                f"The picture {name} {why}; both must have the same size.",
                (FieldError(("body", "images", name), why),),
            )


@dataclass(frozen=True)
class Placement:
    """Where a job runs: the endpoint, its instance type, and what an hour of the job's share of an instance costs. None
    for what is not known, or not chosen, yet."""

    endpoint: str | None = None
    instance_type: str | None = None
    price: float | None = None


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
        checkpoint=work.checkpoint,
        prompt=prompt[:PROMPT_IN_LINE] if prompt else None,
        lora=tuple(work.models.get("lora", ())),
        price=placement.price,
    )
    return Job(line, work.parameters, inputs, work.models, expires_at, placement.instance_type)


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


def _models(request: JobIn, fields: dict[str, Any]) -> dict[str, list[str]]:
    """File names by kind; an empty `vae` is Automatic, `None` is the VAE called so."""
    if not JOB_TYPES[request.type].uses_models:
        return {}
    given = request.models.model_dump()
    named = {kind: list(given[kind]) for kind in EXTRA_KINDS}
    vae = given["vae"] or _file_name(vae_in(fields), "sd_vae") or AUTOMATIC_VAE
    named["vae"] = [] if vae == AUTOMATIC_VAE else [vae]
    return {kind: names for kind, names in named.items() if names and kind in JOB_TYPES[request.type].kinds}


def _file_name(name: str | None, setting: str) -> str | None:
    """A name out of `override_settings`, held to the rules of every other model file's name."""
    if name is None:
        return None
    try:
        return _FILE_NAME.validate_python(name)
    except ValidationError as error:
        why = "is no file name of a model"
        loc = ("body", "parameters", "override_settings", setting)
        raise Invalid("invalid_request", f"override_settings.{setting} {why}.", (FieldError(loc, why),)) from error


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
    if JOB_TYPES[work.type].needs_checkpoint and not work.checkpoint:
        raise Invalid(
            "checkpoint_missing",
            f"A {what} job needs a stable-diffusion checkpoint: set `checkpoint`. "
            "GET /checkpoints?kind=stable-diffusion shows those there are.",
            (FieldError(("body", "checkpoint"), f"{what} needs one"),),
        )
