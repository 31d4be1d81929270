"""What the jobs feature needs from the outside; `aws` has the implementations."""

from collections.abc import Set
from dataclasses import dataclass, field
from typing import Any, Protocol

from darkroom.checkpoints.model import ModelKey
from darkroom.idempotency import Idempotency
from darkroom.jobs.filters import Filters
from darkroom.jobs.history import Slice, Stream
from darkroom.jobs.model import Edit, Job, JobLine, OpenJobCounts, Pool, Transition
from darkroom.jobs.runs import Run
from darkroom.jobs.state import CancelPoint, DeletionStatus, Status
from darkroom.jobs.types import JobType


@dataclass(frozen=True)
class WriteResult:
    """What a conditional write met: whether it was applied, and whether the job is there at all. When it was not
    applied, where the job stands instead, where SageMaker puts its failure file (an S3 URI), its type, where SageMaker
    puts its answer (an S3 URI), its run, and the instance types of its endpoint if they are several."""

    applied: bool
    exists: bool
    status: Status | None = None
    failure_location: str | None = None
    type: JobType | None = None
    output_location: str | None = None
    run: int = 1
    pool: Pool | None = None


class KeyUsed(Exception):
    """The idempotency key was used before: `digest` is that of the request, `job_id` the job that it created."""

    def __init__(self, job_id: str, digest: str) -> None:
        super().__init__(job_id)
        self.job_id = job_id
        self.digest = digest


class ModelsNotActive(Exception):
    """Some model files are missing or not active, so nothing was written."""

    def __init__(self, models: tuple[ModelKey, ...]) -> None:
        super().__init__(", ".join(f"{m.kind}/{m.name}" for m in models))
        self.models = models


class EndpointRefused(Exception):
    """SageMaker refused the invoke: the endpoint is gone or not in service. The text is SageMaker's."""


ANSWER_LIMIT = 24 * 1024 * 1024
"""Bytes of an answer that are read at most. SageMaker stores up to 1 GB, more than the memory of a function."""


class AnswerTooLarge(Exception):
    """The answer is larger than the limit and was not read."""


@dataclass(frozen=True)
class Deletion:
    """A deletion of all jobs that filters find, as it is kept.

    `asked` are the filters as the caller wrote them, `filters` what they mean; the highest id they take is older than
    the deletion. `failures` maps jobs that could not be deleted to the reasons. `page` are the ids that are being
    deleted, `below` is the highest id that was not looked at yet ("" when all were). `step`, `step_token`, `stepped_at`
    and `attempts` are as for an import, `version` counts the changes; `expires_at` is in epoch seconds.
    """

    id: str
    owner: str
    asked: dict[str, Any]
    filters: Filters
    started_at: str
    expires_at: int
    below: str
    status: DeletionStatus = "running"
    reason: str | None = None
    ended_at: str | None = None
    deleted: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    page: tuple[str, ...] = ()
    step: int = 0
    step_token: str | None = None
    stepped_at: str | None = None
    attempts: int = 0
    version: int = 0


@dataclass(frozen=True)
class Noted:
    """What is kept of an `Idempotency-Key` that came with a deletion: the digest of the request, the deletion it began
    ("" for none), and the jobs that were there before any was deleted."""

    digest: str
    deletion: str
    jobs: tuple[str, ...]


@dataclass(frozen=True)
class PlannedJob:
    """A job that is about to be made, as far as its cost goes: `price` is an hour of its share of an instance, None
    when that is not known, and `pictures` how many it asks for, at least 1."""

    owner: str
    type: JobType
    endpoint: str | None
    price: float | None
    pictures: int


@dataclass(frozen=True)
class BudgetState:
    """How much of a budget is used this month: `budget`, `spent` and `expected`, what open jobs are expected to cost,
    in US dollars; `owner` is None for the budget of the stage."""

    owner: str | None
    budget: float
    spent: float
    expected: float
    warn_at: float

    @property
    def used(self) -> float:
        """What is spent and expected, as a share of the budget; 1 for a budget of nothing."""
        return round((self.spent + self.expected) / self.budget, 4) if self.budget else 1.0

    @property
    def exceeded(self) -> bool:
        """Whether a job that is counted in must be refused. A budget of nothing takes no job, whatever it costs."""
        return self.budget == 0 or self.spent + self.expected > self.budget

    @property
    def near(self) -> bool:
        """Whether to warn."""
        return self.used >= self.warn_at


class DeletionStore(Protocol):
    """The rows of deletions."""

    def note(self, used: Idempotency, deletion: str, jobs: tuple[str, ...]) -> Noted:
        """Keep what an idempotency key stands for; what was kept before stays, and is returned."""

    def create(self, deletion: Deletion) -> bool:
        """Write a new row; False when there is one of this id."""

    def find(self, deletion_id: str) -> Deletion | None:
        """The row as it is now (a consistent read)."""

    def running(self) -> list[str]:
        """The ids of all deletions that run; a change of this moment may not be seen yet."""

    def change(self, old: Deletion, new: Deletion) -> Deletion | None:
        """Replace a row that is still as it was; None when it is not. A row that was stopped meanwhile stays stopped,
        and takes the rest."""

    def stop(self, deletion_id: str, now: str) -> Deletion | None:
        """End a running deletion as `stopped`; returns the row as it is then, None when there is none."""


class JobStore(Protocol):
    """The jobs table."""

    def create(self, job: Job, models: tuple[ModelKey, ...], idempotency: Idempotency | None) -> None:
        """Write the job if all models are active and the key is new; raises ModelsNotActive or KeyUsed."""

    def idempotency(self, owner: str, key: str) -> KeyUsed | None:
        """The job that this idempotency key created, None when the key is unused or has expired."""

    def get(self, job_id: str) -> Job | None:
        """The job as it is now (a consistent read)."""

    def read(self, stream: Stream, filters: Filters, start: str, limit: int) -> Slice:
        """See `history.Read`: one read of one index partition."""

    def open_jobs(self) -> OpenJobCounts:
        """How many jobs are open; a write of this moment may not be counted yet."""

    def open_before(self, job_id: str, endpoint: str) -> int:
        """How many open jobs of an endpoint were made before this one; a write of this moment may not be counted
        yet."""

    def oldest(self, status: Status, shard: int, after: str, until: str, limit: int) -> list[JobLine]:
        """Lines of one status and shard, oldest first, with ids beyond `after` and up to `until`; an empty list is
        the end."""

    def apply(self, job_id: str, transition: Transition) -> WriteResult:
        """Write a transition if the job's status allows it (`state.origins`)."""

    def list_as_created(self, job_id: str) -> WriteResult:
        """Show `created` in lists for a job that is `created` and whose hand-over did not happen: until then, lists
        show it as handed over (`Job.listed_at_first`)."""

    def edit(self, job_id: str, edit: Edit, scope: str | None) -> Job | None:
        """Change what the owner gave the job, and return the job as it is then; None when there is none, or when
        `scope`, the one owner whose jobs may be touched (None for all), is not its owner."""

    def progress(self, job_id: str, progress: float, started_at: str) -> WriteResult:
        """Write the progress of an open job; a lower one than the stored is not applied."""

    def loading(self, job_id: str, share: float, started_at: str) -> WriteResult:
        """Write how much of its model files an open job has; a lower share than the stored is not applied, and none
        once there is progress."""

    def claim_hand_over(self, job_id: str, before: int, now: str, run: int = 1) -> bool:
        """Record that the `run` of a job is handed over once more, at `now` (ISO 8601), after `before` recorded times.

        True if this caller may hand it over. False when SageMaker has confirmed that it took this run, the job has
        ended or is at another run, its worker has begun, or another caller recorded it first. The same claim sent twice
        gives True both times.
        """

    def begin_again(self, job: Job, now: str, notice: str) -> Job | None:
        """Begin the next run of an open job, at `now` (ISO 8601): it is in progress, nothing of its last run is left in
        the row, and its owner reads `notice`.

        Returns the job as it is then, None when the job is not open and at this run any more.
        """

    def note_cancel_point(self, job_id: str, point: CancelPoint) -> WriteResult:
        """Write how far a cancelled job had come; an earlier point than the stored one is not applied."""

    def note_failure(self, job_id: str, failure_location: str, output_location: str | None = None) -> WriteResult:
        """Store where SageMaker puts the failure file of a job, and its answer if that is given, if the job exists,
        whatever its status."""

    def delete(self, job_id: str) -> Status | None:
        """Remove the row; returns the status that the job had, None when there was no row."""

    def first(self, shard: int) -> Job | None:
        """The oldest job of a shard of the feed. Raises Busy while that cannot be told."""

    def existing(self, job_ids: list[str]) -> set[str]:
        """The ids that have a row. An id that DynamoDB did not look up is among them."""


class Bookmarks(Protocol):
    """Where the sweeper stopped: a small dictionary for each name."""

    def load(self, name: str) -> dict[str, str]:
        """The dictionary that was saved last, empty when there is none."""

    def save(self, name: str, bookmarks: dict[str, str]) -> None:
        """Store the dictionary for some weeks."""


class Inference(Protocol):
    """SageMaker asynchronous inference."""

    def invoke(self, endpoint: str, run: Run, body: bytes) -> tuple[str, str | None]:
        """Hand over the request for a run; returns output and failure location. Raises EndpointRefused."""


class Outputs(Protocol):
    """The objects of jobs in the pictures bucket.

    `at` is where an answer lies: the S3 URI that SageMaker named, or a key; None for the usual key. A place that no
    worker may write to is as if nothing were there.
    """

    def read_answer(self, job_id: str, limit: int = ANSWER_LIMIT, at: str | None = None) -> bytes | None:
        """The worker's answer as SageMaker stored it, None when it is not there. Raises AnswerTooLarge for one of more
        than `limit` bytes."""

    def write_picture(self, job_id: str, name: str, content: bytes, content_type: str) -> str:
        """Store the bytes of a picture or video as they are, under this name; returns the key."""

    def sizes(self, job_id: str, keys: Set[str]) -> dict[str, int]:
        """The bytes of those of the keys under the job's output prefix that are there. When thousands of other objects
        lie there too, some may be missed."""

    def read_failure(self, failure_location: str) -> bytes | None:
        """The beginning of what SageMaker left in a failure file (an S3 URI), None when it is not there."""

    def mark_cancelled(self, job_id: str, failure_location: str | None, at: str | None = None) -> None:
        """Put the marker that tells the worker to stop. It remembers the failure file, and the place of the answer, for
        `delete`."""

    def has_answer(self, job_id: str, at: str | None = None) -> bool:
        """Whether the worker's answer lies there."""

    def is_marked(self, job_id: str) -> bool:
        """Whether the marker is there."""

    def unmark(self, job_id: str) -> None:
        """Take the marker away."""

    def delete(
        self, job_id: str, failure_location: str | None = None, at: str | None = None, keep_marker: bool = False
    ) -> None:
        """Remove everything under `jobs/<id>/` (with `keep_marker` all but the marker), SageMaker's failure file (an S3
        URI) and an answer that lies elsewhere, if there are any or the marker remembers them."""

    def delete_pictures(self, job_id: str, at: str | None = None) -> None:
        """Remove what a job painted; its answers stay, for they tell why the job failed."""

    def folders(self, after: str, until: str) -> list[str]:
        """Ids under `jobs/` that have objects, in order, beyond `after` and up to `until`, at most 1,000; an empty
        list is the end."""

    def failures(self, after: str) -> list[str]:
        """Keys of failure files in order beyond the key `after`, at most 1,000; an empty list is the end."""

    def delete_failures(self, keys: list[str]) -> None:
        """Remove failure files by their keys."""

    def url(self, key: str) -> str:
        """A presigned GET for a key, valid for 15 minutes."""


class Spending(Protocol):
    """Budgets, as far as new jobs are concerned."""

    def admit(self, planned: PlannedJob) -> BudgetState | None:
        """Check that one more job is within the budgets of its owner and of the stage; raises OverBudget
        `budget_spent`. Returns the budget that is nearly spent, None when none is."""

    def add(self, planned: PlannedJob) -> None:
        """Count a job that was made. It reads nothing and raises no error: the answer to a request whose job is made
        must not fail."""
