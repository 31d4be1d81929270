"""What SageMaker reports of a run: the job ends, or it is handed over again because its worker was stopped.

The queue's messages and the sweeper, which finds answers in S3, both come here. `Endings` writes the ends.
"""

import logging
import time
from collections.abc import Callable

from darkroom.jobs.answer import BAD_ANSWER, MAX_MESSAGE, WORKER_FAILED, Answer
from darkroom.jobs.answers import understand, words_of_failure
from darkroom.jobs.contract import WorkError
from darkroom.jobs.ending import Endings
from darkroom.jobs.model import Job, answer_key
from darkroom.jobs.ports import ANSWER_LIMIT, AnswerTooLarge, JobStore, Outputs
from darkroom.jobs.runs import MAX_RUNS, WORKER_STOPPED, Run
from darkroom.jobs.state import CANCELLED, EXPIRED, Basis, EndStatus
from darkroom.times import moment, precise

log = logging.getLogger(__name__)

TOO_LARGE = (
    f"The worker's answer is over {ANSWER_LIMIT >> 20} MB; let it store its pictures itself (docs/worker-contract.md)."
)
MISSING = "SageMaker reports the job as completed, but its answer is not in S3."
WAITED = (
    "The job waited in line for as long as it may, and no instance took it. Submit it again, or replay it; if that "
    "happens often, let the endpoint have more instances."
)
STOPPED = "The worker was shut down while it had the job, so the job was handed over again."


class Results:
    """Takes in the results of runs. The same result again, late or out of order, changes nothing: only a success of an
    earlier run still counts, because its pictures are there."""

    def __init__(
        self,
        store: JobStore,
        outputs: Outputs,
        endings: Endings,
        dispatch: Callable[[Job], Job],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`dispatch` hands a job over (`Dispatcher.dispatch`), `clock` gives epoch seconds."""
        self._store = store
        self._outputs = outputs
        self._endings = endings
        self._dispatch = dispatch
        self._clock = clock

    def completed(
        self, run: Run, content: bytes | None, basis: Basis, at: str | None = None, answered: float | None = None
    ) -> EndStatus | None:
        """Take in an answer that SageMaker reports. `content` is the answer; None: read it from S3, `at` the place (an
        S3 URI) that SageMaker names. `answered` is when it says that the answer came, in epoch seconds.

        Returns the new status of the job, None when it has no new end.
        """
        if content is None:
            try:
                content = self._read(run, at)
            except AnswerTooLarge:
                return self._endings.settle(run, _failure(BAD_ANSWER, TOO_LARGE), basis)
        if content is None:
            return self._endings.settle(run, _failure("answer_missing", MISSING), basis)
        return self._take(run, understand(run.job_id, content), basis, answered)

    def failed(
        self, run: Run, content: bytes | None, reason: str | None, basis: Basis, answered: float | None = None
    ) -> EndStatus | None:
        """Take in a failure that SageMaker reports. `content` is the worker's own answer; None: read it from S3, for
        what a message does not include is in the failure file. `reason` is SageMaker's text, `answered` as for
        `completed`.

        Returns the new status of the job, None when it has no new end.
        """
        if content is None:
            content = self._read_failure(run) or b""
        own = understand(run.job_id, content)
        if own.error and own.error.code != BAD_ANSWER:
            return self._take(run, own, basis, answered)
        words = words_of_failure(content, reason)
        text = f"{reason} The container said: {words}" if reason and words else reason or words
        return self._endings.settle(run, _failure(WORKER_FAILED, text or "SageMaker gave no reason."), basis)

    def expired(self, run: Run, basis: Basis) -> EndStatus | None:
        """End a job whose time in line is over. Returns the new status of the job, None when nothing changed."""
        return self._endings.settle(run, _failure(EXPIRED, WAITED), basis)

    def _read(self, run: Run, at: str | None) -> bytes | None:
        """The answer of a run. Only when it is not where it should be, the row is asked where SageMaker put it."""
        usual = at or answer_key(run.job_id, run.number)
        content = self._outputs.read_answer(run.job_id, ANSWER_LIMIT, usual)
        if content is not None:
            return content
        job = self._store.get(run.job_id)
        if job is None or job.run != run.number or job.answer_at == usual:
            return None
        return self._outputs.read_answer(run.job_id, ANSWER_LIMIT, job.answer_at)

    def _read_failure(self, run: Run) -> bytes | None:
        """The failure file of an open job, None when there is none, or the job is not open or in another run."""
        job = self._store.get(run.job_id)
        if job is None or job.line.settled or job.run != run.number or not job.failure_location:
            return None
        return self._outputs.read_failure(job.failure_location)

    def _take(self, run: Run, answer: Answer, basis: Basis, answered: float | None) -> EndStatus | None:
        if answer.error and answer.error.code == WORKER_STOPPED:
            job = self._store.get(run.job_id)
            if job and not job.line.settled and job.run == run.number:
                return self._stopped(job, run, answer, basis)
        return self._endings.settle(run, answer, basis, answered)

    def _stopped(self, job: Job, run: Run, answer: Answer, basis: Basis) -> EndStatus | None:
        """Hand an open job over again, unless it was often enough or somebody cancels it.

        The claim comes first, by one conditional write: of two messages about one run, one hands the job over. Broken
        off after the claim, the job is in progress and no worker has it; the sweeper then hands it over.
        """
        if self._outputs.is_marked(run.job_id):
            cancelled = WorkError(code=CANCELLED, message="The job was cancelled.")
            return self._endings.settle(run, Answer(error=cancelled), basis)
        if run.number < MAX_RUNS:
            following = self._store.begin_again(job, precise(moment(self._clock())), STOPPED)
            if following:
                log.info("the worker of job %s was stopped; this is run %d", run.job_id, following.run)
                self._dispatch(following)
                return None
        return self._endings.settle(run, answer, basis)


def _failure(code: str, message: str) -> Answer:
    return Answer(error=WorkError(code=code, message=message[:MAX_MESSAGE]))
