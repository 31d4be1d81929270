"""How many jobs may be open at once, and how often they are counted."""

from typing import Any, cast

import pytest

from darkroom.errors import TooMany
from darkroom.jobs.limiter import CACHE_SECONDS, REFUSAL_SECONDS, OpenJobLimiter
from darkroom.jobs.model import OpenJobCounts
from tests.unit.clocks import Clock


class FakeStore:
    """A store with so many open jobs of each owner; `reads` is how often they were counted."""

    def __init__(self, **owners: int) -> None:
        self.owners = owners
        self.reads = 0

    def open_jobs(self) -> OpenJobCounts:
        self.reads += 1
        return OpenJobCounts(sum(self.owners.values()), dict(self.owners), {"a": sum(self.owners.values())})


def limiter_of(store: FakeStore, clock: Clock, per_owner: int = 3, per_stage: int = 5) -> OpenJobLimiter:
    return OpenJobLimiter(cast(Any, store), per_owner, per_stage, clock)


def test_jobs_that_this_process_wrote_count_without_a_read() -> None:
    store = FakeStore()
    limiter = limiter_of(store, Clock())
    for _ in range(3):
        limiter.admit("alice")
        limiter.add("alice", "darkroom-test-a")
    with pytest.raises(TooMany) as refused:
        limiter.admit("alice")
    assert (refused.value.code, refused.value.retry_after) == ("too_many_open_jobs", 15)
    assert "3 may be open" in refused.value.detail
    assert store.reads == 1
    limiter.admit("bob")


def test_the_stage_has_a_limit_for_all_owners_together() -> None:
    with pytest.raises(TooMany) as refused:
        limiter_of(FakeStore(alice=2, bob=3), Clock()).admit("alice")
    assert refused.value.code == "stage_full"


def test_a_key_may_have_a_limit_of_its_own() -> None:
    limiter = limiter_of(FakeStore(alice=3), Clock())
    limiter.admit("alice", limit=4)
    with pytest.raises(TooMany):
        limiter.admit("alice", limit=3)
    with pytest.raises(TooMany):
        limiter.admit("bob", limit=0)


def test_the_count_is_read_again_after_a_time_and_sooner_before_a_refusal() -> None:
    store, clock = FakeStore(alice=3), Clock()
    limiter = limiter_of(store, clock)
    with pytest.raises(TooMany):
        limiter.admit("alice")
    store.owners = {}
    with pytest.raises(TooMany):
        limiter.admit("alice")
    assert store.reads == 1
    clock.now = REFUSAL_SECONDS + 1
    limiter.admit("alice")
    assert store.reads == 2
    clock.now += CACHE_SECONDS
    limiter.admit("alice")
    assert store.reads == 2
    clock.now += 1
    limiter.admit("alice")
    assert store.reads == 3


def test_the_count_that_chose_an_endpoint_is_used_again() -> None:
    store = FakeStore(alice=2)
    limiter = limiter_of(store, Clock())
    assert limiter.by_endpoint() == {"a": 2}
    limiter.admit("alice")
    assert store.reads == 1
