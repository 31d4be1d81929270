"""The jobs of an endpoint: how many are open, when the newest ended, and failing them when the endpoint is deleted."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from darkroom import ids
from darkroom.endpoints.model import JobSpan
from darkroom.jobs.contract import WorkError
from darkroom.jobs.ending import Endings
from darkroom.jobs.filters import Filters
from darkroom.jobs.history import Stream, fill, plan
from darkroom.jobs.limiter import OpenJobLimiter
from darkroom.jobs.model import JobLine
from darkroom.jobs.ports import JobStore, Outputs
from darkroom.jobs.state import OPEN

PAGE = 100
MOST = 500
"""Jobs that one call fails, each by one write."""


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

    def last(self, endpoint: str) -> float | None:
        """When the newest job of an endpoint was created or ended, in epoch seconds, None without jobs: one Query of
        one item."""
        return max((max(span.created, span.ended or 0.0) for span in self.spans(endpoint, 1)), default=None)

    def spans(self, endpoint: str, most: int) -> list[JobSpan]:
        """From when to when the newest jobs were open, newest first: one Query."""
        lines = self._store.read(Stream("by_endpoint", endpoint), Filters(), ids.HIGHEST, most).lines
        return [JobSpan(ids.created_at(line.id).timestamp(), _ended(line)) for line in lines]


def _ended(line: JobLine) -> float | None:
    return datetime.fromisoformat(line.completed_at).timestamp() if line.completed_at else None
