"""How many requests a key may send in a minute, over all warm functions."""

import gc
import tracemalloc
from collections import Counter

import pytest

from darkroom.errors import Busy
from darkroom.keys import rate_limiter
from darkroom.keys.rate_limiter import MAX_UNSHARED, RateLimiter
from tests.unit.clocks import Clock


class SharedCounts:
    """The counts that all functions share; `calls` is how often one was added to."""

    def __init__(self) -> None:
        self.sums: Counter[tuple[str, int]] = Counter()
        self.calls = 0
        self.available = True

    def add(self, key: str, minute: int, count: int) -> int:
        self.calls += 1
        if not self.available:
            raise Busy("aws_busy", "AWS asked to slow down.")
        self.sums[key, minute] += count
        return self.sums[key, minute]


def allowed(limiter: RateLimiter, requests: int, limit: int, key: str = "k") -> int:
    """How many of so many requests may go on."""
    return sum(limiter.wait(key, limit) is None for _ in range(requests))


@pytest.mark.parametrize("limit", [1, 2, 7, 8, 60, 600])
def test_one_function_allows_exactly_the_limit_and_says_when_the_next_minute_starts(limit: int) -> None:
    limiter = RateLimiter(SharedCounts(), Clock(605.4))
    assert allowed(limiter, 2 * limit + 5, limit) == limit
    assert limiter.wait("k", limit) == 60 - 5
    assert allowed(limiter, 1, limit, key="another") == 1


def test_the_count_starts_again_with_the_next_minute() -> None:
    clock = Clock(59.0)
    limiter = RateLimiter(SharedCounts(), clock)
    assert allowed(limiter, 9, limit=3) == 3
    assert limiter.wait("k", 3) == 1
    clock.now = 60.0
    assert allowed(limiter, 9, limit=3) == 3


def test_the_first_requests_and_refused_requests_cost_no_call() -> None:
    counts = SharedCounts()
    limiter = RateLimiter(counts, Clock())
    allowed(limiter, MAX_UNSHARED - 1, limit=600)
    assert counts.calls == 0
    allowed(limiter, 600, limit=600)
    calls = counts.calls
    assert calls < 80
    allowed(limiter, 10_000, limit=600)
    assert counts.calls == calls


@pytest.mark.parametrize("functions", [2, 10])
def test_several_functions_share_one_limit(functions: int) -> None:
    counts = SharedCounts()
    limiters = [RateLimiter(counts, Clock()) for _ in range(functions)]
    total = sum(limiters[number % functions].wait("k", 600) is None for number in range(5000))
    assert 600 <= total <= 600 + functions * MAX_UNSHARED
    # A function that starts later learns of the others' requests with its first shared count.
    assert allowed(RateLimiter(counts, Clock()), 1000, limit=600) <= MAX_UNSHARED


def test_without_the_shared_counts_a_function_uses_its_own() -> None:
    counts = SharedCounts()
    counts.available = False
    assert allowed(RateLimiter(counts, Clock()), 1000, limit=600) == 600


def memory_after(minutes: int) -> int:
    """The bytes that a limiter keeps after minutes in each of which a thousand new keys sent one request. Only those
    count that its own module took: other threads of the test run take some, too."""
    clock = Clock()
    limiter = RateLimiter(SharedCounts(), clock)
    tracemalloc.start()
    try:
        for minute in range(minutes):
            clock.now = 60.0 * minute
            for number in range(1000):
                limiter.wait(f"k-{minute}-{number}", 600)
        gc.collect()
        own = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, rate_limiter.__file__)])
        return sum(statistic.size for statistic in own.statistics("filename"))
    finally:
        tracemalloc.stop()


def test_the_memory_of_a_limiter_does_not_grow_with_the_keys_of_the_past() -> None:
    assert memory_after(20) < 2 * memory_after(2)
