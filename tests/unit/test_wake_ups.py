"""The ledger of wake-ups: what is written when, and what follows for the next wake-up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.endpoints.model import WakeUp
from darkroom.endpoints.wakeups import Forecast, forecast, one_each, starts


def woken(asked: float, picture: float | None = None, **steps: float) -> WakeUp:
    return WakeUp("docs", asked, picture=picture, **steps)


def test_a_forecast_is_the_middle_case_and_nine_of_ten() -> None:
    took = [woken(1000 * n, 1000 * n + 10 * (n + 1)) for n in range(10)]
    assert forecast(took) == Forecast(55, 90, 10)
    assert forecast(took[:1]) == Forecast(10, 10, 1)


def test_wake_ups_without_a_picture_let_expect_nothing() -> None:
    assert forecast([woken(0), woken(100, instance=160)]) is None
    assert forecast([]) is None


@given(st.lists(st.floats(1, 3000), min_size=1, max_size=20))
def test_a_forecast_is_within_what_was_seen(took: list[float]) -> None:
    found = forecast([woken(10_000.0 * n, 10_000.0 * n + seconds) for n, seconds in enumerate(took)])
    assert found is not None
    assert min(took) - 0.01 <= found.median <= found.ninth_decile + 0.01
    assert found.ninth_decile <= max(took) + 0.01


def test_a_start_ends_when_the_container_works_or_else_with_the_instance() -> None:
    assert starts([woken(0, instance=100, container=130), woken(0, instance=100), woken(0)]) == [130, 100]


def test_asks_before_the_instance_is_there_are_one_wake_up() -> None:
    first, second = woken(1000, instance=1200, picture=1300), woken(1001)
    later = woken(1900, instance=2100)
    assert one_each([later, second, first]) == [later, first]


def test_an_ask_after_one_that_came_to_nothing_is_a_wake_up_of_its_own() -> None:
    assert len(one_each([woken(0), woken(3599)])) == 1
    assert len(one_each([woken(0), woken(3601)])) == 2


@pytest.mark.parametrize("first", [woken(0, instance=100), woken(0, picture=100)])
def test_an_ask_after_the_instance_is_a_wake_up_of_its_own(first: WakeUp) -> None:
    assert one_each([first, woken(101)]) == [woken(101), first]
