"""The end of a job: the only module that writes `succeed`, `fail` or `cancelled`.

The results of runs, the sweeper, the dispatcher, a cancel and the deletion of an endpoint all come here. What has to
happen after an end is given as a listener to `Endings`, and nowhere else.
"""

import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

from darkroom.endpoints.model import EndpointDetails
from darkroom.jobs.answer import Answer, RawPicture, bad_answer
from darkroom.jobs.contract import PaintedImage, WorkError
from darkroom.jobs.machines import dearest, ran_on
from darkroom.jobs.manifests import confirmed, named_keys
from darkroom.jobs.model import Job, JobLine, Pool, Ran, Transition
from darkroom.jobs.ports import JobStore, Outputs, WriteResult
from darkroom.jobs.runs import Run
from darkroom.jobs.state import CANCELLED, FAIL, OPEN, SUCCEED, Basis, EndStatus, may
from darkroom.jobs.types import JobType, types_answered_by
from darkroom.times import moment, precise

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ended:
    """An end that was just written: the job, its status, the reason, the code of its error if it failed, when it ended
    (ISO 8601 in UTC), and the seconds that an instance worked for it, None where its worker told none.

    A job that timed out and succeeds later has two ends.
    """

    job_id: str
    status: EndStatus
    basis: Basis
    code: str | None = None
    completed_at: str | None = None
    run_seconds: float | None = None


Listener = Callable[[Ended], None]


class Endings:
    """Writes the ends of jobs. Each write is one conditional update: the same end a second time, and an end that is
    not legal any more, change nothing."""

    def __init__(
        self,
        store: JobStore,
        outputs: Outputs,
        after: tuple[Listener, ...] = (),
        clock: Callable[[], float] = time.time,
        describe: Callable[[str], EndpointDetails | None] = lambda endpoint: None,
    ) -> None:
        """Each listener in `after` is called once for each end that was written. An error of a listener is logged;
        the end stays. A listener is not called when the process stops, or the answer of the write is lost, between
        the write and the call. `clock` gives epoch seconds. `describe` reads an endpoint, and is called only for a job
        whose endpoint has several instance types and whose worker did not tell which one it has."""
        self._store = store
        self._outputs = outputs
        self._after = after
        self._clock = clock
        self._describe = describe

    def settle(self, run: Run, answer: Answer, basis: Basis, answered: float | None = None) -> EndStatus | None:
        """End a job by what its worker answered in a run, at `answered` (epoch seconds; None: not known). A failure of
        an earlier run ends nothing: the job was handed over again. A success of any run counts.

        Returns the new status of the job, None when nothing changed.
        """
        if answer.images:
            answer = confirmed(answer, self._outputs.sizes(run.job_id, named_keys(answer)))
        return self._settle(run, answer, basis, answered)

    def give_up(self, job: Job, error: WorkError, basis: Basis) -> EndStatus | None:
        """Fail a job for which no answer is expected any more, unless it was handed over again meanwhile. If it was
        cancelled or deleted meanwhile, its objects are removed.

        Returns the new status of the job, None when nothing changed.
        """
        return self._settle(Run(job.line.id, job.run), Answer(error=error), basis)

    def fail(self, line: JobLine, error: WorkError, basis: Basis, run: int | None = None) -> JobLine | None:
        """Fail an open job, with `run` only while it is at that run, and leave its objects as they are. Returns the
        failed line, None when the job is not open any more."""
        transition = replace(self._transition(FAIL, basis, error=error), run=run)
        if not self._write(line.id, transition).applied:
            return None
        return replace(line, status=FAIL, completed_at=transition.completed_at)

    def cancel(self, job: Job, basis: Basis) -> Job | None:
        """Cancel an open job. Returns the cancelled job, None when the job is not open any more."""
        transition = replace(self._transition(CANCELLED, basis), cancelled_when=job.cancel_point)
        if not self._write(job.line.id, transition).applied:
            return None
        line = replace(job.line, status=CANCELLED, completed_at=transition.completed_at)
        return replace(job, line=line, cancelled_when=transition.cancelled_when)

    def _settle(self, run: Run, answer: Answer, basis: Basis, answered: float | None = None) -> EndStatus | None:
        job_id, target = run.job_id, _target(answer)
        # Only these two need to read the job: most ends are one conditional write.
        job = self._store.get(job_id) if answer.raw or target == CANCELLED else None
        if answer.raw and job and job.line.type not in types_answered_by(answer.kinds):
            return self._settle(run, _of_the_wrong_kind(answer, job.line.type), basis)
        if answer.raw and not (job and may(target, job.line.status, job.error.code if job.error else None)):
            # The pictures of a second run would replace those of the first run.
            self._clean_up_late(run, answer, _found(job))
            return None
        transition = self._from_answer(job_id, target, answer, basis)
        if target != SUCCEED:
            transition = replace(transition, run=run.number)
        if target == CANCELLED:
            # A job whose worker was asked to stop did not fail, even if the worker reports it before the row says so.
            transition = replace(transition, cancelled_when=job.cancel_point if job else "before", error=None)
        result = self._write(job_id, transition)
        if transition.needs_type and result.pool and result.status not in (SUCCEED, CANCELLED):
            ran = self._ran(result.pool, answer, answered)
            result = self._write(job_id, replace(transition, needs_type=False, ran=ran))
        if not result.applied:
            if result.status in OPEN and result.type and transition.only_for and result.type not in transition.only_for:
                return self._settle(run, _of_the_wrong_kind(answer, result.type), basis)
            self._clean_up_late(run, answer, result)
            return None
        if target == CANCELLED:
            found = _found(job)
            self._outputs.delete(job_id, found.failure_location, found.output_location)
        return target

    def _ran(self, pool: Pool, answer: Answer, answered: float | None) -> Ran:
        """What a job of an endpoint with several instance types ran on."""
        timings = answer.timings
        spent = (timings.busy or 0.0) + (timings.queued or 0.0) if timings else 0.0
        try:
            began = None if answered is None else answered - spent
            return ran_on(pool, answer.machine, began, lambda: self._describe(pool.endpoint))
        except Exception as error:
            # A job must end all the same.
            log.warning("the instance type of a job on %s is not known: %s", pool.endpoint, type(error).__name__)
            return dearest(pool)

    def _from_answer(self, job_id: str, target: EndStatus, answer: Answer, basis: Basis) -> Transition:
        """The transition that an answer leads to; raw pictures are stored on the way."""
        images = answer.images or tuple(self._store_raw(job_id, number, raw) for number, raw in enumerate(answer.raw))
        return replace(
            self._transition(target, basis, error=answer.error),
            only_for=types_answered_by(answer.kinds) if target == SUCCEED else None,
            images=images or None,
            caption=answer.caption,
            timings=answer.timings,
            notices=answer.notices,
            components=answer.components,
            # Without a time there is no cost.
            needs_type=answer.timings is not None and answer.timings.busy is not None,
        )

    def _transition(self, target: EndStatus, basis: Basis, error: WorkError | None = None) -> Transition:
        return Transition(target, basis, error=error, completed_at=precise(moment(self._clock())))

    def _write(self, job_id: str, transition: Transition) -> WriteResult:
        """Write an end and call the listeners if it was applied."""
        result = self._store.apply(job_id, transition)
        if result.applied:
            code = transition.error.code if transition.error else None
            busy = transition.timings.busy if transition.timings else None
            status = cast(EndStatus, transition.status)
            ended = Ended(job_id, status, transition.basis, code, transition.completed_at, busy)
            for listener in self._after:
                try:
                    listener(ended)
                except Exception as error:
                    # Only the type is logged: the message may contain what the caller sent.
                    log.error("a listener failed after the end of job %s: %s", job_id, type(error).__name__)
        return result

    def _clean_up_late(self, run: Run, answer: Answer, found: WriteResult) -> None:
        """Remove the objects of a job that was cancelled or deleted before its answer came. The marker is removed too,
        because this run is over; after the answer of an earlier run it stays for the worker of the present one."""
        if found.exists and (found.status != CANCELLED or found.run != run.number):
            return
        if found.exists and answer.error is None:
            # Written first: after the objects are removed, a second message could not tell it any more.
            self._store.note_cancel_point(run.job_id, "after")
        self._outputs.delete(run.job_id, found.failure_location, found.output_location)

    def _store_raw(self, job_id: str, number: int, raw: RawPicture) -> PaintedImage:
        """Store a picture of a plain WebUI answer, byte for byte, under its own extension and type."""
        name = f"{number}.{raw.media.extension}"
        return PaintedImage(
            key=self._outputs.write_picture(job_id, name, raw.content, raw.media.content_type),
            width=raw.width,
            height=raw.height,
            seed=raw.seed,
            infotext=raw.infotext,
            sha256=hashlib.sha256(raw.content).hexdigest(),
            bytes=len(raw.content),
        )


def _found(job: Job | None) -> WriteResult:
    """A job as a write that is refused finds it."""
    if job is None:
        return WriteResult(False, False)
    return WriteResult(False, True, job.line.status, job.failure_location, job.line.type, job.output_location, job.run)


def _of_the_wrong_kind(answer: Answer, job_type: JobType) -> Answer:
    """The failure of a job whose worker answered with something else than a job of its type asks for."""
    got, wanted = ("pictures", "a caption") if answer.caption is None else ("a caption alone", "pictures")
    return bad_answer(f"it holds {got}, but a job of the type {job_type} asks for {wanted}")


def _target(answer: Answer) -> EndStatus:
    if answer.error is None:
        return SUCCEED
    return CANCELLED if answer.error.code == CANCELLED else FAIL
