"""The open jobs, as far as endpoints have to do with them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from darkroom import ids
from darkroom.jobs.contract import WorkError
from darkroom.jobs.crowd import Crowd
from darkroom.jobs.history import Filters, Stream, fill, plan
from darkroom.jobs.model import Change, precise
from darkroom.jobs.ports import JobStore
from darkroom.jobs.state import OPEN

PAGE = 100


class OpenJobs:
    """`darkroom.endpoints.ports.OpenJobs` over the jobs table."""

    def __init__(self, store: JobStore, crowd: Crowd, shards: int) -> None:
        self._store = store
        self._crowd = crowd
        self._shards = shards

    def by_endpoint(self) -> Mapping[str, int]:
        """How many open jobs there are on each endpoint."""
        return self._crowd.by_endpoint()

    def fail(self, endpoint: str, code: str, message: str) -> int:
        """Fail every open job of an endpoint, page by page; one that settles meanwhile stays as it is."""
        asked = Filters(endpoint=endpoint, statuses=frozenset(OPEN))
        failed, before = 0, ids.HIGHEST
        while True:
            page = fill(self._store.read, replace(asked, high=before), plan(asked, self._shards), PAGE)
            for line in page.lines:
                error = WorkError(code=code, message=message)
                change = Change("fail", "caller", error=error, completed_at=precise(datetime.now(UTC)))
                failed += self._store.change(line.id, change).applied
            if page.next is None:
                return failed
            before = ids.before(page.next)

    def last(self, endpoint: str) -> float | None:
        """When the newest job of an endpoint was created, in epoch seconds: one Query of one item."""
        found = self._store.read(Stream("by_endpoint", endpoint), Filters(), ids.HIGHEST, 1)
        return ids.created_at(found.lines[0].id).timestamp() if found.lines else None
