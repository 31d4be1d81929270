"""What Darkroom and a worker say to each other.

Any container that speaks these shapes can stand behind a Darkroom endpoint: `WorkRequest` is the
body of `POST /invocations`, `WorkAnswer` the JSON it answers, `Progress` the message it may put
on the progress queue while it paints. `docs/worker-contract.md` describes the same in prose.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from darkroom.jobs.types import INIT, JobType, Mode

IMAGE_REFERENCE = "image:"
"""A string in `WorkRequest.parameters` that starts with this names an entry of `WorkRequest.images`."""


def starting_pictures(parameters: dict[str, Any]) -> tuple[str, ...]:
    """The names of the pictures that an img2img job starts from: those that `init_images` refers to where they are
    several, which makes them one batch, each picture of it painted from its own; else `init` alone."""
    entries = parameters.get("init_images")
    named = [entry for entry in entries if isinstance(entry, str)] if isinstance(entries, list) else []
    names = [entry.removeprefix(IMAGE_REFERENCE) for entry in named if entry.startswith(IMAGE_REFERENCE)]
    return tuple(names) if len(names) > 1 else (INIT,)


class ModelFile(BaseModel):
    """A model file: its name as the WebUI shows it and its S3 URI (None: the VAE called `None`). `spellings` are the
    names that the parameters say for it, where they are not the file's own: `v1-5 [6ce0161689]`, a LoRA's alias."""

    model_config = ConfigDict(frozen=True)

    name: str
    s3: str | None
    spellings: list[str] = Field(default=[], exclude_if=lambda spellings: not spellings)


class WorkRequest(BaseModel):
    """One job as the worker gets it.

    `parameters` is the body of the WebUI's `/sdapi/v1/txt2img` or `/img2img`; pictures in it are
    replaced by `image:<name>` and stand in `images` as `<name>: s3://bucket/key`. The picture to
    start from is always `images["init"]`; where `init_images` refers to several, they are a batch, each
    of whose pictures starts from its own. The mask is `images["mask"]`, the painted-over picture of
    `inpaint_sketch` `images["sketch"]`. Numbers that JSON cannot say travel as the strings
    `Infinity`, `-Infinity`, `NaN`. An empty `models["vae"]` means Automatic.
    """

    job_id: str
    type: JobType
    mode: Mode | None = None
    parameters: dict[str, Any] = {}
    images: dict[str, str] = {}
    checkpoint: ModelFile | None = None
    models: dict[str, list[ModelFile]] = {}
    output: str = Field(description="S3 URI prefix, with a slash at its end, that every picture goes under")
    progress_queue: str | None = Field(default=None, description="URL of the SQS queue for `Progress`")


class PaintedImage(BaseModel):
    """One finished picture, stored already: S3 key (no bucket), pixels, bytes, and its infotext."""

    key: str
    width: int
    height: int
    seed: int | None = None
    infotext: str | None = None
    sha256: str | None = None
    bytes: int | None = None


MOST_BUSY_SECONDS = 86_400.0
"""More than any job can take: SageMaker ends an invocation after an hour at the latest. A worker that reports more has
a wrong clock."""


class Timings(BaseModel):
    """Seconds a job spent in each stage inside the worker."""

    queued: float | None = None
    model: float | None = None
    run: float | None = None

    @property
    def busy(self) -> float | None:
        """Seconds that the instance worked for the job, loading and painting. None when the worker reported neither,
        and when the sum is negative or over `MOST_BUSY_SECONDS`."""
        if self.model is None and self.run is None:
            return None
        busy = (self.model or 0.0) + (self.run or 0.0)
        # A worker with a wrong clock must not lose its pictures: an impossible time is left out, not an error.
        return round(busy, 3) if 0 <= busy <= MOST_BUSY_SECONDS else None


class WorkError(BaseModel):
    """Why the worker could not paint: a stable snake_case code and a sentence a person can act on."""

    code: str
    message: str


class WorkAnswer(BaseModel):
    """The JSON manifest a worker answers with: pictures or a caption, or an error."""

    images: list[PaintedImage] = []
    caption: str | None = None
    info: dict[str, Any] | str | None = None
    timings: Timings | None = None
    error: WorkError | None = None


class Progress(BaseModel):
    """What a worker may report at most every 5 seconds; `progress` runs from 0 to 1.

    `started_at` is when the worker began with the job, ISO 8601 in UTC.
    """

    event: Literal["darkroom.progress"] = "darkroom.progress"
    job_id: str
    progress: Annotated[float, Field(ge=0, le=1)]
    started_at: Annotated[str, Field(max_length=40)]
