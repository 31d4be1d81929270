"""What an open job waits for and for how long, in words."""

from typing import Any, cast

import pytest

from darkroom_client import waits
from darkroom_client.answers import Forecast, Job

ASLEEP = "anime sleeps, and the job wakes it."


def job(**told: Any) -> Job:
    """An open job of which this is told."""
    nothing = {"status": "in_progress", "phase_detail": None, "place": None, "forecast": None}
    made: Any = nothing | told
    return cast("Job", made)


def expected(median: float, ninth_decile: float, wake_ups: int = 10) -> Forecast:
    """A forecast in seconds."""
    return {"median": median, "ninth_decile": ninth_decile, "wake_ups": wake_ups}


def test_a_job_whose_endpoint_wakes_says_for_how_long_as_a_rule_and_its_place() -> None:
    told = waits.doing(job(phase_detail=ASLEEP, forecast=expected(184.2, 271), place=2))
    assert told == f"{ASLEEP} The first picture usually takes 3 min, nearly always under 5 min. 2 jobs are before it."


def test_what_is_not_known_is_not_told() -> None:
    assert waits.doing(job()) == "in_progress"
    assert waits.doing(job(phase_detail=ASLEEP)) == ASLEEP


@pytest.mark.parametrize(
    ("before", "told"), [(0, "It is the first in line."), (1, "1 job is before it."), (7, "7 jobs are before it.")]
)
def test_the_place_counts_the_jobs_before_it(before: int, told: str) -> None:
    assert waits.doing(job(phase_detail="It waits.", place=before)) == f"It waits. {told}"


def test_one_wake_up_is_no_rule() -> None:
    assert waits.usual(expected(212, 212, wake_ups=1)) == "Last time the first picture took 4 min."


def test_a_ninth_decile_that_reads_like_the_median_is_not_told_twice() -> None:
    assert waits.usual(expected(175, 180)) == "The first picture usually takes 3 min, hardly ever longer."


@pytest.mark.parametrize(
    ("seconds", "told", "at_most"),
    [
        (0, "10 s", "10 s"),
        (44, "40 s", "50 s"),
        (119, "2 min", "2 min"),
        (271, "5 min", "5 min"),
        (241, "4 min", "5 min"),
        (5999, "1 h 40 min", "1 h 40 min"),
        (7210, "2 h", "2 h 1 min"),
    ],
)
def test_a_time_is_told_as_people_say_it_and_an_upper_end_is_never_too_low(
    seconds: float, told: str, at_most: str
) -> None:
    assert (waits.span(seconds), waits.span(seconds, up=True)) == (told, at_most)
