"""Which status may follow which: the whole table, so that a change to it is seen."""

import itertools

import pytest

from darkroom.jobs.state import OPEN, STATUSES, TIMED_OUT, Status, may_become, origins

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
    assert may_become(before, None, after) == ((before, after) in LEGAL)
    assert may_become(before, "worker_failed", after) == ((before, after) in LEGAL)


def test_a_job_that_timed_out_may_still_succeed_and_nothing_else() -> None:
    assert [status for status in STATUSES if may_become("fail", TIMED_OUT, status)] == ["succeed"]


def test_every_open_job_can_reach_every_end() -> None:
    for end in ("succeed", "fail", "cancelled"):
        assert set(OPEN) <= {origin.status for origin in origins(end)}
