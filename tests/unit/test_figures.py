"""What is measured of the end of a job."""

from datetime import UTC, datetime, timedelta

from darkroom import ids
from darkroom.jobs.ending import Ended
from darkroom.jobs.figures import figures
from darkroom.times import precise

MADE = datetime(2026, 11, 1, 12, tzinfo=UTC)


def ended(status: str, run_seconds: float | None, after: float = 100) -> Ended:
    job_id = ids.new_id_at(MADE)
    return Ended(job_id, status, "callback", None, precise(MADE + timedelta(seconds=after)), run_seconds)  # type: ignore[arg-type]


def test_a_job_waits_for_as_long_as_no_instance_works_for_it() -> None:
    assert figures(ended("succeed", 12.5)) == {"jobs_succeed": 1, "wait_seconds": 87.5, "run_seconds": 12.5}


def test_a_container_that_tells_no_times_leaves_both_unknown() -> None:
    assert figures(ended("succeed", None)) == {"jobs_succeed": 1}


def test_what_failed_or_was_cancelled_is_only_counted() -> None:
    assert figures(ended("fail", 3.0)) == {"jobs_fail": 1}
    assert figures(ended("cancelled", None)) == {"jobs_cancelled": 1}


def test_clocks_that_differ_make_no_time_below_zero() -> None:
    assert figures(ended("succeed", 12.5, after=2))["wait_seconds"] == 0
