"""How many jobs may be open at once, and how seldom they are counted."""

from typing import Any, cast

import pytest

from darkroom.errors import TooMany
from darkroom.jobs.limiter import CACHE_SECONDS, REFUSAL_SECONDS, OpenJobLimiter
from darkroom.jobs.model import OpenJobCounts


class Counting:
    """A store that says how many jobs are open, and counts how often it was asked."""

    def __init__(self, **owners: int) -> None:
        self.owners = owners
        self.asked = 0

    def open_jobs(self) -> OpenJobCounts:
        self.asked += 1
        return OpenJobCounts(sum(self.owners.values()), dict(self.owners), {"a": sum(self.owners.values())})


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def limiter(store: Counting, clock: Clock, per_owner: int = 3, per_stage: int = 5) -> OpenJobLimiter:
    return OpenJobLimiter(cast(Any, store), per_owner, per_stage, clock)


def test_what_this_process_wrote_itself_counts_without_asking() -> None:
    store = Counting()
    full = limiter(store, Clock())
    for _ in range(3):
        full.admit("alice")
        full.add("alice", "darkroom-test-a")
    with pytest.raises(TooMany) as refused:
        full.admit("alice")
    assert (refused.value.code, refused.value.retry_after) == ("too_many_open_jobs", 15)
    assert "3 may be open" in refused.value.detail
    assert store.asked == 1
    full.admit("bob")


def test_the_stage_has_a_limit_for_all_together() -> None:
    with pytest.raises(TooMany) as refused:
        limiter(Counting(alice=2, bob=3), Clock()).admit("alice")
    assert refused.value.code == "stage_full"


def test_a_key_may_have_a_limit_of_its_own() -> None:
    full = limiter(Counting(alice=3), Clock())
    full.admit("alice", limit=4)
    with pytest.raises(TooMany):
        full.admit("alice", limit=3)
    with pytest.raises(TooMany):
        full.admit("bob", limit=0)


def test_it_counts_again_once_in_a_while_and_before_it_refuses_by_an_old_count() -> None:
    store, clock = Counting(alice=3), Clock()
    full = limiter(store, clock)
    with pytest.raises(TooMany):
        full.admit("alice")
    store.owners = {}
    with pytest.raises(TooMany):
        full.admit("alice")
    assert store.asked == 1
    clock.now = REFUSAL_SECONDS + 1
    full.admit("alice")
    assert store.asked == 2
    clock.now += CACHE_SECONDS
    full.admit("alice")
    assert store.asked == 2
    clock.now += 1
    full.admit("alice")
    assert store.asked == 3


def test_counting_for_the_choice_of_an_endpoint_is_not_done_twice() -> None:
    store = Counting(alice=2)
    full = limiter(store, Clock())
    assert full.by_endpoint() == {"a": 2}
    full.admit("alice")
    assert store.asked == 1
