"""How many requests a key may send in a minute, over all warm functions."""

from collections import Counter

import pytest

from darkroom.errors import Busy
from darkroom.keys.rate_limiter import MAX_UNSHARED, RateLimiter


class Counts:
    """The shared counts, and how often they were asked."""

    def __init__(self) -> None:
        self.sums: Counter[tuple[str, int]] = Counter()
        self.calls = 0
        self.reachable = True

    def add(self, key: str, minute: int, count: int) -> int:
        self.calls += 1
        if not self.reachable:
            raise Busy("aws_busy", "AWS asked to slow down.")
        self.sums[key, minute] += count
        return self.sums[key, minute]


def through(limiter: RateLimiter, requests: int, limit: int, key: str = "k") -> int:
    """How many of so many requests are let through."""
    return sum(limiter.wait(key, limit) is None for _ in range(requests))


@pytest.mark.parametrize("limit", [1, 2, 7, 8, 60, 600])
def test_one_function_lets_through_exactly_the_limit_and_says_when_to_come_back(limit: int) -> None:
    counts = Counts()
    limiter = RateLimiter(counts, clock=lambda: 605.4)
    assert through(limiter, 2 * limit + 5, limit) == limit
    assert limiter.wait("k", limit) == 60 - 5
    assert through(limiter, 1, limit, key="another") == 1


def test_the_next_minute_begins_anew() -> None:
    now = [59.0]
    limiter = RateLimiter(Counts(), clock=lambda: now[0])
    assert through(limiter, 9, limit=3) == 3
    assert limiter.wait("k", 3) == 1
    now[0] = 60.0
    assert through(limiter, 9, limit=3) == 3


def test_the_first_requests_cost_no_call_and_refused_ones_none_either() -> None:
    counts = Counts()
    limiter = RateLimiter(counts, clock=lambda: 0.0)
    through(limiter, MAX_UNSHARED - 1, limit=600)
    assert counts.calls == 0
    through(limiter, 600, limit=600)
    spent = counts.calls
    assert spent < 80
    through(limiter, 10_000, limit=600)
    assert counts.calls == spent


@pytest.mark.parametrize("functions", [2, 10])
def test_several_functions_share_one_limit(functions: int) -> None:
    counts = Counts()
    limiters = [RateLimiter(counts, clock=lambda: 0.0) for _ in range(functions)]
    let = sum(limiters[number % functions].wait("k", 600) is None for number in range(5000))
    assert 600 <= let <= 600 + functions * MAX_UNSHARED
    # A function that starts late hears of the others with its first shared count.
    assert through(RateLimiter(counts, clock=lambda: 0.0), 1000, limit=600) <= MAX_UNSHARED


def test_without_the_shared_count_a_function_goes_by_its_own() -> None:
    counts = Counts()
    counts.reachable = False
    assert through(RateLimiter(counts, clock=lambda: 0.0), 1000, limit=600) == 600


def test_what_is_remembered_does_not_grow_with_the_keys_of_the_past() -> None:
    now = [0.0]
    limiter = RateLimiter(Counts(), clock=lambda: now[0])
    for minute in range(3):
        now[0] = 60.0 * minute
        for number in range(1000):
            limiter.wait(f"k-{minute}-{number}", 10)
    assert len(limiter._windows) <= 2000
