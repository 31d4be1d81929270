"""A job as Darkroom stores it, its transitions, and the keys of its objects in S3."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from darkroom import ids
from darkroom.checkpoints.model import JOB_KINDS, FileFacts, Kind, ModelKey
from darkroom.checkpoints.purposes import ENGINE_FILE
from darkroom.jobs.contract import Components, PaintedImage, Timings, WorkError
from darkroom.jobs.media import media_of_key
from darkroom.jobs.runs import MAX_RUNS
from darkroom.jobs.state import CREATED, IN_PROGRESS, OPEN, Basis, CancelPoint, Status
from darkroom.jobs.types import JobType, Mode
from darkroom.times import iso

MODEL_KINDS: tuple[Kind, ...] = tuple(kind for kind in JOB_KINDS if kind != "stable-diffusion")
"""Kinds of model files a job may use besides its checkpoint (whose kind is `stable-diffusion`)."""
EXTRA_KINDS: tuple[Kind, ...] = tuple(kind for kind in MODEL_KINDS if kind != "vae")
"""Those of which a job may use several files; of VAEs it uses at most one."""
NO_VAE = "None"
"""The name that stands for no VAE, as in the WebUI; it is no file."""


@dataclass(frozen=True, slots=True)
class JobLine:
    """The part of a job that lists show and filters compare.

    `completed_at` is ISO 8601 in UTC, `first_image` the S3 key of a small picture of the result, `prompt` the prompt as
    far as lines keep it; `run_seconds` are those an instance worked for it, `price` what an hour of its share of an
    instance cost when it was made. A job that is not handed over yet may have no `endpoint` and no `price`.

    Where the endpoint has several instance types, the price is that of the dearest until the end tells the type that it
    ran on; `price_estimated` says that the end did not tell.

    `seeds` are those of its pictures, each once, as far as lines keep them; before its end the one that it asks for, if
    it asks for one. `batch` is how many pictures it asks for, `notice_count` how many notices it has. Title, rating
    (1 to 5) and tags are what its owner gave it.
    """

    id: str
    owner: str
    type: JobType
    status: Status
    endpoint: str | None = None
    mode: Mode | None = None
    checkpoint: str | None = None
    completed_at: str | None = None
    image_count: int = 0
    first_image: str | None = None
    prompt: str | None = None
    lora: tuple[str, ...] = ()
    run_seconds: float | None = None
    price: float | None = None
    price_estimated: bool = False
    seeds: tuple[int, ...] = ()
    batch: int | None = None
    notice_count: int = 0
    title: str | None = None
    rating: int | None = None
    tags: tuple[str, ...] = ()

    @property
    def created_at(self) -> str:
        """Time of creation, ISO 8601 in UTC, seconds; it stands in the id."""
        return iso(ids.created_at(self.id))

    @property
    def label(self) -> str:
        """`<time>-><type>-><status>-><id>`: the line the WebUI's history dropdown shows."""
        return f"{self.created_at}->{self.type}->{self.status}->{self.id}"

    @property
    def duration(self) -> float | None:
        """Seconds from creation to the end, None while the job is open."""
        if self.completed_at is None:
            return None
        end = datetime.fromisoformat(self.completed_at)
        return max(0.0, round((end - ids.created_at(self.id)).total_seconds(), 3))

    @property
    def cost(self) -> float | None:
        """What the run cost, in the currency of the price table; None while that is not known.

        The cost of the time in which an instance is idle or starts belongs to no job.
        """
        if self.run_seconds is None or self.price is None:
            return None
        return round(self.run_seconds * self.price / 3600, 6)

    @property
    def cost_estimated(self) -> bool:
        """Whether the cost is the most that the run can have cost, because nobody knows the type it ran on."""
        return self.price_estimated and self.cost is not None

    @property
    def settled(self) -> bool:
        """Whether the job has reached its end."""
        return self.status not in OPEN


@dataclass(frozen=True, slots=True)
class Job:
    """The whole job. `inputs` maps picture names (`init`, `mask`, …) to image ids (SHA-256 in hex);
    `models` maps kinds to file names, `objects` kinds to the S3 keys of those files whose names do not tell them, and
    `spellings` kinds to the names that its body says for them (None for a job
    from before they were kept); `expires_at` is in epoch seconds. `output_location` is where SageMaker puts the answer
    of the present run (an S3 URI), None until it took it; `run` counts the runs, one more each time that its worker was
    stopped. `hand_overs` counts how often the sweeper handed that run over, the last time at `handed_over_at`.
    `notices` are sentences for its owner, `components` what made its pictures. `uses` counts the pictures whose use was
    written with the job, None for a job from before that was done. `files` maps purposes to the names of the files that
    an engine needs for them. `loading` is the share of its model files that its worker had when it last said so, and
    `progress` is None until it paints. `pool` maps the instance types of its endpoint to the prices of an hour of
    the job's share (None: not known), if they are several; `instance_type` is known at the end then. `facts` are what
    the shelf knows of the bytes of its files; they are not stored, so only a job that was just made has them."""

    line: JobLine
    parameters: dict[str, Any]
    inputs: dict[str, str] = field(default_factory=dict)
    models: dict[str, list[str]] = field(default_factory=dict)
    spellings: dict[str, dict[str, str]] | None = None
    expires_at: int | None = None
    instance_type: str | None = None
    failure_location: str | None = None
    started_at: str | None = None
    progress: float | None = None
    loading: float | None = None
    images: tuple[PaintedImage, ...] = ()
    caption: str | None = None
    timings: Timings | None = None
    error: WorkError | None = None
    submitted_at: str | None = None
    replay_of: str | None = None
    cancelled_when: CancelPoint | None = None
    output_location: str | None = None
    run: int = 1
    hand_overs: int = 0
    handed_over_at: str | None = None
    objects: dict[str, dict[str, str]] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    components: Components | None = None
    uses: int | None = None
    files: dict[str, list[str]] = field(default_factory=dict)
    pool: Mapping[str, float | None] = field(default_factory=dict)
    facts: Mapping[ModelKey, FileFacts] = field(default_factory=dict, compare=False)

    @property
    def model_keys(self) -> tuple[ModelKey, ...]:
        """Every model file that the job uses, the checkpoint first."""
        keys = [ModelKey("stable-diffusion", self.line.checkpoint)] if self.line.checkpoint else []
        keys += [ModelKey(kind, name) for kind in JOB_KINDS for name in self.models.get(kind, ())]
        no_vae = ModelKey("vae", NO_VAE)
        return tuple(key for key in dict.fromkeys(keys) if key != no_vae)

    @property
    def file_keys(self) -> dict[str, list[ModelKey]]:
        """The files that an engine needs, by purpose."""
        return {purpose: [ModelKey(ENGINE_FILE, name) for name in names] for purpose, names in self.files.items()}

    def object_key(self, key: ModelKey) -> str:
        """The S3 key of the object of a file that the job uses."""
        return self.objects.get(key.kind, {}).get(key.name) or key.default_object

    @property
    def listed_at_first(self) -> Status:
        """The status that a new job is listed as. It is handed over right after it is written, so it is listed as
        handed over; one without an endpoint waits."""
        handed_over = self.line.status == CREATED and self.line.endpoint is not None
        return IN_PROGRESS if handed_over else self.line.status

    @property
    def answer_at(self) -> str:
        """Where the answer of the present run is put: the place that SageMaker named, as an S3 URI, or the key that it
        is asked for."""
        return self.output_location or answer_key(self.line.id, self.run)

    @property
    def awaits_hand_over(self) -> bool:
        """Whether the job is open and SageMaker has not confirmed that it took its present run."""
        if self.line.status == CREATED:
            return True
        return self.run > 1 and self.line.status == IN_PROGRESS and self.output_location is None

    @property
    def cancel_point(self) -> CancelPoint:
        """How far a job that is cancelled now has come."""
        return "during" if self.started_at else "before"


def again(job: Job, now: str, notice: str) -> Job:
    """An open job at the beginning of its next run, at `now` (ISO 8601), with a sentence more for its owner."""
    return replace(
        job,
        line=replace(job.line, status=IN_PROGRESS, notice_count=job.line.notice_count + 1),
        run=job.run + 1,
        submitted_at=now,
        hand_overs=0,
        handed_over_at=now,
        notices=(*job.notices, notice),
        output_location=None,
        failure_location=None,
        started_at=None,
        progress=None,
        loading=None,
    )


@dataclass(frozen=True, slots=True)
class Pool:
    """The endpoint of a job that has several instance types, and the price of an hour of the job's share of each, None
    where it is not known."""

    endpoint: str
    prices: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Ran:
    """The instance type that a job ran on, and the price of an hour of its share; None for what is not known. An
    estimate is the dearest of the types that it can have run on."""

    instance_type: str | None
    price: float | None
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Transition:
    """One transition to `status`, resting on `basis`, with what it brings; None leaves an attribute as it is.

    With `only_for`, it is made only if the job is of one of these types, with `run` only while the job is at that run.
    `notices` come behind those that the job has. With `needs_type`, it is refused for a job whose endpoint has several
    instance types: `ran` says then which one it was, at a second try.
    """

    status: Status
    basis: Basis
    only_for: tuple[JobType, ...] | None = None
    run: int | None = None
    output_location: str | None = None
    failure_location: str | None = None
    images: tuple[PaintedImage, ...] | None = None
    caption: str | None = None
    timings: Timings | None = None
    error: WorkError | None = None
    submitted_at: str | None = None
    completed_at: str | None = None
    cancelled_when: CancelPoint | None = None
    notices: tuple[str, ...] = ()
    components: Components | None = None
    needs_type: bool = False
    ran: Ran | None = None

    @property
    def first_image(self) -> str | None:
        """The S3 key of what a line of the history shows: of the first picture its thumbnail, else itself. A video
        without a thumbnail is none."""
        for image in self.images or ():
            if image.thumbnail:
                return image.thumbnail
            media = media_of_key(image.key)
            # Of a key that an older Darkroom took, the extension may be unknown.
            if media is None or media.is_picture:
                return image.key
        return None


MOST_SEEDS = 32
"""Seeds that a line keeps: it is written to every index, and 32 pictures are a large batch."""


def seeds_of(images: tuple[PaintedImage, ...]) -> tuple[int, ...]:
    """The seeds of pictures, each once, in their order, as far as a line keeps them."""
    seeds = dict.fromkeys(image.seed for image in images if image.seed is not None and image.seed >= 0)
    return tuple(seeds)[:MOST_SEEDS]


@dataclass(frozen=True, slots=True)
class Edit:
    """What the owner of a job gives it. `changed` names the fields that change (`title`, `rating`, `tags`); None and no
    tags take the old value away."""

    changed: frozenset[str]
    title: str | None = None
    rating: int | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JobTimeouts:
    """How long a job may wait in SageMaker's queue, how long it may run, and after how long without news the
    sweeper looks at it; all in seconds."""

    queue: int
    run: int
    settle_after: int

    @property
    def deadline(self) -> int:
        """Seconds after its hand-over in which SageMaker answers or never does."""
        return self.queue + self.run + self.settle_after

    @property
    def forgotten(self) -> int:
        """Seconds after its creation from when nothing can happen to a job any more: it may be handed over as late
        as its first deadline, each run has one of its own from then, and the last is left for a sweeper that is
        late."""
        return (MAX_RUNS + 2) * self.deadline


@dataclass(frozen=True, slots=True)
class OpenJobCounts:
    """How many jobs are open: in all, by owner, and by endpoint. Only owners and endpoints with open jobs are named."""

    total: int
    by_owner: dict[str, int]
    by_endpoint: dict[str, int]


def job_prefix(job_id: str) -> str:
    """The S3 prefix of all objects of a job, without the bucket."""
    return f"jobs/{job_id}/"


def cancel_key(job_id: str) -> str:
    """The S3 key of the marker that tells the worker to stop."""
    return job_prefix(job_id) + "cancelled"


def output_prefix(job_id: str) -> str:
    """The S3 prefix of everything that a job's worker writes, without the bucket."""
    return f"jobs/{job_id}/output/"


ANSWER_NAME = "response.json"
"""The name SageMaker writes the worker's answer under (`Filename`, at most 32 characters with one dot)."""


def answer_name(run: int) -> str:
    """The name for the answer of a run: each has its own, so that no answer is taken for that of another run."""
    return ANSWER_NAME if run == 1 else f"response-{run}.json"


def answer_key(job_id: str, run: int = 1) -> str:
    """The S3 key that is asked for the worker's answer."""
    return output_prefix(job_id) + answer_name(run)


def answer_keys(job_id: str) -> set[str]:
    """The S3 keys that are asked for the answers of all runs that a job can have."""
    return {answer_key(job_id, run) for run in range(1, MAX_RUNS + 1)}


def as_json(value: object) -> bytes:
    """JSON as it is stored and sent: in UTF-8, without blanks. Raises ValueError for NaN and infinite numbers."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
