"""What sleeping and waking cost stays near what a clairvoyant would pay, on small patterns of `bench/sleep.py`."""

import pytest

from bench.sleep import RUN, START, STOP, Pattern, Replay, clairvoyant, patterns


@pytest.mark.parametrize("pattern", patterns(days=2), ids=lambda pattern: pattern.name)
def test_the_ratios_hold(pattern: Pattern) -> None:
    result = Replay(pattern).run()
    assert result.jobs >= len(pattern.arrivals) + pattern.adversary
    assert 1.0 <= result.ratio <= pattern.budget


def test_what_is_billed_goes_from_the_request_to_the_release() -> None:
    result = Replay(Pattern("one", 2.0, (40.0,))).run()
    # To the second: the round that is due before the next one waits.
    assert result.billed == pytest.approx(START + RUN + START, abs=1)
    assert (result.wakes, result.mean_wait, result.clairvoyant) == (1, START, START + RUN)


def test_a_job_while_it_falls_asleep_waits_for_that_and_for_a_start() -> None:
    result = Replay(Pattern("two", 2.0, (0.0,), adversary=1)).run()
    assert result.mean_wait == pytest.approx((START + (STOP - 1) + START) / 2, abs=1)


def test_a_clairvoyant_keeps_it_for_a_short_pause_and_lets_it_sleep_for_a_long_one() -> None:
    assert clairvoyant((), START) == 0
    assert clairvoyant((0.0, START + RUN + 100), START) == START + RUN + 100 + RUN
    assert clairvoyant((0.0, START + RUN + 200), START) == 2 * (START + RUN)
    # Jobs that come meanwhile are done one after the other.
    assert clairvoyant((0.0, 1.0, 2.0), START) == START + 3 * RUN
