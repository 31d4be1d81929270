"""While a job is painted: reporting its progress, and noticing that it was cancelled."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from darkroom.jobs.contract import Progress, WorkRequest
from worker.errors import JobError
from worker.store import Location, Store

LOOK_SECONDS = 0.2
"""How often those who wait look whether their job goes on."""
REPORT_SECONDS = 5.0
CANCEL_CHECK_SECONDS = 3.0
"""The shortest time between two progress messages, and between two checks for the cancel marker."""


def stopped() -> JobError:
    """What a job ends with that the end of the process leaves unfinished."""
    return JobError("worker_stopped", "The worker was shut down before the job was done. Run it again.")


class Watch:
    """Watches one job. The engine calls `step` between its steps; a JobError from it ends the job."""

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
        self._reported = self._checked = float("-inf")
        self._started_at = ""
        self._share: Callable[[], float | None] | None = None
        self._said_loading = False
        self.begin()

    def begin(self, share: Callable[[], float | None] | None = None) -> None:
        """The job's turn begins. `share` answers how much of its model files is there: it is told until `painting`."""
        self._started_at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        self._share = share

    def painting(self) -> None:
        """All files are loaded."""
        self._share = None
        if self._said_loading:
            # That ended a moment ago, and nobody should read of it any longer.
            self._reported = float("-inf")

    def look(self) -> None:
        """Raises JobError `cancelled` when the cancel marker exists (checked at the first call, and then at most once
        in CANCEL_CHECK_SECONDS), and `worker_stopped` when the process is about to end."""
        if self._stopping.is_set():
            raise stopped()
        now = self._monotonic()
        if now - self._checked >= CANCEL_CHECK_SECONDS:
            self._checked = now
            if self._store.exists(self._marker):
                raise JobError("cancelled", "The job was cancelled.")

    def step(self, progress: float) -> None:
        """Looks, and sends the progress (0 to 1), at most once in REPORT_SECONDS."""
        self.look()
        queue, now = self._request.progress_queue, self._monotonic()
        if not queue or now - self._reported < REPORT_SECONDS:
            return
        there = self._share() if self._share else 1.0
        if there is None:
            # Whether it loads or paints is told once it is known.
            return
        self._reported = now
        self._said_loading = there < 1
        message = Progress(
            job_id=self._request.job_id,
            progress=min(max(progress, 0.0), 1.0),
            started_at=self._started_at,
            loading=there if self._said_loading else None,
        )
        self._store.send(queue, message)
