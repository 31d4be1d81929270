"""Which status may follow which. The whole table is repeated here, so that a change of it fails a test."""

import itertools

import pytest

from darkroom.jobs.state import OPEN, STATUSES, Origin, Status, origins

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


def test_a_job_without_a_result_may_only_change_to_succeed() -> None:
    revocable = {Origin("fail", "timed_out"), Origin("fail", "expired")}
    for origin in revocable:
        assert [status for status in STATUSES if origin in origins(status)] == ["succeed"]
    assert {origin for status in STATUSES for origin in origins(status) if origin.error_code} == revocable


def test_every_open_job_can_reach_every_end() -> None:
    for end in ("succeed", "fail", "cancelled"):
        assert set(OPEN) <= {origin.status for origin in origins(end)}
