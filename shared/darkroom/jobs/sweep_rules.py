"""What the sweeper does with one job."""

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Literal

from darkroom import ids
from darkroom.errors import Busy
from darkroom.jobs.contract import WorkError
from darkroom.jobs.dispatcher import Dispatcher
from darkroom.jobs.ending import Endings
from darkroom.jobs.model import Job, JobTimeouts
from darkroom.jobs.ports import AnswerTooLarge, JobStore, Outputs
from darkroom.jobs.results import Results
from darkroom.jobs.runs import Run
from darkroom.jobs.state import CANCELLED, ENDPOINT_GONE, FAIL, TIMED_OUT, Basis
from darkroom.jobs.sweep_walker import Round
from darkroom.times import moment, precise

HAND_OVERS = 6
"""How often a job is handed over again. The waiting time doubles, so the last try comes after hours in which AWS may be
unavailable. The number is small because SageMaker may accept each of them and run the job."""
LIGHT = 2 * 1024 * 1024
"""Bytes of an answer that is read while other threads read theirs. Larger answers are read one at a time, because
parsing one takes several times its size in memory."""


class Rules:
    """The rules of one round."""

    def __init__(
        self,
        sweep_round: Round,
        store: JobStore,
        outputs: Outputs,
        endings: Endings,
        results: Results,
        dispatcher: Dispatcher,
        timeouts: JobTimeouts,
        clock: Callable[[], float],
    ) -> None:
        """`clock` gives epoch seconds."""
        self._round = sweep_round
        self._store = store
        self._outputs = outputs
        self._endings = endings
        self._results = results
        self._dispatcher = dispatcher
        self._timeouts = timeouts
        self._clock = clock
        self._heavy = threading.Lock()

    def look_at(self, job_id: str, serving: dict[str, bool] | None) -> None:
        """Handle an open job without news: by what is in S3, then by the marker, the time, and the endpoint. `serving`
        maps each endpoint to whether it takes jobs, None when SageMaker could not be asked."""
        self._round.count("looked_at")
        job = self._store.get(job_id)
        if job is None or job.line.settled:
            return  # The index is a moment behind the table.
        late = self._age(job) > self._timeouts.deadline
        try:
            if found := self._answered(job):
                if found == "ended":
                    # A cancel that broke off may have left a marker, and the job has no worker to stop any more. One
                    # that was handed over again has one.
                    self._outputs.unmark(job_id)
                return
        except Busy:
            raise
        except Exception as error:
            # An answer that cannot be read must not keep the job open for ever.
            if not late:
                raise
            cause = f"Its answer lies in S3, but could not be taken in ({type(error).__name__}). Submit it again."
            self._give_up(job, WorkError(code=TIMED_OUT, message=cause), "deadline")
            return
        if self._outputs.is_marked(job_id):
            self._cancel(job)
        elif late:
            message = "Nothing was heard of this job in the time it may take. Submit it again, or replay it."
            self._give_up(job, WorkError(code=TIMED_OUT, message=message), "deadline")
        elif job.line.endpoint is None:
            return  # It waits to be given to an endpoint.
        elif serving is not None and job.line.endpoint not in serving:
            message = f"The endpoint {job.line.endpoint} is gone, and the job with it. Replay it on another one."
            self._give_up(job, WorkError(code=ENDPOINT_GONE, message=message), "endpoint")
        elif job.awaits_hand_over and (serving is None or serving[job.line.endpoint]):
            # An endpoint that takes no jobs now may do so later; a refusal would end the job.
            self._hand_over_again(job)

    def look_again(self, job_id: str) -> None:
        """Handle a job that ended long ago. If it timed out and its answer is in S3 by now, it succeeds. The objects of
        a cancelled job are removed, and the pictures of a failed job, which no row names."""
        self._round.count("looked_at")
        job = self._store.get(job_id)
        if job is None:
            return
        if job.line.status == CANCELLED:
            self._outputs.delete(job.line.id, job.failure_location, job.output_location)
            self._round.count("tidied")
            return
        if job.error and job.error.code == TIMED_OUT and self._answered(job):
            job = self._store.get(job_id)
        if job and job.line.status == FAIL:
            self._outputs.delete_pictures(job.line.id, job.output_location)

    def _answered(self, job: Job) -> Literal["ended", "taken in"] | None:
        """Take in the job's answer or failure file in S3, which may end the job; None when there is neither."""
        run = Run(job.line.id, job.run)
        try:
            content = self._outputs.read_answer(run.job_id, LIGHT, job.answer_at)
        except AnswerTooLarge:
            with self._heavy:
                ended = self._results.completed(run, None, "s3", job.answer_at)
        else:
            if content is not None:
                ended = self._results.completed(run, content, "s3")
            else:
                location = job.failure_location
                failure = self._outputs.read_failure(location) if location else None
                if failure is None:
                    return None
                ended = self._results.failed(run, failure, None, "s3")
        if ended is None:
            return "taken in"
        self._round.count(ended)
        return "ended"

    def _hand_over_again(self, job: Job) -> None:
        """Hand the job over once more, at most `HAND_OVERS` times and each time after twice as long.

        SageMaker may have accepted an earlier invoke whose mark was lost. The job then runs twice and writes the same
        keys, so it is not handed over while a worker has it: the claim checks that. The claim is written before the
        invoke, so that an attempt counts even if the round breaks off after the invoke.
        """
        if job.hand_overs >= HAND_OVERS:
            return
        wait = self._timeouts.settle_after * 2 ** (job.hand_overs - 1)
        if job.handed_over_at and self._since(job.handed_over_at) < wait:
            return
        if self._store.claim_hand_over(job.line.id, job.hand_overs, precise(moment(self._clock())), job.run):
            self._dispatcher.dispatch(job)
            self._round.count("invoked")

    def _give_up(self, job: Job, error: WorkError, basis: Basis) -> None:
        if self._endings.give_up(job, error, basis):
            self._round.count(error.code)

    def _cancel(self, job: Job) -> None:
        """A cancel broke off between its marker and its row."""
        if self._endings.cancel(job, "s3"):
            self._round.count(CANCELLED)

    def _age(self, job: Job) -> float:
        """Seconds since the job was handed over, or written if it never was."""
        return self._since(job.submitted_at or ids.created_at(job.line.id).isoformat())

    def _since(self, moment: str) -> float:
        """Seconds since a moment in ISO 8601."""
        return self._clock() - datetime.fromisoformat(moment).timestamp()
