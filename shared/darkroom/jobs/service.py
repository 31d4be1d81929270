"""Reading, listing, cancelling and deleting jobs."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from darkroom import ids
from darkroom.checkpoints.resolver import ModelResolver
from darkroom.endpoints.service import Endpoints
from darkroom.errors import Busy, Conflict, Missing
from darkroom.images.service import Images
from darkroom.jobs.api import HistoryQuery, JobEditIn, JobOut, JobPage, Summary, job_out, line_out
from darkroom.jobs.ending import Endings
from darkroom.jobs.filters import Filters
from darkroom.jobs.history import fill, plan
from darkroom.jobs.model import Job
from darkroom.jobs.phase import FRESH_SECONDS, LATEST, Phase, age_of, phase_of
from darkroom.jobs.ports import JobStore, Outputs
from darkroom.jobs.query import filters_of, named, time_range
from darkroom.jobs.removal import Removal
from darkroom.jobs.state import CANCELLED
from darkroom.jobs.summary import summarize

POLL_SECONDS = 0.7


@dataclass(frozen=True)
class Awaited:
    """A job that somebody waited for. `retry_after` is in how many seconds it is worth to ask again; None when the job
    has ended, and when it is worth waiting for at once."""

    job: JobOut
    retry_after: int | None


class Jobs:
    """The jobs of all owners."""

    def __init__(
        self,
        store: JobStore,
        images: Images,
        outputs: Outputs,
        endpoints: Endpoints,
        resolver: ModelResolver,
        endings: Endings,
        removal: Removal,
        shards: int,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`shards` is the number of shards of the feed. `clock` gives epoch seconds, `monotonic` seconds of any other
        beginning, and `sleep` takes seconds."""
        self._store = store
        self._images = images
        self._outputs = outputs
        self._endpoints = endpoints
        self._resolver = resolver
        self._endings = endings
        self._removal = removal
        self._shards = shards
        self._clock = clock
        self._monotonic = monotonic
        self._sleep = sleep

    def get(self, job_id: str, scope: str | None = None) -> JobOut:
        """The whole job. `scope` is the one owner whose jobs may be seen, None for all. Raises Missing
        `job_not_found`."""
        return self.wait_for(job_id, 0, scope).job

    def wait_for(self, job_id: str, seconds: int, scope: str | None = None) -> Awaited:
        """The whole job, after at most so many seconds, sooner once it is settled.

        Waiting occupies a Lambda function and reads the job again and again. So a job is waited for only while its end
        may be near: once it has started, or for a moment after it was made if its endpoint is awake. About any other
        job the caller is told when to ask again. `scope` and errors are as for `get`.
        """
        deadline = self._monotonic() + seconds
        job = found = self.find(job_id, scope)
        phase = self._phase(found)
        asleep = phase is not None and phase.name == "waking"
        while self._may_end_soon(job, asleep) and (left := deadline - self._monotonic()) > 0:
            self._sleep(min(POLL_SECONDS, left))
            job = self.find(job_id, scope)
        if job is not found:
            phase = self._phase(job)
        retry_after = None
        if not job.line.settled and not self._may_end_soon(job, asleep):
            retry_after = phase.ask_again if phase else LATEST
        return Awaited(self.show(job, phase, self._place(job, phase)), retry_after)

    def _may_end_soon(self, job: Job, asleep: bool) -> bool:
        if job.line.settled:
            return False
        return job.started_at is not None or (not asleep and age_of(job, self._clock()) < FRESH_SECONDS)

    def page(self, query: HistoryQuery, *, scope: str | None = None) -> JobPage:
        """A page of the history, newest first. Raises Malformed with the name of a field that makes no sense."""
        filters = filters_of(query)
        if scope is not None:
            if filters.owner not in (None, scope):
                return JobPage(jobs=[], next=None)
            filters = replace(filters, owner=scope)
        filters = named(filters, self._resolver, self._endpoints)
        page = fill(self._store.read, filters, plan(filters, self._shards), query.limit)
        return JobPage(jobs=[line_out(line, self._outputs) for line in page.lines], next=page.next)

    def summary(self, start: str | None, end: str | None, *, scope: str | None = None) -> Summary:
        """Counts of the jobs in a time range, as `HistoryQuery` writes times. Raises Malformed."""
        low, high = time_range(start, end)
        return summarize(self._store.read, Filters(owner=scope, low=low, high=high), self._shards)

    def cancel(self, job_id: str, scope: str | None = None) -> JobOut:
        """End an open job as `cancelled`, and tell its worker to stop. A cancelled job stays as it is.

        The marker comes before the row: broken off in between, the worker stops all the same, and the sweeper finds
        the marker and ends the job. `scope` is the one owner whose jobs may be touched, None for all.
        Raises Missing `job_not_found` and Conflict `job_settled`.
        """
        job = self.find(job_id, scope)
        if job.line.settled:
            if job.line.status != CANCELLED:
                # An earlier cancel may have broken off after its marker, and the job ended all the same.
                self._outputs.unmark(job_id)
            return self._cancelled(job)
        self._outputs.mark_cancelled(job_id, job.failure_location, job.output_location)
        cancelled = self._endings.cancel(job, "caller")
        if cancelled is None:
            found = self.find(job_id, scope)
            if found.line.status != CANCELLED:
                self._outputs.unmark(job_id)
            return self._cancelled(found)
        return self.show(cancelled)

    def _cancelled(self, job: Job) -> JobOut:
        if job.line.status != CANCELLED:
            raise Conflict(
                "job_settled",
                f"The job has ended already ({job.line.status}), so there is nothing to cancel. DELETE removes it.",
            )
        return self.show(job)

    def delete(self, job_id: str, scope: str | None = None) -> None:
        """Remove a job and all it stored: `Removal` says how. `scope` is the one owner whose jobs may be touched, None
        for all. Raises Missing `job_not_found`."""
        self._removal.remove(self.find(job_id, scope))

    def edit(self, job_id: str, request: JobEditIn, scope: str | None = None) -> JobOut:
        """Change title, rating or tags of a job. `scope` is the one owner whose jobs may be touched, None for all.
        Raises Missing `job_not_found`."""
        job = self._store.edit(job_id, request.edit(), scope) if ids.is_id(job_id) else None
        if job is None:
            raise _not_found(job_id)
        return self.show(job)

    def find(self, job_id: str, scope: str | None = None) -> Job:
        """The job. Raises Missing `job_not_found`, also for a job of another owner than `scope`."""
        job = self._store.get(job_id) if ids.is_id(job_id) else None
        if job is None or scope not in (None, job.line.owner):
            raise _not_found(job_id)
        return job

    def show(self, job: Job, phase: Phase | None = None, place: int | None = None) -> JobOut:
        """The job as the API shows it, with presigned links."""
        urls = {name: self._images.url(job.line.owner, image) for name, image in job.inputs.items()}
        return job_out(job, urls, self._outputs, phase, place)

    def _place(self, job: Job, phase: Phase | None) -> int | None:
        """How many open jobs of its endpoint came before a job that waits; None for one that does not wait, or while
        AWS is too busy to count them: what is known of the job is worth more than its place."""
        if phase is None or not phase.waits or job.line.endpoint is None:
            return None
        try:
            return self._store.open_before(job.line.id, job.line.endpoint)
        except Busy:
            return None

    def _phase(self, job: Job) -> Phase | None:
        """The phase of an open job, None when SageMaker does not answer."""
        try:
            return phase_of(job, self._endpoints, self._clock())
        except Busy:
            return None


def _not_found(job_id: str) -> Missing:
    return Missing("job_not_found", f"There is no job {job_id[:64]!r}.")
