"""The jobs of an endpoint: how many are open, when the newest ended, and failing them when the endpoint is deleted."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from darkroom import ids
from darkroom.endpoints.model import JobSpan
from darkroom.endpoints.ports import Begun
from darkroom.jobs.contract import WorkError
from darkroom.jobs.ending import Endings
from darkroom.jobs.filters import Filters
from darkroom.jobs.history import Stream, fill, plan
from darkroom.jobs.limiter import OpenJobLimiter
from darkroom.jobs.model import JobLine
from darkroom.jobs.ports import JobStore, Outputs
from darkroom.jobs.state import OPEN, SUCCEED
from darkroom.times import moment, told

PAGE = 100
MOST = 500
"""Jobs that one call fails, each by one write; and those that are looked through for the first work of an endpoint."""
WAITED_SECONDS = 3600
"""How long before an endpoint was woken the jobs may have come that wait for it: its instance may not be to be had."""
FIRST_IN_LINE = 3
"""SageMaker hands jobs out in the order in which they came, so the first ones begin first."""


class JobsByEndpoint:
    """`darkroom.endpoints.ports.EndpointJobs` over the jobs table."""

    def __init__(
        self, store: JobStore, outputs: Outputs, endings: Endings, limiter: OpenJobLimiter, shards: int
    ) -> None:
        self._store = store
        self._outputs = outputs
        self._endings = endings
        self._limiter = limiter
        self._shards = shards

    def by_endpoint(self, fresh: bool = False) -> Mapping[str, int]:
        """The number of open jobs by endpoint, some seconds old, or counted now when `fresh`."""
        return self._limiter.by_endpoint(fresh)

    def fail(self, endpoint: str, code: str, message: str) -> int:
        """Fail the open jobs of an endpoint, about `MOST` of them; returns how many.

        A job that ends meanwhile, and a job whose answer is in S3 already, stay as they are. The number is limited so
        that the deletion answers in time; the sweeper ends the rest.
        """
        filters = Filters(endpoint=endpoint, status=list(OPEN))
        failed, before = 0, ids.HIGHEST
        while True:
            page = fill(self._store.read, replace(filters, high=before), plan(filters, self._shards), PAGE)
            for line in page.lines:
                job = self._store.get(line.id)
                if job and self._outputs.has_answer(line.id, job.answer_at):
                    continue  # The message of its answer, or the sweeper, ends it.
                if self._endings.fail(line, WorkError(code=code, message=message), "endpoint"):
                    failed += 1
            if page.next is None or failed >= MOST:
                return failed
            before = ids.before(page.next)

    def first_work(self, endpoint: str, since: float, there: float) -> Begun:
        """See `FirstWork.first_work`: one Query or some, and a GetItem for each of the first jobs."""
        settled, waiting = self._lines(endpoint, since, there)
        ends = [(_ended(line), line) for line in settled if line.status == SUCCEED]
        pictures = [(when, line) for when, line in ends if when is not None and when > since]
        first = min(pictures, default=None, key=lambda found: found[0])
        asked = [line.id for line in waiting[:FIRST_IN_LINE]] + ([first[1].id] if first else [])
        begun = [when for job_id in asked if (when := self._began(job_id)) is not None and when >= since]
        return Begun(min(begun, default=None), first[0] if first else None)

    def _lines(self, endpoint: str, since: float, there: float) -> tuple[list[JobLine], list[JobLine]]:
        """The lines of an endpoint's jobs that may have waited for its start, oldest first: those that ended, and those
        that are open."""
        low, high = ids.first_of(moment(since - WAITED_SECONDS)), ids.before(ids.first_of(moment(there)))
        filters = Filters(endpoint=endpoint, low=low, high=high)
        stream, start, lines = Stream("by_endpoint", endpoint), ids.HIGHEST, list[JobLine]()
        while len(lines) < MOST:
            page = self._store.read(stream, filters, start, PAGE)
            lines += page.lines
            if page.last_read is None:
                break
            start = ids.before(page.last_read)
        lines.reverse()
        return [line for line in lines if line.settled], [line for line in lines if not line.settled]

    def _began(self, job_id: str) -> float | None:
        """When a worker began with a job: as it told, or so long before the end as it was at work."""
        job = self._store.get(job_id)
        if job is None:
            return None
        if job.started_at is not None:
            return told(job.started_at)
        ended, busy = _ended(job.line), job.line.run_seconds
        return None if ended is None or busy is None else ended - busy

    def last(self, endpoint: str) -> float | None:
        """When the newest job of an endpoint was created or ended, in epoch seconds, None without jobs: one Query of
        one item."""
        return max((max(span.created, span.ended or 0.0) for span in self.spans(endpoint, 1)), default=None)

    def spans(self, endpoint: str, most: int) -> list[JobSpan]:
        """From when to when the newest jobs were open, newest first: one Query."""
        lines = self._store.read(Stream("by_endpoint", endpoint), Filters(), ids.HIGHEST, most).lines
        return [JobSpan(ids.created_at(line.id).timestamp(), _ended(line)) for line in lines]


def _ended(line: JobLine) -> float | None:
    """When a job ended, in epoch seconds; None for an open one."""
    return datetime.fromisoformat(line.completed_at).timestamp() if line.completed_at else None
