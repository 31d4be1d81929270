"""The types of all answers, as `docs/openapi.json` describes them; a test compares the two. One table, in one file.

Times are ISO 8601 in UTC, durations and timings are in seconds, costs in US dollars. An answer may have more fields
than are listed here, when Darkroom is newer than this client.
"""

from typing import Any, Literal, TypedDict

JobType = Literal["txt2img", "img2img", "extras", "interrogate_clip", "interrogate_deepbooru"]
Mode = Literal["img2img", "sketch", "inpaint", "inpaint_sketch", "inpaint_upload"]
Status = Literal["created", "in_progress", "succeed", "fail", "cancelled"]
Phase = Literal["waking", "in_line", "loading", "running"]
DeletionStatus = Literal["running", "done", "stopped", "fail"]
CancelledWhen = Literal["before", "during", "after"]
Kind = Literal[
    "stable-diffusion",
    "vae",
    "lora",
    "hypernetwork",
    "embedding",
    "controlnet",
    "upscaler",
    "text_encoder",
    "engine-file",
]
Purpose = Literal["interrogate_clip", "interrogate_deepbooru", "openpose", "depth_anything"]
ModelStatus = Literal["uploading", "importing", "active", "fail"]
Role = Literal["viewer", "artist", "admin"]


class Pong(TypedDict):
    """Version and stage of the Darkroom that answers."""

    version: str
    stage: str


class JobLine(TypedDict):
    """A line of the history. `duration` counts from the job's creation, `run_seconds` is how long an instance worked on
    the job, and `cost` what that cost (at most, if `cost_estimated`). `prompt` is only its beginning. `thumbnail` is a
    link that is valid for 15 minutes. `seed` is that of the first picture, or the one asked for; `batch` is how many
    pictures were asked for."""

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


class JobPage(TypedDict):
    """Jobs, newest first. `next` is the `before` of the next page; it is None only at the end."""

    jobs: list[JobLine]
    next: str | None


class Input(TypedDict):
    """A picture the job started from; `url` is a link that is valid for 15 minutes."""

    name: str
    id: str
    url: str


class Picture(TypedDict):
    """A picture or video the job made; `url` is a link to its bytes that lives 15 minutes, `thumbnail` one to a small
    picture of it."""

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


class Timings(TypedDict, total=False):
    """How long the worker took for each step, as far as it said so; `model` is download and load together."""

    queued: float | None
    model: float | None
    download: float | None
    load: float | None
    run: float | None


class UsedFile(TypedDict):
    """A model file that was used, with the SHA-256 or the ETag of its bytes."""

    kind: str
    name: str
    sha256: str | None
    etag: str | None


class Components(TypedDict):
    """What made the pictures: the engine and its version, how it computed, and the model files it used."""

    engine: str | None
    version: str | None
    attention: str | None
    precision: str | None
    files: list[UsedFile]


class WorkError(TypedDict):
    """Why a job failed."""

    code: str
    message: str


class Job(JobLine):
    """The whole job. `progress` runs from 0 to 1, `phase` tells what an open job is doing, `cancelled` how far a
    cancelled one had come, and `replay_of` is the job that it repeats. `notices` are sentences about what was done
    otherwise than the body says."""

    models: dict[str, list[str]]
    parameters: dict[str, Any]
    inputs: list[Input]
    images: list[Picture]
    infotexts: list[str]
    caption: str | None
    timings: Timings | None
    error: WorkError | None
    started_at: str | None
    progress: float | None
    instance_type: str | None
    phase: Phase | None
    phase_detail: str | None
    place: int | None
    forecast: "Forecast | None"
    cancelled: CancelledWhen | None
    replay_of: str | None
    notices: list[str]
    components: Components | None
    budget: "Budget | None"


class Budget(TypedDict):
    """How much of a monthly budget is used: `spent`, and `expected`, what open jobs are expected to cost. `used` is
    both as a share of it; `warning` says whether that is more than `warn_at`. `owner` is None for the stage's."""

    owner: str | None
    monthly: float
    spent: float
    expected: float
    used: float
    warn_at: float
    warning: bool


class BudgetSet(TypedDict):
    """A budget as an admin set it; `owner` is None for the stage's."""

    owner: str | None
    monthly: float
    warn_at: float
    set_by: str
    set_at: str


class BudgetList(TypedDict):
    """Every budget."""

    budgets: list[BudgetSet]


class TypeCost(TypedDict):
    """The instances of one type of an endpoint: hours awake, the price of one hour, and both together."""

    instance_type: str
    hours: float
    price: float | None
    cost: float | None


class EndpointCost(TypedDict):
    """What an endpoint cost in a month, and how much of it belongs to jobs, to waking and to idle instances."""

    name: str
    awake_hours: float
    cost: float
    jobs: int
    jobs_cost: float
    waking: float
    idle: float
    unpriced: bool
    types: list[TypeCost]


class OwnerCost(TypedDict):
    """What the jobs of an owner cost in a month; of `unknown` jobs the cost is not known, `estimated` are
    estimates."""

    owner: str
    jobs: int
    cost: float
    unknown: int
    estimated: int
    budget: Budget | None


class Overhead(TypedDict):
    """What belongs to no job."""

    waking: float
    idle: float
    cost: float


class Costs(TypedDict):
    """The costs of a month until now. An artist's has the own jobs alone: no endpoints, and no overhead."""

    month: str
    currency: str
    as_of: str
    exact: bool
    total: float
    jobs: int
    jobs_cost: float
    overhead: Overhead | None
    endpoints: list[EndpointCost]
    owners: list[OwnerCost]
    budget: Budget | None


class DeletedJob(TypedDict):
    """What became of one job that was to be deleted; `reason` says why that failed."""

    id: str
    outcome: Literal["deleted", "not_found", "failed"]
    reason: str | None


class DeletedJobs(TypedDict):
    """What became of each job that was named."""

    jobs: list[DeletedJob]


class Deletion(TypedDict):
    """How far a deletion by filters is; `failed` counts the jobs in `failures`, which could not be deleted."""

    id: str
    status: DeletionStatus
    owner: str
    filters: dict[str, Any]
    deleted: int
    failed: int
    failures: list[DeletedJob]
    reason: str | None
    started_at: str
    ended_at: str | None


class Summary(TypedDict):
    """How many jobs there are in a time range, in all and by several fields, the highest count first. When there are
    too many to count, `exact` is false and only the jobs from `since` on are counted."""

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


class ImageUpload(TypedDict):
    """How to upload a picture: a multipart/form-data POST to `url`, with `fields` first and the file last, within
    `expires_in` seconds."""

    url: str
    fields: dict[str, str]
    expires_in: int


class Image(TypedDict):
    """A picture's id; `upload` is None when its bytes are stored already."""

    id: str
    upload: ImageUpload | None


class Checkpoint(TypedDict):
    """A model file. `size` is in bytes. `pickle` marks formats that can run code when they are loaded. `reason` says
    why the file failed or why an import waits. `done` is how many bytes of an import are stored so far. `folder` is
    where the file lies in the WebUI, and `aliases` are other names that it is called by. `purpose` is what an engine
    needs an `engine-file` for."""

    kind: Kind
    name: str
    status: ModelStatus
    size: int | None
    sha256: str | None
    owner: str | None
    created_at: str | None
    pickle: bool
    base_model: str | None
    trigger_words: list[str]
    reason: str | None
    done: int | None
    folder: str | None
    aliases: list[str]
    purpose: Purpose | None


class CheckpointList(TypedDict):
    """Model files by kind, then by name. `next` is the `after` of the next page; it is None only at the end."""

    checkpoints: list[Checkpoint]
    next: str | None


class Upload(TypedDict):
    """How to send a model file: `parts` parts of `part_size` bytes, the last one shorter."""

    part_size: int
    parts: int


class Registered(TypedDict):
    """A model file that is to be uploaded, and how to upload it."""

    checkpoint: Checkpoint
    upload: Upload


class PartUrl(TypedDict):
    """Where to PUT the bytes of one part, and with which headers."""

    number: int
    url: str
    headers: dict[str, str]


class StoredPart(TypedDict):
    """A part that is stored already."""

    number: int
    size: int
    sha256: str | None


class Parts(TypedDict):
    """URLs for the requested parts, valid for `expires_in` seconds, and all parts that are stored already."""

    urls: list[PartUrl]
    expires_in: int
    stored: list[StoredPart]


Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Hours = TypedDict(
    "Hours",
    {
        "days": list[Weekday],
        "from": str,
        "to": str,
        "time_zone": str,
        "hours_a_month": float,
        "dollars_a_month": float | None,
    },
)
"""Working hours of an endpoint, in which it has an instance at least, and what that costs in a month in US dollars."""


class Instances(TypedDict):
    """How many instances of a type run."""

    instance_type: str
    instances: int


class Endpoint(TypedDict):
    """An endpoint. `status` is SageMaker's own word, and it changed at `modified_at`. `instances` are running,
    `wanted_instances` shall run; `instance_types` are in order of preference. `scaling` says whether the bounds are
    registered. `deleting` is true once somebody
    deleted the endpoint."""

    name: str
    status: str
    usable: bool
    created_at: str
    modified_at: str
    instance_type: str | None
    instance_types: list[Instances]
    image: str | None
    engine: str | None
    instances: int
    wanted_instances: int
    min_instances: int | None
    max_instances: int | None
    scaling: bool
    open_jobs: int
    owner: str | None
    failure: str | None
    deleting: bool
    warm_until: str | None
    hours: Hours | None
    dollars_an_hour: float | None


class Warm(TypedDict):
    """An endpoint that is kept awake until then: at most so many hours more of one instance, and what they cost in US
    dollars; None where the stage has no price of its type."""

    name: str
    warm_until: str
    hours: float
    instance_type: str | None
    dollars_an_hour: float | None
    dollars: float | None
    detail: str


class Forecast(TypedDict):
    """How many seconds pass from the ask for an endpoint's first instance to the first picture, in the middle case and
    in nine of ten, worked out from so many wake-ups."""

    median: float
    ninth_decile: float
    wake_ups: int


class WakeUp(TypedDict):
    """A wake-up of an endpoint: when its first instance was asked for, and when that, its container and its first
    picture were there; `seconds` passed in all."""

    asked: str
    instance: str | None
    container: str | None
    picture: str | None
    seconds: float | None


class EndpointShown(Endpoint):
    """One endpoint, with its last wake-ups, newest first, and what they let expect of the next."""

    wake_ups: list[WakeUp]
    forecast: Forecast | None


class EndpointList(TypedDict):
    """Endpoints, newest first."""

    endpoints: list[Endpoint]


class Limits(TypedDict):
    """A key's own limits; None means that the stage's limit applies."""

    requests_per_minute: int | None
    open_jobs: int | None


class Key(TypedDict):
    """An access key. `prefix` is the beginning of its secret, `last_used` is rounded to the hour."""

    id: str
    name: str
    role: Role
    prefix: str
    created_at: str
    last_used: str | None
    expires_at: str
    limits: Limits


class KeyMade(Key):
    """A new key with its `secret`, which no other answer contains."""

    secret: str


class KeyList(TypedDict):
    """Keys, newest first. `next` is the `before` of the next page; it is None only at the end."""

    keys: list[Key]
    next: str | None


class Queue(TypedDict):
    """A dead-letter queue: about how many messages are in it, and when the oldest of up to ten was sent."""

    name: str
    messages: int
    oldest: str | None


class QueueList(TypedDict):
    """All dead-letter queues of the stage."""

    queues: list[Queue]


class Letter(TypedDict):
    """A message without its text: what it is about (`subject`), what it reports (`status`), and why it is here."""

    id: str
    sent_at: str
    received: int
    kind: str
    subject: str | None
    status: str | None
    reason: str | None


class LetterList(TypedDict):
    """The first messages of a queue, in no particular order. `more` is true when there are others."""

    messages: list[Letter]
    more: bool


class Redriven(TypedDict):
    """How many messages were sent back, how many were deleted, and about how many are left."""

    moved: int
    dropped: int
    left: int
