"""Which status may follow which. The whole table is repeated here, so that a change of it fails a test."""

import itertools

import pytest

from darkroom.jobs.state import OPEN, STATUSES, TIMED_OUT, Origin, Status, origins

ALLOWED = {
    ("created", "in_progress"),
    ("created", "succeed"),
    ("created", "fail"),
    ("created", "cancelled"),
    ("in_progress", "succeed"),
    ("in_progress", "fail"),
    ("in_progress", "cancelled"),
}


@pytest.mark.parametrize(("before", "after"), list(itertools.product(STATUSES, STATUSES)))
def test_only_these_transitions_are_allowed(before: Status, after: Status) -> None:
    assert (Origin(before) in origins(after)) == ((before, after) in ALLOWED)


def test_a_job_that_timed_out_may_only_change_to_succeed() -> None:
    timed_out = Origin("fail", TIMED_OUT)
    assert [status for status in STATUSES if timed_out in origins(status)] == ["succeed"]
    assert all(origin == timed_out for status in STATUSES for origin in origins(status) if origin.error_code)


def test_every_open_job_can_reach_every_end() -> None:
    for end in ("succeed", "fail", "cancelled"):
        assert set(OPEN) <= {origin.status for origin in origins(end)}
