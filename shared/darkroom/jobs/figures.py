"""What is measured of the end of a job: the metrics of a stage's jobs."""

from datetime import datetime

from darkroom import ids
from darkroom.jobs.ending import Ended
from darkroom.jobs.state import SUCCEED


def figures(ended: Ended) -> dict[str, float]:
    """The metrics of an end, by name: `jobs_` with its status is a count. Of a job that succeeds also how many seconds
    it waited and ran, where its worker told them: it waited in all the time from its creation to its end in which no
    instance worked for it."""
    found: dict[str, float] = {f"jobs_{ended.status}": 1}
    if ended.status == SUCCEED and ended.run_seconds is not None and ended.completed_at is not None:
        lasted = (datetime.fromisoformat(ended.completed_at) - ids.created_at(ended.job_id)).total_seconds()
        waited = round(max(0.0, lasted - ended.run_seconds), 3)
        found |= {"wait_seconds": waited, "run_seconds": ended.run_seconds}
    return found
