"""What Darkroom and a worker say to each other: the second version of the contract.

Any container that speaks these shapes can stand behind a Darkroom endpoint: `WorkRequest` is the
body of `POST /invocations`, `WorkAnswer` the JSON it answers, `WorkerState` what `GET /ping` may answer, `Progress` the
message it may put on the progress queue while it paints. All that the second version added is optional, so a worker of
the first version stays valid. `docs/worker-contract.md` tells the same in prose.
"""

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from darkroom.jobs.types import INIT, JobType, Mode

IMAGE_REFERENCE = "image:"
"""A string in `WorkRequest.parameters` that starts with this names an entry of `WorkRequest.images`."""


def _or_nothing(value: object, validate: ValidatorFunctionWrapHandler) -> Any:
    """The value, None when it is not of its shape."""
    try:
        return validate(value)
    except ValidationError:
        return None


def starting_pictures(parameters: dict[str, Any]) -> tuple[str, ...]:
    """The names of the pictures that an img2img job starts from: those that `init_images` refers to where they are
    several, which makes them one batch, each picture of it painted from its own; else `init` alone."""
    entries = parameters.get("init_images")
    named = [entry for entry in entries if isinstance(entry, str)] if isinstance(entries, list) else []
    names = [entry.removeprefix(IMAGE_REFERENCE) for entry in named if entry.startswith(IMAGE_REFERENCE)]
    return tuple(names) if len(names) > 1 else (INIT,)


class ModelFile(BaseModel):
    """A model file: its name as the WebUI shows it and its S3 URI (None: the VAE called `None`).

    `bytes` and `etag` are those of the S3 object, `sha256` is the hex digest of its bytes; each None where that is not
    known. `spellings` are the names that the parameters say for it, where they
    are not the file's own: `v1-5 [6ce0161689]`, a LoRA's alias.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    s3: str | None
    bytes: int | None = None
    etag: str | None = None
    sha256: str | None = None
    spellings: list[str] = Field(default=[], exclude_if=lambda spellings: not spellings)


class WorkRequest(BaseModel):
    """One job as the worker gets it.

    `parameters` is the body of the WebUI's `/sdapi/v1/txt2img`, `/img2img`, `/extra-single-image` or `/interrogate`;
    pictures in it are replaced by `image:<name>` and stand in `images` as `<name>: s3://bucket/key`. The picture to
    start from is always `images["init"]`; where `init_images` refers to several, they are a batch, each of whose
    pictures starts from its own. The mask is `images["mask"]`, the painted-over picture of
    `inpaint_sketch` `images["sketch"]`. Numbers that JSON cannot say travel as the strings
    `Infinity`, `-Infinity`, `NaN`. An empty `models["vae"]` means Automatic. `files` are files that no job names and
    an engine needs all the same, by purpose (`checkpoints.purposes`).
    """

    job_id: str
    type: JobType
    mode: Mode | None = None
    parameters: dict[str, Any] = {}
    images: dict[str, str] = {}
    checkpoint: ModelFile | None = None
    models: dict[str, list[ModelFile]] = {}
    files: dict[str, list[ModelFile]] = {}
    output: str = Field(description="S3 URI prefix, with a slash at its end, that every picture goes under")
    progress_queue: str | None = Field(default=None, description="URL of the SQS queue for `Progress`")


MAX_INPUTS = 32
"""Pictures that a job is given at most, uploaded ones and those inside its parameters together."""
MAX_PAINTED = 128
"""Pictures that a job makes at most."""


class PaintedImage(BaseModel):
    """One finished picture or video, stored already: S3 key (no bucket), pixels, bytes, and its infotext.

    The key's extension says what it is: png, jpg, webp, gif, avif, mp4 or webm. `thumbnail` is the S3 key of a small
    picture of it.
    """

    key: str
    width: int
    height: int
    seed: int | None = None
    infotext: Annotated[str | None, WrapValidator(_or_nothing)] = None
    sha256: str | None = None
    bytes: int | None = None
    thumbnail: Annotated[str | None, WrapValidator(_or_nothing)] = None


MOST_BUSY_SECONDS = 86_400.0
"""More than any job can take: SageMaker ends an invocation after an hour at the latest. A worker that reports more has
a wrong clock."""


class Timings(BaseModel):
    """Seconds a job spent in each stage inside the worker. `model` is what workers of the first version tell: download
    and load together."""

    queued: float | None = None
    model: float | None = None
    download: float | None = None
    load: float | None = None
    run: float | None = None

    @property
    def busy(self) -> float | None:
        """Seconds the instance worked for the job: downloading, loading and painting. None when the worker told
        nothing of it."""
        fetched = [self.download, self.load]
        if fetched == [None, None]:
            fetched = [self.model]
        known = [seconds for seconds in (*fetched, self.run) if seconds is not None]
        busy = sum(known)
        # A worker that cannot tell the time must not cost a picture: what nobody can believe is not told.
        return round(busy, 3) if known and 0 <= busy <= MOST_BUSY_SECONDS else None

    @property
    def believable(self) -> bool:
        """Whether every stage is a time that a job can have taken."""
        return all(0 <= seconds <= MOST_BUSY_SECONDS for seconds in self.model_dump(exclude_none=True).values())


class WorkError(BaseModel):
    """Why the worker could not paint: a stable snake_case code and a sentence a person can act on."""

    code: str
    message: str


Word = Annotated[str, Field(max_length=200)]


class UsedFile(BaseModel):
    """A model file that was used: its kind and name, and the SHA-256 or the ETag of its bytes."""

    kind: Word
    name: Annotated[str, Field(max_length=300)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    etag: Word | None = None


class Components(BaseModel):
    """What made the pictures, so that the same can be done again: the engine and its version, how it computed attention
    and in which precision, and every model file it used."""

    engine: Word | None = None
    version: Word | None = None
    attention: Word | None = None
    precision: Word | None = None
    files: list[UsedFile] = []


class WorkerMachine(BaseModel):
    """The instance that a worker runs on, as far as it sees: the instance type (`ml.g5.xlarge`), the name of its GPU as
    the driver gives it, and how many processors it has."""

    instance_type: Word | None = None
    gpu: Word | None = None
    cpus: Annotated[int | None, Field(ge=1, le=10_000)] = None


def _believed(value: object, validate: ValidatorFunctionWrapHandler) -> Timings | None:
    timings: Timings | None = _or_nothing(value, validate)
    return timings if timings and timings.believable else None


def _sentences(value: object) -> list[str]:
    return [text.strip() for text in value if isinstance(text, str) and text.strip()] if isinstance(value, list) else []


class WorkAnswer(BaseModel):
    """The JSON manifest a worker answers with: pictures or a caption, or an error.

    `notices` are sentences for the person whose job it is: what was rounded, left out or replaced. What stands beside
    the result (`info`, `timings`, `notices`, `components`, `machine`) never costs the result: it is left out when it is
    not of its shape.
    """

    images: Annotated[list[PaintedImage], BeforeValidator(lambda value: [] if value is None else value)] = []
    caption: str | None = None
    info: Annotated[dict[str, Any] | str | None, WrapValidator(_or_nothing)] = None
    timings: Annotated[Timings | None, WrapValidator(_believed)] = None
    notices: Annotated[list[str], WrapValidator(lambda value, _: _sentences(value))] = []
    components: Annotated[Components | None, WrapValidator(_or_nothing)] = None
    machine: Annotated[WorkerMachine | None, WrapValidator(_or_nothing)] = None
    error: WorkError | None = None


class WorkerState(BaseModel):
    """What `GET /ping` may answer beside its status 200: whether the worker takes a job, which engine it has, what it
    computes on, and the names of the model files that are loaded."""

    ready: bool
    engine: str | None = None
    device: str | None = None
    models_loaded: list[str] = []


class Progress(BaseModel):
    """What a worker may report at most every 5 seconds; `progress` runs from 0 to 1.

    `started_at` is when the worker began with the job, ISO 8601 in UTC. `loading` is the share of its model files that
    is there (0 to 1) while it waits for them, and None once it paints.
    """

    event: Literal["darkroom.progress"] = "darkroom.progress"
    job_id: str
    progress: Annotated[float, Field(ge=0, le=1)]
    started_at: Annotated[str, Field(max_length=40)]
    loading: Annotated[float | None, Field(ge=0, le=1, exclude_if=lambda share: share is None)] = None
