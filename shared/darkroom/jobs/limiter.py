"""How many jobs may be open at once: a limit for each owner, and one for the stage.

Counting reads the lines of all open jobs, so a warm function counts once in a while and adds what it wrote itself.
What other functions wrote meanwhile it does not see: with `n` functions warm, a limit can be passed by what
the other `n - 1` take in `CACHE_SECONDS`. It guards the stage from a flood; it is no accounting.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping

from darkroom.errors import TooMany
from darkroom.jobs.ports import JobStore

CACHE_SECONDS = 30.0
DOUBT_SECONDS = 5.0
"""Nobody is refused by a count that is older than this."""
RETRY_SECONDS = 15


class OpenJobLimiter:
    """The open jobs, as far as this process knows."""

    def __init__(
        self, store: JobStore, per_owner: int, per_stage: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`clock` gives seconds."""
        self._store = store
        self._per_owner = per_owner
        self._per_stage = per_stage
        self._clock = clock
        self._counted: float | None = None
        self._owners: Counter[str] = Counter()
        self._endpoints: Counter[str] = Counter()
        self._total = 0

    def admit(self, owner: str, limit: int | None = None) -> None:
        """Let one more job in; `limit` is the owner's own, None for the stage's usual one.

        Raises TooMany `too_many_open_jobs` or `stage_full`.
        """
        allowed = self._per_owner if limit is None else limit
        self._count_if_older(CACHE_SECONDS)
        if self._owners[owner] >= allowed or self._total >= self._per_stage:
            self._count_if_older(DOUBT_SECONDS)
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
        """Count a job that was written."""
        self._owners[owner] += 1
        if endpoint is not None:
            self._endpoints[endpoint] += 1
        self._total += 1

    def by_endpoint(self, fresh: bool = False) -> Mapping[str, int]:
        """How many open jobs each endpoint has, as far as this process knows, or counted now."""
        self._count_if_older(-1.0 if fresh else CACHE_SECONDS)
        return self._endpoints

    def _count_if_older(self, seconds: float) -> None:
        if self._counted is None or self._clock() - self._counted > seconds:
            self._count()

    def _count(self) -> None:
        counts = self._store.open_jobs()
        self._counted = self._clock()
        self._owners, self._total = Counter(counts.by_owner), counts.total
        self._endpoints = Counter(counts.by_endpoint)
