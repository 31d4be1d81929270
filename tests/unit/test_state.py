"""Which status may follow which: the whole table, so that a change to it is seen."""

import itertools

import pytest

from darkroom.jobs.state import OPEN, STATUSES, TIMED_OUT, Origin, Status, origins

LEGAL = {
    ("created", "in_progress"),
    ("created", "succeed"),
    ("created", "fail"),
    ("created", "cancelled"),
    ("in_progress", "succeed"),
    ("in_progress", "fail"),
    ("in_progress", "cancelled"),
}


@pytest.mark.parametrize(("before", "after"), list(itertools.product(STATUSES, STATUSES)))
def test_only_these_transitions_are_legal(before: Status, after: Status) -> None:
    assert (Origin(before) in origins(after)) == ((before, after) in LEGAL)


def test_a_job_that_timed_out_may_still_succeed_and_nothing_else() -> None:
    late = Origin("fail", TIMED_OUT)
    assert [status for status in STATUSES if late in origins(status)] == ["succeed"]
    assert all(origin == late for status in STATUSES for origin in origins(status) if origin.error_code)


def test_every_open_job_can_reach_every_end() -> None:
    for end in ("succeed", "fail", "cancelled"):
        assert set(OPEN) <= {origin.status for origin in origins(end)}
