"""The open jobs, as far as endpoints have to do with them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from darkroom import ids
from darkroom.jobs.contract import WorkError
from darkroom.jobs.history import Filters, Stream, fill, plan
from darkroom.jobs.limiter import OpenJobLimiter
from darkroom.jobs.model import Transition
from darkroom.jobs.ports import JobStore, Outputs
from darkroom.jobs.state import OPEN
from darkroom.times import precise

PAGE = 100
MOST = 500
"""Jobs failed in one go: a write each."""


class JobsByEndpoint:
    """`darkroom.endpoints.ports.EndpointJobs` over the jobs table."""

    def __init__(self, store: JobStore, outputs: Outputs, limiter: OpenJobLimiter, shards: int) -> None:
        self._store = store
        self._outputs = outputs
        self._limiter = limiter
        self._shards = shards

    def by_endpoint(self, fresh: bool = False) -> Mapping[str, int]:
        """How many open jobs there are on each endpoint, some seconds ago or now."""
        return self._limiter.by_endpoint(fresh)

    def fail(self, endpoint: str, code: str, message: str) -> int:
        """Fail the open jobs of an endpoint, `MOST` of them; one that settles meanwhile stays as it is, and one whose
        answer lies in S3 too.

        Whoever waits for the deletion gets an answer in time; what is left the sweeper ends.
        """
        asked = Filters(endpoint=endpoint, statuses=frozenset(OPEN))
        failed, before = 0, ids.HIGHEST
        while True:
            page = fill(self._store.read, replace(asked, high=before), plan(asked, self._shards), PAGE)
            for line in page.lines:
                if self._outputs.has_answer(line.id):
                    continue  # It is done; its message, or the sweeper, ends it.
                error = WorkError(code=code, message=message)
                transition = Transition("fail", "endpoint", error=error, completed_at=precise(datetime.now(UTC)))
                failed += self._store.apply(line.id, transition).applied
            if page.next is None or failed >= MOST:
                return failed
            before = ids.before(page.next)

    def last(self, endpoint: str) -> float | None:
        """When the newest job of an endpoint came or ended, in epoch seconds: one Query of one item."""
        found = self._store.read(Stream("by_endpoint", endpoint), Filters(), ids.HIGHEST, 1)
        if not found.lines:
            return None
        line = found.lines[0]
        ended = datetime.fromisoformat(line.completed_at) if line.completed_at else ids.created_at(line.id)
        return max(ended, ids.created_at(line.id)).timestamp()
