"""Removing jobs with all they stored: one, or many side by side."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal, TypeVar

from darkroom import ids, logs
from darkroom.errors import Busy
from darkroom.images.ports import PictureUses
from darkroom.images.service import DAY
from darkroom.jobs.model import Job, JobLine, JobTimeouts
from darkroom.jobs.ports import JobStore, Outputs
from darkroom.jobs.state import CANCELLED, ENDS
from darkroom.times import moment, precise

Outcome = Literal["deleted", "gone", "unwanted", "failed", "left"]
"""What became of a job that was to be removed: `gone` was not there, `unwanted` is not (any more) what was asked for,
`left` had no turn in the time there was."""

Given = TypeVar("Given")
Made = TypeVar("Made")


@dataclass(frozen=True)
class Removed:
    """What became of one job, and why it failed."""

    outcome: Outcome
    reason: str | None = None


class Removal:
    """Removes jobs."""

    def __init__(
        self,
        store: JobStore,
        outputs: Outputs,
        uses: PictureUses,
        timeouts: JobTimeouts,
        threads: int = 8,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        note_cost: Callable[[JobLine], None] = lambda line: None,
    ) -> None:
        """`threads` jobs are removed side by side; `clock` gives epoch seconds, `monotonic` seconds. `note_cost` is
        called before the row of a job goes: what it cost stays counted."""
        self._store = store
        self._outputs = outputs
        self._uses = uses
        self._timeouts = timeouts
        self._threads = threads
        self._clock = clock
        self._monotonic = monotonic
        self._note_cost = note_cost

    def remove(self, job: Job) -> None:
        """Remove a job and all it stored. Objects first: a delete that breaks off can be sent again.

        A job that may still run leaves the marker that stops its worker; it goes with the late answer, or by the
        sweeper once nothing can come any more.
        """
        job_id = job.line.id
        may_run = self._may_run(job)
        if may_run:
            self._outputs.mark_cancelled(job_id, job.failure_location, job.output_location)
        self._outputs.delete(job_id, job.failure_location, job.output_location, keep_marker=may_run)
        if job.uses:
            # Before the row goes: a look too many changes nothing, one too few would leave the pictures to expire.
            at = precise(moment(self._clock() + DAY))
            self._uses.look_later(job.line.owner, set(job.inputs.values()), at)
        # Before the row goes: noted twice, it counts once; gone without a note, it would never count.
        self._note_cost(job.line)
        last_status = self._store.delete(job_id)
        if last_status in ENDS and last_status != job.line.status:
            # It ended in between, and what it made came after the objects were removed.
            self._outputs.delete(job_id, keep_marker=last_status == CANCELLED)

    def remove_each(
        self, job_ids: Iterable[str], wanted: Callable[[JobLine], bool], seconds: float
    ) -> dict[str, Removed]:
        """Remove those of the jobs that are `wanted` as they are now; none is begun after so many seconds. What fails
        for one stops none of the others."""
        ends = self._monotonic() + seconds
        found = list(job_ids)

        def guarded(job_id: str) -> Removed:
            if self._monotonic() >= ends:
                return Removed("left")
            try:
                with logs.job(job_id):
                    return self._remove_if(job_id, wanted)
            except Busy as busy:
                return Removed("failed", busy.detail)
            except Exception as error:
                # The type alone: a message may hold what a caller sent.
                return Removed("failed", f"It could not be deleted ({type(error).__name__}).")

        return dict(zip(found, self.each(guarded, found), strict=True))

    def each(self, act: Callable[[Given], Made], things: Iterable[Given]) -> list[Made]:
        """What `act` makes of each thing, side by side, in their order."""
        if self._threads == 1:
            return [act(thing) for thing in things]
        with ThreadPoolExecutor(max_workers=self._threads) as pool:
            return list(pool.map(act, things))

    def _remove_if(self, job_id: str, wanted: Callable[[JobLine], bool]) -> Removed:
        job = self._store.get(job_id)
        if job is None:
            return Removed("gone")
        if not wanted(job.line):
            return Removed("unwanted")
        self.remove(job)
        return Removed("deleted")

    def _may_run(self, job: Job) -> bool:
        """Whether a worker may still have the job."""
        if not job.line.settled:
            return True
        age = self._clock() - ids.created_at(job.line.id).timestamp()
        return job.line.status == CANCELLED and age < self._timeouts.forgotten and self._outputs.is_marked(job.line.id)
