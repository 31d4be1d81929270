"""Limits how many jobs may be open at once: for each owner, and for the stage.

Counting reads a short index item of every open job. So a function counts at most once in `CACHE_SECONDS`, and in
between adds the jobs that it wrote itself. It does not see the jobs that other functions write in that time: with `n`
functions at work, a limit can be exceeded by what the other `n - 1` accept in `CACHE_SECONDS`. The limits protect the
stage from a flood of jobs; they are not exact.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping

from darkroom.errors import TooMany
from darkroom.jobs.ports import JobStore

CACHE_SECONDS = 30.0
"""How long a count is used."""
REFUSAL_SECONDS = 5.0
"""A job is refused only by a count that is at most this old; an older one is made again first."""
RETRY_SECONDS = 15
"""What a refused caller is told to wait."""


class OpenJobLimiter:
    """Refuses new jobs over the limits, by the newest count of this process."""

    def __init__(
        self, store: JobStore, per_owner: int, per_stage: int, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """`per_owner` and `per_stage` are the limits; `monotonic` gives seconds for the age of a count."""
        self._store = store
        self._per_owner = per_owner
        self._per_stage = per_stage
        self._monotonic = monotonic
        self._counted_at: float | None = None
        self._owners: Counter[str] = Counter()
        self._endpoints: Counter[str] = Counter()
        self._total = 0

    def admit(self, owner: str, limit: int | None = None) -> None:
        """Check that one more job is allowed; `limit` is the owner's own, None for the stage's usual one.

        Raises TooMany `too_many_open_jobs` or `stage_full`.
        """
        allowed = self._per_owner if limit is None else limit
        self._count_if_older(CACHE_SECONDS)
        if self._owners[owner] >= allowed or self._total >= self._per_stage:
            self._count_if_older(REFUSAL_SECONDS)
        if self._owners[owner] >= allowed:
            raise TooMany(
                "too_many_open_jobs",
                f"{owner} has {self._owners[owner]} open jobs, and {allowed} may be open at once. "
                "Wait until some are done, or cancel some.",
                RETRY_SECONDS,
            )
        if self._total >= self._per_stage:
            raise TooMany(
                "stage_full",
                f"{self._total} jobs are open, and {self._per_stage} may be at once. Wait until some are done.",
                RETRY_SECONDS,
            )

    def add(self, owner: str, endpoint: str | None) -> None:
        """Add a job that this process wrote to the count."""
        self._owners[owner] += 1
        if endpoint is not None:
            self._endpoints[endpoint] += 1
        self._total += 1

    def by_endpoint(self, fresh: bool = False) -> Mapping[str, int]:
        """The number of open jobs of each endpoint, by the newest count, or counted now when `fresh`."""
        self._count_if_older(-1.0 if fresh else CACHE_SECONDS)
        return self._endpoints

    def _count_if_older(self, seconds: float) -> None:
        if self._counted_at is None or self._monotonic() - self._counted_at > seconds:
            self._count()

    def _count(self) -> None:
        counts = self._store.open_jobs()
        self._counted_at = self._monotonic()
        self._owners, self._total = Counter(counts.by_owner), counts.total
        self._endpoints = Counter(counts.by_endpoint)
