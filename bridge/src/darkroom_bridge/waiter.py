"""Waits for the ends of all open jobs of one key, in one place.

A waiter of its own for each job would ask for each of them every few seconds, and 50 jobs in line would use up the
requests that a key may send in a minute. So the open jobs are listed, a hundred a request, and only a job that is not
among them is looked at itself. The list may be some seconds old; the job itself is not.
"""

import asyncio
import logging
import time
from collections.abc import Callable

import httpx

from darkroom_bridge.problems import Problem
from darkroom_bridge.threads import Run
from darkroom_client import Darkroom
from darkroom_client.answers import Job
from darkroom_client.errors import Failure, Refused

FEW = 3
"""So many open jobs are looked at one by one; each then tells its progress as well."""
SHORT_WAIT = 2
"""Seconds that Darkroom may hold the answer about one of a few jobs, to tell its end at once."""
SOONEST, LATEST = 0.4, 3.0
"""The pause between two looks, in seconds: a tenth of the youngest job's age within these."""
BACK_OFF = 10.0
"""Seconds until the next look after one that failed."""
_PAGES = 10
_AT_ONCE = 8

log = logging.getLogger(__name__)


class Waiter:
    """The open jobs of one key that somebody waits for. All methods are called from one event loop."""

    def __init__(
        self,
        darkroom: Darkroom,
        run: Run,
        seen: Callable[[Job], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`seen` is told each whole job that was looked at."""
        self._darkroom = darkroom
        self._run = run
        self._seen = seen
        self._monotonic = monotonic
        self._waiting: dict[str, tuple[asyncio.Future[Job], float]] = {}
        self._owners: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    async def ended(self, job: Job) -> Job:
        """The job once it has ended. Raises Problem when it is deleted meanwhile, and Refused when the key is refused.
        While Darkroom cannot be reached it goes on waiting."""
        if job["completed_at"] is not None:
            return job
        future: asyncio.Future[Job] = asyncio.get_running_loop().create_future()
        self._waiting[job["id"]] = future, self._monotonic()
        self._owners.add(job["owner"])
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look_until_all_ended())
        try:
            return await future
        finally:
            self._waiting.pop(job["id"], None)

    def tell(self, job: Job) -> None:
        """Note what was learnt of a job elsewhere, as from the answer to a cancel."""
        self._seen(job)
        waiting = self._waiting.get(job["id"])
        if waiting and job["completed_at"] is not None and not waiting[0].done():
            waiting[0].set_result(job)

    async def close(self) -> None:
        """Stop looking."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _look_until_all_ended(self) -> None:
        while self._waiting:
            try:
                pause = await self._look()
            except Refused as refused:
                if refused.status in (401, 403):
                    self._fail_all(refused)
                    return
                pause = self._failed(refused)
            except (httpx.TransportError, Failure) as error:
                pause = self._failed(error)
            if self._waiting and pause:
                await asyncio.sleep(pause)

    async def _look(self) -> float:
        """Look once; returns the seconds until the next look."""
        ids = [job_id for job_id, (future, _) in self._waiting.items() if not future.done()]
        if len(ids) <= FEW:
            jobs = await asyncio.gather(*(self._look_at(job_id, SHORT_WAIT) for job_id in ids))
            held = [job for job in jobs if job and job["completed_at"] is None and job["phase"] == "running"]
            # Darkroom has waited as long as it was asked to.
            return 0.0 if held else self._pause()
        open_ids = await self._run(self._open, frozenset(self._owners))
        await self._look_at_all([job_id for job_id in ids if job_id not in open_ids])
        return self._pause()

    async def _look_at_all(self, ids: list[str]) -> None:
        for start in range(0, len(ids), _AT_ONCE):
            await asyncio.gather(*(self._look_at(job_id, 0) for job_id in ids[start : start + _AT_ONCE]))

    async def _look_at(self, job_id: str, wait: int) -> Job | None:
        try:
            job: Job = await self._run(self._darkroom.job, job_id, wait)
        except Refused as refused:
            if refused.status != 404:
                raise
            waiting = self._waiting.get(job_id)
            if waiting and not waiting[0].done():
                waiting[0].set_exception(Problem(500, "Somebody deleted the job while it was waited for."))
            return None
        self.tell(job)
        return job

    def _open(self, owners: frozenset[str]) -> set[str]:
        """The ids of the open jobs of these owners, as lists show them."""
        found: set[str] = set()
        for owner in owners:
            query = {"owner": owner, "status": ["created", "in_progress"], "limit": 100}
            for _ in range(_PAGES):
                page = self._darkroom.page(**query)
                found |= {line["id"] for line in page["jobs"]}
                if page["next"] is None:
                    break
                query["before"] = page["next"]
        return found

    def _pause(self) -> float:
        now = self._monotonic()
        youngest = min((now - since for _, since in self._waiting.values()), default=0.0)
        return min(LATEST, max(SOONEST, youngest / 10))

    def _failed(self, error: Exception) -> float:
        log.warning("The open jobs cannot be looked at (%s); the next try is in %g s.", type(error).__name__, BACK_OFF)
        return BACK_OFF

    def _fail_all(self, error: Exception) -> None:
        for future, _ in self._waiting.values():
            if not future.done():
                future.set_exception(error)
