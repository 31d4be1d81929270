"""The end of a job: the only module that writes `succeed`, `fail` or `cancelled`.

The queue's messages, the sweeper, the dispatcher, a cancel and the deletion of an endpoint all come here. What has to
happen after an end is given as a listener to `Endings`, and nowhere else.
"""

import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

from darkroom.jobs.answer import BAD_ANSWER, MAX_MESSAGE, WORKER_FAILED, Answer, RawPicture, bad_answer
from darkroom.jobs.answers import understand, words_of_failure
from darkroom.jobs.contract import PaintedImage, WorkError
from darkroom.jobs.manifests import confirmed, named_keys
from darkroom.jobs.model import Job, JobLine, Transition
from darkroom.jobs.ports import ANSWER_LIMIT, AnswerTooLarge, JobStore, Outputs, WriteResult
from darkroom.jobs.state import CANCELLED, FAIL, OPEN, SUCCEED, Basis, EndStatus, may
from darkroom.jobs.types import JobType, types_answered_by
from darkroom.times import moment, precise

log = logging.getLogger(__name__)

TOO_LARGE = (
    f"The worker's answer is over {ANSWER_LIMIT >> 20} MB; let it store its pictures itself (docs/worker-contract.md)."
)


@dataclass(frozen=True, slots=True)
class Ended:
    """An end that was just written: the job, its status, the reason, and the code of its error if it failed.

    A job that timed out and succeeds later has two ends.
    """

    job_id: str
    status: EndStatus
    basis: Basis
    code: str | None = None


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
    ) -> None:
        """Each listener in `after` is called once for each end that was written. An error of a listener is logged;
        the end stays. A listener is not called when the process stops, or the answer of the write is lost, between
        the write and the call. `clock` gives epoch seconds."""
        self._store = store
        self._outputs = outputs
        self._after = after
        self._clock = clock

    def completed(self, job_id: str, content: bytes | None, basis: Basis) -> EndStatus | None:
        """End a job for which SageMaker reports an answer. `content` is the answer; None: read it from S3.

        Returns the new status of the job, None when nothing changed.
        """
        if content is None:
            try:
                content = self._outputs.read_answer(job_id)
            except AnswerTooLarge:
                return self._settle(job_id, _failure(BAD_ANSWER, TOO_LARGE), basis)
        if content is None:
            message = "SageMaker reports the job as completed, but its answer is not in S3."
            return self._settle(job_id, _failure("answer_missing", message), basis)
        answer = understand(job_id, content)
        if answer.images:
            answer = confirmed(answer, self._outputs.sizes(job_id, named_keys(answer)))
        return self._settle(job_id, answer, basis)

    def failed(self, job_id: str, content: bytes | None, reason: str | None, basis: Basis) -> EndStatus | None:
        """End a job for which SageMaker reports a failure. `content` is the worker's own answer; None: read it from S3,
        for what a message does not include is in the failure file. `reason` is SageMaker's text.

        Returns the new status of the job, None when nothing changed.
        """
        if content is None:
            content = self._read_failure(job_id) or b""
        own = understand(job_id, content)
        if own.error and own.error.code != BAD_ANSWER:
            return self._settle(job_id, own, basis)
        words = words_of_failure(content, reason)
        text = f"{reason} The container said: {words}" if reason and words else reason or words
        return self._settle(job_id, _failure(WORKER_FAILED, text or "SageMaker gave no reason."), basis)

    def _read_failure(self, job_id: str) -> bytes | None:
        """The failure file of an open job, None when there is none, or the job is not open any more."""
        job = self._store.get(job_id)
        if job is None or job.line.settled or not job.failure_location:
            return None
        return self._outputs.read_failure(job.failure_location)

    def give_up(self, job_id: str, error: WorkError, basis: Basis) -> EndStatus | None:
        """Fail a job for which no answer is expected any more. If it was cancelled or deleted meanwhile, its objects
        are removed.

        Returns the new status of the job, None when nothing changed.
        """
        return self._settle(job_id, Answer(error=error), basis)

    def fail(self, line: JobLine, error: WorkError, basis: Basis) -> JobLine | None:
        """Fail an open job and leave its objects as they are. Returns the failed line, None when the job is not open
        any more."""
        transition = self._transition(FAIL, basis, error=error)
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

    def _settle(self, job_id: str, answer: Answer, basis: Basis) -> EndStatus | None:
        target = _target(answer)
        # Only these two need to read the job: most ends are one conditional write.
        job = self._store.get(job_id) if answer.raw or target == CANCELLED else None
        if answer.raw and job and job.line.type not in types_answered_by(answer.kinds):
            return self._settle(job_id, _of_the_wrong_kind(answer, job.line.type), basis)
        if answer.raw and not (job and may(target, job.line.status, job.error.code if job.error else None)):
            # The pictures of a second run would replace those of the first run.
            found = (
                WriteResult(False, True, job.line.status, job.failure_location) if job else WriteResult(False, False)
            )
            self._clean_up_late(job_id, answer, found)
            return None
        transition = self._from_answer(job_id, target, answer, basis)
        if target == CANCELLED:
            # A job whose worker was asked to stop did not fail, even if the worker reports it before the row says so.
            transition = replace(transition, cancelled_when=job.cancel_point if job else "before", error=None)
        result = self._write(job_id, transition)
        if not result.applied:
            if result.status in OPEN and result.type and transition.only_for and result.type not in transition.only_for:
                return self._settle(job_id, _of_the_wrong_kind(answer, result.type), basis)
            self._clean_up_late(job_id, answer, result)
            return None
        if target == CANCELLED:
            self._outputs.delete(job_id, job.failure_location if job else None)
        return target

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
        )

    def _transition(self, target: EndStatus, basis: Basis, error: WorkError | None = None) -> Transition:
        return Transition(target, basis, error=error, completed_at=precise(moment(self._clock())))

    def _write(self, job_id: str, transition: Transition) -> WriteResult:
        """Write an end and call the listeners if it was applied."""
        result = self._store.apply(job_id, transition)
        if result.applied:
            code = transition.error.code if transition.error else None
            ended = Ended(job_id, cast(EndStatus, transition.status), transition.basis, code)
            for listener in self._after:
                try:
                    listener(ended)
                except Exception as error:
                    # Only the type is logged: the message may contain what the caller sent.
                    log.error("a listener failed after the end of job %s: %s", job_id, type(error).__name__)
        return result

    def _clean_up_late(self, job_id: str, answer: Answer, found: WriteResult) -> None:
        """Remove the objects of a job that was cancelled or deleted before its answer came. The marker is removed too,
        because this run is over."""
        if found.exists and found.status != CANCELLED:
            return
        if found.exists and answer.error is None:
            # Written first: after the objects are removed, a second message could not tell it any more.
            self._store.note_cancel_point(job_id, "after")
        self._outputs.delete(job_id, found.failure_location)

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


def _failure(code: str, message: str) -> Answer:
    return Answer(error=WorkError(code=code, message=message[:MAX_MESSAGE]))


def _of_the_wrong_kind(answer: Answer, job_type: JobType) -> Answer:
    """The failure of a job whose worker answered with something else than a job of its type asks for."""
    got, wanted = ("pictures", "a caption") if answer.caption is None else ("a caption alone", "pictures")
    return bad_answer(f"it holds {got}, but a job of the type {job_type} asks for {wanted}")


def _target(answer: Answer) -> EndStatus:
    if answer.error is None:
        return SUCCEED
    return CANCELLED if answer.error.code == CANCELLED else FAIL
