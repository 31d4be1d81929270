"""The steps of deletions: each removes some pages of jobs and leaves a message for the next.

A page is written into the row before its jobs are deleted, and its count after: a step that is killed in between is
brought again by the queue, goes on with the same page, and counts what the killed one had deleted. What cannot be
deleted is tried again in later steps; then it is named in the row, and the deletion goes on without it.

How steps are fenced and counted is in `darkroom.steps`.
"""

import json
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from darkroom import ids
from darkroom.dead_letters.model import About
from darkroom.jobs.history import fill, plan
from darkroom.jobs.ports import Deletion, DeletionStore, JobStore
from darkroom.jobs.removal import Removal
from darkroom.jobs.state import FAIL
from darkroom.stalled import Stalled, stands_still
from darkroom.steps import ATTEMPTS, KILLED_COUNTS_AS, StepQueue, UnknownStep, may_run, pause
from darkroom.times import moment, precise

STEP_SECONDS = 20.0
"""After so long a step leaves the rest to the next one; the function may take some times that."""
PAGE = 100
"""Jobs that are removed between two looks at the row."""
GIVE_UP = 100
"""So many jobs that cannot be deleted end a deletion: something is wrong with more than some of them."""


@dataclass(frozen=True)
class Step:
    """A message: the deletion, the number of the step, and the token of this message."""

    deletion: str
    number: int
    token: str

    def may_run(self, row: Deletion) -> bool:
        """Whether the fence lets this message in."""
        return may_run(self.number, self.token, row.step, row.step_token)


def leave(queue: StepQueue, row: Deletion, delay: int = 0) -> None:
    """Queue the step after the row's last one."""
    queue.send(json.dumps({"deletion": row.id, "step": row.step + 1, "token": secrets.token_hex(8)}), delay)


def about(body: str) -> About:
    """What may be shown of a step that was not carried out."""
    try:
        return About("deletion", _parse(body).deletion)
    except UnknownStep as unknown:
        return About("unknown", reason=str(unknown))


class DeletionSteps:
    """Carries out steps."""

    def __init__(
        self,
        store: DeletionStore,
        jobs: JobStore,
        removal: Removal,
        queue: StepQueue,
        shards: int,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`shards` is the number of shards of the feed; `clock` gives epoch seconds, `monotonic` seconds."""
        self._store = store
        self._jobs = jobs
        self._removal = removal
        self._queue = queue
        self._shards = shards
        self._clock = clock
        self._monotonic = monotonic

    def step(self, body: str) -> str:
        """Carry out one step; returns what it was about, for the log. Raises UnknownStep."""
        step = _parse(body)
        row = self._store.find(step.deletion)
        if row is None or row.status != "running":
            return f"deletion {step.deletion} (not running any more)"
        if not step.may_run(row):
            return f"deletion {step.deletion} (another message goes on with it)"
        if row.attempts >= ATTEMPTS:
            self._end(row, FAIL, "Its steps were broken off again and again.")
            return f"deletion {step.deletion} (given up)"
        attempts, now = row.attempts + KILLED_COUNTS_AS, self._now()
        stepping = replace(row, step=step.number, step_token=step.token, attempts=attempts, stepped_at=now)
        begun = self._store.change(row, stepping)
        if begun is not None:
            self._go_on(begun, failures=row.attempts + 1)
        return f"deletion {step.deletion}"

    def _go_on(self, row: Deletion, failures: int) -> None:
        """Page after page while there is time. Each turn of the loop ends with one write, so `row` is what is stored
        when anything raises."""
        ends = self._monotonic() + STEP_SECONDS
        current: Deletion | None = row
        was_begun = bool(row.page)
        try:
            while current is not None and current.status == "running" and self._monotonic() < ends:
                row = current
                if row.page:
                    current = self._remove_page(row, was_begun, failures, ends)
                    was_begun = False
                    if current is not None and current.attempts:
                        self._leave_later(current)
                        return
                    failures = 1
                elif row.below:
                    current = self._store.change(row, self._next_page(row))
                else:
                    self._end(row, "done")
                    return
            if current is not None and current.status == "running":
                row = current
                leave(self._queue, row)
        except Exception as error:
            # Whatever it is, the deletion must go on or end. If the row is not as it was read, the queue brings this
            # message again.
            if not self._later(row, failures, f"A step failed ({type(error).__name__})."):
                raise

    def _next_page(self, row: Deletion) -> Deletion:
        """The row with the next jobs that its filters find, newest first; a page may be empty."""
        filters = replace(row.filters, high=min(row.filters.high, row.below))
        found = fill(self._jobs.read, filters, plan(filters, self._shards), PAGE)
        below = ids.before(found.next) if found.next else ""
        return replace(row, page=tuple(line.id for line in found.lines), below=below)

    def _remove_page(self, row: Deletion, was_begun: bool, failures: int, ends: float) -> Deletion | None:
        """Remove the jobs of the page, and write what became of them; None when the row was changed meanwhile.

        A job that is gone was deleted by a step before this one, if there was one for the page. What fails stays in
        the page, and the attempts then count as many as `failures`; after the last one it is named.
        """
        asked = replace(row.filters, low=ids.LOWEST, high=ids.HIGHEST)
        removed = self._removal.remove_each(row.page, asked.match, ends - self._monotonic())
        counted = ("deleted", "gone") if was_begun else ("deleted",)
        deleted = row.deleted + sum(found.outcome in counted for found in removed.values())
        failed = {job_id: found.reason or "" for job_id, found in removed.items() if found.outcome == "failed"}
        left = tuple(job_id for job_id, found in removed.items() if found.outcome == "left")
        if failed and failures < ATTEMPTS:
            why = f"{_jobs(len(failed))} could not be deleted yet; the next step tries again."
            waiting = replace(row, deleted=deleted, page=(*failed, *left), attempts=failures, reason=why)
            return self._store.change(row, waiting)
        done = replace(row, deleted=deleted, page=left, attempts=0, reason=None, failures={**row.failures, **failed})
        if len(done.failures) >= GIVE_UP:
            why = f"{_jobs(len(done.failures))} could not be deleted."
            done = replace(done, status=FAIL, reason=why, ended_at=self._now())
        return self._store.change(row, done)

    def _later(self, row: Deletion, failures: int, why: str) -> bool:
        """Leave the next step for later, or end the deletion; False when the row was changed meanwhile."""
        if failures >= ATTEMPTS:
            return self._end(row, FAIL, f"{why} That was {ATTEMPTS} times in a row.")
        waiting = self._store.change(row, replace(row, attempts=failures, reason=f"{why} It is tried again."))
        if waiting is None:
            return False
        self._leave_later(waiting)
        return True

    def _leave_later(self, row: Deletion) -> None:
        if row.status == "running":
            leave(self._queue, row, pause(row.attempts))

    def _end(self, row: Deletion, status: Any, reason: str | None = None) -> bool:
        return _end(self._store, row, status, self._now(), reason)

    def _now(self) -> str:
        return precise(moment(self._clock()))


class StalledDeletions:
    """The deletions that stand still."""

    def __init__(self, store: DeletionStore, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives epoch seconds."""
        self._store = store
        self._clock = clock

    def find(self) -> Iterator[Stalled]:
        """Each as it is now."""
        why = "No step was made for an hour. Start it again: what was deleted stays deleted."
        for deletion_id in self._store.running():
            row, now = self._store.find(deletion_id), self._clock()
            if row and row.status == "running" and stands_still(row.stepped_at or row.started_at, now):
                end = partial(_end, self._store, row, FAIL, precise(moment(now)), why)
                yield Stalled(f"deletion {row.id}", end)


def _end(store: DeletionStore, row: Deletion, status: Any, now: str, reason: str | None) -> bool:
    """Write the end of a deletion; False when the row was changed meanwhile."""
    return store.change(row, replace(row, status=status, reason=reason, ended_at=now)) is not None


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count} jobs"


def _parse(body: str) -> Step:
    try:
        message: Any = json.loads(body)
        if not ids.is_id(message["deletion"]):
            raise UnknownStep("no step of a deletion")
        return Step(message["deletion"], int(message["step"]), str(message["token"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UnknownStep("no step of a deletion") from error
