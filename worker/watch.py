"""While a job is painted: reporting its progress, and noticing that it was cancelled."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from darkroom.jobs.contract import Progress, WorkRequest
from worker.errors import JobError
from worker.store import Location, Store

REPORT_SECONDS = 5.0
CANCEL_CHECK_SECONDS = 3.0
"""The shortest time between two progress messages, and between two checks for the cancel marker."""


def stopped() -> JobError:
    """What a job ends with that the end of the process leaves unfinished."""
    return JobError("worker_stopped", "The worker was shut down before the job was done. Run it again.")


class Watch:
    """Watches one job from its start. The engine calls `step` between its steps; a JobError from it ends the job."""

    def __init__(
        self,
        request: WorkRequest,
        store: Store,
        stopping: threading.Event,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`stopping` is set when the process is about to end; `monotonic` gives seconds for measuring durations."""
        self._request = request
        self._store = store
        self._stopping = stopping
        self._monotonic = monotonic
        self._marker = Location.parse(request.output).beside("cancelled")
        self._started_at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        self._reported = self._checked = float("-inf")

    def step(self, progress: float) -> None:
        """Sends the progress (0 to 1), at most once in REPORT_SECONDS.

        Raises JobError `cancelled` when the cancel marker exists (checked at the first call, and then at most once in
        CANCEL_CHECK_SECONDS), and `worker_stopped` when the process is about to end.
        """
        if self._stopping.is_set():
            raise stopped()
        now = self._monotonic()
        if now - self._checked >= CANCEL_CHECK_SECONDS:
            self._checked = now
            if self._store.exists(self._marker):
                raise JobError("cancelled", "The job was cancelled.")
        queue = self._request.progress_queue
        if queue and now - self._reported >= REPORT_SECONDS:
            self._reported = now
            share = min(max(progress, 0.0), 1.0)
            message = Progress(job_id=self._request.job_id, progress=share, started_at=self._started_at)
            self._store.send(queue, message)
