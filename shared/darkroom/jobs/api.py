"""What `/jobs` takes and answers."""

import re
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, create_model, model_validator

from darkroom import words
from darkroom.endpoints.api import ForecastOut
from darkroom.jobs.contract import MAX_INPUTS, Components, PaintedImage, Timings, WorkError
from darkroom.jobs.filters import Filters, Rating, Tag
from darkroom.jobs.media import media_of_key
from darkroom.jobs.model import EXTRA_KINDS, Edit, Job, JobLine
from darkroom.jobs.parameters import Parameters, without_idle
from darkroom.jobs.phase import Phase, PhaseName
from darkroom.jobs.ports import BudgetState, Outputs
from darkroom.jobs.state import SUCCEED, CancelPoint, Status
from darkroom.jobs.types import MASK, SKETCH, JobType, Mode
from darkroom.webui.calls import CALLS, of_other_calls
from darkroom.webui.infotext import filled_in
from darkroom.webui.spelling import composed
from darkroom.webui.switches import switched_off


def _inside(name: str) -> str:
    if ".." in re.split(r"[/\\]", name):
        raise ValueError("is a path that leads out of its folder")
    return name


ModelName = Annotated[
    str,
    # Before the functions: behind one pydantic leaves a pattern out of the document.
    StringConstraints(min_length=1, pattern=r"^[^\x00-\x1f\x7f]+$"),
    AfterValidator(composed),
    AfterValidator(_inside),
    Field(
        max_length=300,
        description="a model file's name in any spelling of the WebUI: with or without extension, folder and hash",
    ),
]
ModelNames = Annotated[list[ModelName], Field(max_length=32)]
ERROR_CODES = (
    "why a failed job failed; `code` is `worker_failed`, `worker_stopped`, `bad_answer`, `answer_missing`, `expired` "
    "(its time in line was over), `timed_out`, `endpoint_refused`, `endpoint_gone`, `endpoint_deleted`, "
    "`endpoint_failed`, or a code of the worker's own"
)
ImageId = Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of the picture's bytes, in hex")]
ImageName = Annotated[str, Field(pattern="^[a-z0-9_]{1,64}$")]
EndpointName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9])*$", max_length=63)]
PROMPT_PREVIEW = 120


_MASKED = {MASK, SKETCH}


def _check_call(call: str, fields: dict[str, Any]) -> None:
    """A body without a prompt but with fields of another call was meant for that call."""
    foreign = list(of_other_calls(call, fields)) if call in CALLS and "prompt" not in fields else []
    if foreign:
        says = ", ".join(f"{name} ({other})" for name, other in foreign)
        raise ValueError(f"`parameters` has no prompt, and fields of other calls than {call}: {says}")


_EXTRAS: dict[str, Any] = {kind: (ModelNames, []) for kind in EXTRA_KINDS}
ModelsIn = create_model(
    "ModelsIn",
    __config__=ConfigDict(extra="forbid"),
    __doc__="Model files besides the checkpoint. `vae` may be `Automatic` or `None`, as in the WebUI.",
    vae=(ModelName | None, None),
    **_EXTRAS,
)
"""One field for each kind of model file."""


class JobIn(BaseModel):
    """A job to create. `parameters` may be an unmodified WebUI body with pictures inside; `mode` is told from
    the pictures when it is left out, `checkpoint` from `override_settings.sd_model_checkpoint`."""

    model_config = ConfigDict(extra="forbid")

    type: JobType
    mode: Mode | None = None
    checkpoint: ModelName | None = None
    models: ModelsIn = ModelsIn()
    endpoint: EndpointName | None = None
    images: Annotated[dict[ImageName, ImageId], Field(max_length=MAX_INPUTS)] = {}
    parameters: Parameters = Parameters()

    @model_validator(mode="before")
    @classmethod
    def _prepare(cls, body: Any) -> Any:
        """Before fields are checked: fill in what the infotext of the body says, and leave out what decides nothing
        and is out of its bounds."""
        match body:
            case {"type": str(call), "parameters": dict(fields)}:
                fields = filled_in(fields, call)
                _check_call(call, fields)
                masked = isinstance(images := body.get("images"), dict) and not images.keys().isdisjoint(_MASKED)
                return {**body, "parameters": without_idle(fields, switched_off(call, fields, masked))}
        return body


def _one_line(text: str) -> str:
    text = composed(text.strip())
    if not text or not text.isprintable():
        raise ValueError("is empty, or has line breaks or other characters that nobody sees")
    return text


def _once(tags: list[str]) -> list[str]:
    """The tags without those that differ only in case and width from one before them."""
    kept: dict[str, str] = {}
    for tag in tags:
        kept.setdefault(words.folded(tag), tag)
    return list(kept.values())


class JobEditIn(BaseModel):
    """What the owner of a job says of it. A field that is left out stays as it is; null, or no tags, takes it away."""

    model_config = ConfigDict(extra="forbid", strict=True)

    title: Annotated[str, Field(max_length=200), AfterValidator(_one_line)] | None = None
    rating: Rating | None = None
    tags: (
        Annotated[list[Annotated[Tag, AfterValidator(_one_line)]], Field(max_length=20), AfterValidator(_once)] | None
    ) = None

    @model_validator(mode="after")
    def _something(self) -> "JobEditIn":
        if not self.model_fields_set:
            raise ValueError("give at least one of `title`, `rating` and `tags`")
        return self

    def edit(self) -> Edit:
        """The same for the store."""
        return Edit(frozenset(self.model_fields_set), self.title, self.rating, tuple(self.tags or ()))


@dataclass(frozen=True)
class HistoryQuery:
    """The query of `GET /jobs`. `before` is the `next` of the page before; `from_` and `to` are ISO 8601."""

    limit: int = 10
    before: str | None = None
    filters: Filters = field(default_factory=Filters)
    from_: str | None = None
    to: str | None = None


class JobLineOut(BaseModel):
    """A line of the history. `duration` is in seconds from its creation, `run_seconds` are those an instance worked
    for it, and `cost` what these cost: at most, if `cost_estimated`; `prompt` is its beginning; `thumbnail` is a
    presigned GET.

    `seed` is that of its first picture, or the one it asks for; `batch` is how many pictures it asks for, and
    `notice_count` how many `notices` it has. `title`, `rating` (1 to 5) and `tags` are what `PATCH /jobs/{id}` said.
    """

    label: str
    id: str
    type: JobType
    mode: Mode | None
    status: Status
    owner: str
    endpoint: str
    checkpoint: str | None
    created_at: str
    completed_at: str | None
    duration: float | None
    run_seconds: float | None
    cost: float | None
    cost_estimated: bool
    image_count: int
    prompt: str | None
    thumbnail: str | None
    title: str | None
    rating: int | None
    tags: list[str]
    seed: int | None
    batch: int | None
    notice_count: int


class JobPage(BaseModel):
    """Jobs, newest first. Send `next` as `before` to go on; it is null only at the end."""

    jobs: list[JobLineOut]
    next: str | None


class Summary(BaseModel):
    """How many jobs of a time range there are of each kind, most first; `by_day` by date in UTC.

    `run_seconds` and `cost` add up what is known; of `cost_unknown` settled jobs it is not, and of `cost_estimated`
    jobs it is an estimate.
    When `exact` is false the range holds more jobs than are counted, and the counts go back to `since`.
    """

    jobs: int
    exact: bool
    since: str | None
    by_status: dict[str, int]
    by_type: dict[str, int]
    by_endpoint: dict[str, int]
    by_checkpoint: dict[str, int]
    by_day: dict[str, int]
    run_seconds: float
    cost: float
    cost_unknown: int
    cost_estimated: int
    cost_by_day: dict[str, float]


class InputOut(BaseModel):
    """A picture the job started from; `url` is a presigned GET."""

    name: str
    id: str
    url: str


class PictureOut(BaseModel):
    """A picture or video the job made, byte for byte as the worker wrote it; `url` is a presigned GET, and `thumbnail`
    one of a small picture of it, if there is one. `content_type` is told by the key's extension."""

    url: str
    key: str
    width: int
    height: int
    seed: int | None
    infotext: str | None
    sha256: str | None
    bytes: int | None
    thumbnail: str | None
    content_type: str | None


class BudgetOut(BaseModel):
    """How much of a budget is used this month, in US dollars: `spent`, and `expected`, what open jobs are expected to
    cost. `used` is both as a share of the budget, and from the share `warn_at` on there is a warning. `owner` is null
    for the budget of the whole stage."""

    owner: str | None
    monthly: float
    spent: float
    expected: float
    used: float
    warn_at: float
    warning: bool

    @classmethod
    def of(cls, state: BudgetState) -> "BudgetOut":
        """The same for the API."""
        return cls(
            owner=state.owner,
            monthly=state.budget,
            spent=round(state.spent, 4),
            expected=round(state.expected, 4),
            used=state.used,
            warn_at=state.warn_at,
            warning=state.near,
        )


class JobOut(JobLineOut):
    """The whole job. `progress` runs from 0 to 1, and is 1 once the job has succeeded; timings are in seconds.

    `phase` tells what an open job is doing, as far as that was looked up, and `phase_detail` says it in a sentence.
    `place` is how many open jobs of its endpoint came before one that waits, and `forecast` what the last wake-ups let
    expect of one that waits for its endpoint to wake; of other jobs both are null.
    `instance_type` is what it runs on. Where the endpoint has several types it is known at the end, and with
    `cost_estimated` it is the dearest that it can have been.
    `cancelled` tells how far a cancelled job had come: `before` its run, `during` it, or `after` it had been painted
    for nothing. `replay_of` is the job that it repeats. `notices` are sentences about what was done otherwise than the
    body says, and `components` tells what made the pictures. `budget` is in the answer that makes a job, when one is
    nearly spent.
    """

    models: dict[str, list[str]]
    parameters: dict[str, Any]
    inputs: list[InputOut]
    images: list[PictureOut]
    infotexts: list[str]
    caption: str | None
    timings: Timings | None
    error: WorkError | None = Field(description=ERROR_CODES)
    started_at: str | None
    progress: float | None
    instance_type: str | None
    phase: PhaseName | None
    phase_detail: str | None
    place: int | None
    forecast: ForecastOut | None
    cancelled: CancelPoint | None
    replay_of: str | None
    notices: list[str]
    components: Components | None
    budget: BudgetOut | None


def line_out(line: JobLine, outputs: Outputs) -> JobLineOut:
    """A history line as the API shows it."""
    return JobLineOut(
        label=line.label,
        id=line.id,
        type=line.type,
        mode=line.mode,
        status=line.status,
        owner=line.owner,
        endpoint=line.endpoint or "",
        checkpoint=line.checkpoint,
        created_at=line.created_at,
        completed_at=line.completed_at,
        duration=line.duration,
        run_seconds=line.run_seconds,
        cost=line.cost,
        cost_estimated=line.cost_estimated,
        image_count=line.image_count,
        prompt=line.prompt[:PROMPT_PREVIEW] if line.prompt else line.prompt,
        thumbnail=outputs.url(line.first_image) if line.first_image else None,
        title=line.title,
        rating=line.rating,
        tags=list(line.tags),
        seed=line.seeds[0] if line.seeds else None,
        batch=line.batch,
        notice_count=line.notice_count,
    )


def job_out(
    job: Job, inputs: dict[str, str], outputs: Outputs, phase: Phase | None = None, place: int | None = None
) -> JobOut:
    """A whole job as the API shows it; `inputs` maps picture names to presigned GETs."""
    expected = phase.forecast if phase else None
    return JobOut(
        **line_out(job.line, outputs).model_dump(),
        models=job.models,
        parameters=job.parameters,
        inputs=[InputOut(name=name, id=image, url=inputs[name]) for name, image in job.inputs.items()],
        images=[_picture_out(image, outputs) for image in job.images],
        infotexts=[image.infotext for image in job.images if image.infotext],
        caption=job.caption,
        timings=job.timings,
        error=job.error,
        started_at=job.started_at,
        # A worker need not report progress, and its last report need not have arrived.
        progress=1.0 if job.line.status == SUCCEED else job.progress,
        instance_type=job.instance_type,
        phase=phase.name if phase else None,
        phase_detail=phase.detail if phase else None,
        place=place,
        forecast=ForecastOut.of(expected) if expected else None,
        cancelled=job.cancelled_when,
        replay_of=job.replay_of,
        notices=list(job.notices),
        components=job.components,
        budget=None,
    )


def _picture_out(image: PaintedImage, outputs: Outputs) -> PictureOut:
    media = media_of_key(image.key)
    links = {
        "url": outputs.url(image.key),
        "thumbnail": outputs.url(image.thumbnail) if image.thumbnail else None,
        "content_type": media.content_type if media else None,
    }
    return PictureOut(**image.model_dump() | links)
