"""What happens beside the painting: progress goes out, a cancel comes in."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from darkroom.jobs.contract import Progress, WorkRequest
from worker.errors import JobError
from worker.store import Location, Store

REPORT_EVERY = 5.0
LOOK_EVERY = 3.0
"""Seconds between two progress messages, and between two looks for the cancel marker."""


def stopped() -> JobError:
    """What a job ends with that the end of the process leaves unfinished."""
    return JobError("worker_stopped", "The worker was shut down before the job was done. Run it again.")


class Watch:
    """Over one job, from its start: `step` is called between steps and stops the job by a JobError."""

    def __init__(
        self,
        request: WorkRequest,
        store: Store,
        stopping: threading.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`stopping` is set when the process is told to end; `clock` gives seconds."""
        self._request = request
        self._store = store
        self._stopping = stopping
        self._clock = clock
        self._marker = Location.parse(request.output).beside("cancelled")
        self._started_at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        self._reported = self._looked = float("-inf")

    def step(self, progress: float) -> None:
        """Tells the progress (0 to 1), at most every REPORT_EVERY seconds.

        Raises JobError `cancelled` once the marker is there (looked for at the first call and then at most
        every LOOK_EVERY seconds), `worker_stopped` when the process is ending.
        """
        if self._stopping.is_set():
            raise stopped()
        now = self._clock()
        if now - self._looked >= LOOK_EVERY:
            self._looked = now
            if self._store.exists(self._marker):
                raise JobError("cancelled", "The job was cancelled.")
        queue = self._request.progress_queue
        if queue and now - self._reported >= REPORT_EVERY:
            self._reported = now
            share = min(max(progress, 0.0), 1.0)
            news = Progress(job_id=self._request.job_id, progress=share, started_at=self._started_at)
            self._store.send(queue, news)
