"""How a job ends by what a worker or SageMaker said: one way for the queue's messages and for the sweeper."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import replace

from darkroom.jobs.answers import MAX_MESSAGE, Answer, RawPicture, understand
from darkroom.jobs.contract import PaintedImage, WorkError
from darkroom.jobs.model import Transition
from darkroom.jobs.ports import ANSWER_LIMIT, AnswerTooLarge, JobStore, Outputs, WriteResult
from darkroom.jobs.state import Basis, Status, may
from darkroom.times import moment, precise

CANCELLED = "cancelled"
TOO_LARGE = (
    f"The worker's answer is over {ANSWER_LIMIT >> 20} MB; let it store its pictures itself (docs/worker-contract.md)."
)


class Settling:
    """Writes ends. The same end twice, or one that comes too late, changes nothing, and what a cancelled or deleted
    job made after all is removed."""

    def __init__(self, store: JobStore, outputs: Outputs, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives epoch seconds."""
        self._store = store
        self._outputs = outputs
        self._clock = clock

    def completed(self, job_id: str, content: bytes | None, basis: Basis) -> Status | None:
        """SageMaker says that the worker answered; `content` is the answer, None when it must be read from S3.

        Returns the status the job has got by it, None when nothing changed.
        """
        if content is None:
            try:
                content = self._outputs.read_answer(job_id)
            except AnswerTooLarge:
                return self._settle(job_id, Answer(error=WorkError(code="bad_answer", message=TOO_LARGE)), basis)
        if content is None:
            message = "SageMaker reports the job as completed, but its answer is not in S3."
            return self._settle(job_id, Answer(error=WorkError(code="answer_missing", message=message)), basis)
        return self._settle(job_id, understand(job_id, content), basis)

    def failed(self, job_id: str, content: bytes | None, reason: str | None, basis: Basis) -> Status | None:
        """SageMaker says that there is no answer, and why; `content` is what the worker said, if it spoke."""
        own = understand(job_id, content).error if content is not None else None
        if own and own.code != "bad_answer":
            return self._settle(job_id, Answer(error=own), basis)
        text = (reason or "SageMaker gave no reason.")[:MAX_MESSAGE]
        return self._settle(job_id, Answer(error=WorkError(code="worker_failed", message=text)), basis)

    def given_up(self, job_id: str, error: WorkError, basis: Basis) -> Status | None:
        """Nobody will answer any more."""
        return self._settle(job_id, Answer(error=error), basis)

    def _settle(self, job_id: str, answer: Answer, basis: Basis) -> Status | None:
        target = _target(answer)
        # Only these two need to know the job: most ends are one conditional write.
        job = self._store.get(job_id) if answer.raw or target == CANCELLED else None
        if answer.raw and not (job and may(target, job.line.status, job.error.code if job.error else None)):
            # A second run's pictures would lie where the first run's are.
            met = WriteResult(False, True, job.line.status, job.failure_location) if job else WriteResult(False, False)
            self._too_late(job_id, answer, met)
            return None
        images = answer.images or tuple(self._stored(job_id, number, raw) for number, raw in enumerate(answer.raw))
        transition = Transition(
            status=target,
            basis=basis,
            images=images or None,
            caption=answer.caption,
            timings=answer.timings,
            error=answer.error,
            completed_at=precise(moment(self._clock())),
        )
        if target == CANCELLED:
            # Who was asked to stop did not fail, whoever said it first.
            transition = replace(transition, cancelled_when=job.cancel_point if job else "before", error=None)
        changed = self._store.apply(job_id, transition)
        if not changed.applied:
            self._too_late(job_id, answer, changed)
            return None
        if target == CANCELLED:
            self._outputs.delete(job_id, job.failure_location if job else None)
        return target

    def _too_late(self, job_id: str, answer: Answer, met: WriteResult) -> None:
        """What a cancelled or deleted job made after all leaves nothing behind; the marker goes with it, for this run
        is over."""
        if met.exists and met.status != CANCELLED:
            return
        if met.exists and answer.error is None:
            # Noted first: what is removed could not tell it a second time.
            self._store.note_cancel_point(job_id, "after")
        self._outputs.delete(job_id, met.failure_location)

    def _stored(self, job_id: str, number: int, raw: RawPicture) -> PaintedImage:
        """Store a picture of a plain WebUI answer, byte for byte."""
        return PaintedImage(
            key=self._outputs.write_picture(job_id, number, raw.content),
            width=raw.width,
            height=raw.height,
            seed=raw.seed,
            infotext=raw.infotext,
            sha256=hashlib.sha256(raw.content).hexdigest(),
            bytes=len(raw.content),
        )


def _target(answer: Answer) -> Status:
    if answer.error is None:
        return "succeed"
    return "cancelled" if answer.error.code == CANCELLED else "fail"
