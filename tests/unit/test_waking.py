"""A job that comes to an endpoint without instances asks for the first one, and never fails because of it."""

import logging
from dataclasses import dataclass, field
from functools import partial

import pytest

from darkroom.endpoints.service import CACHE_SECONDS, Endpoints
from darkroom.endpoints.waking import REFUSED_METRIC, TRUSTED_SECONDS, Asked, Waker
from darkroom.errors import Busy, Conflict, Invalid, Missing
from tests.support.sagemaker import Details, FakeOpenJobs, FakeSageMaker, FakeScaling, endpoint

NAME = "darkroom-test-a"


@dataclass
class World:
    """One function's memory, over one endpoint that Darkroom made and that sleeps."""

    sagemaker: FakeSageMaker = field(default_factory=FakeSageMaker)
    now: float = 1_000.0
    calls: list[str] = field(default_factory=list)
    counted: list[str] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sagemaker.tagged[NAME] = {"darkroom:min": "0", "darkroom:max": "2"}
        self.sagemaker.details[NAME] = Details(instances=0)
        self.sagemaker.on_call = self.calls.append
        self.endpoints = Endpoints(self.sagemaker, FakeScaling(), FakeOpenJobs(), "darkroom-test-", lambda: self.now)
        self.waker = Waker(
            self.endpoints,
            lambda: self.sagemaker,
            count=self.counted.append,
            after=[self.asked.append],
            clock=lambda: 5.0,
            monotonic=lambda: self.now,
        )

    @property
    def instances(self) -> int:
        return self.sagemaker.details[NAME].instances

    @instances.setter
    def instances(self, number: int) -> None:
        self.sagemaker.details[NAME].instances = number

    def job_comes(self) -> list[str]:
        """The calls that it takes on a function that knows the endpoint."""
        self.endpoints.is_ours(NAME)
        self.calls.clear()
        self.waker.job_came(NAME)
        return list(self.calls)


@pytest.fixture
def world() -> World:
    return World()


WAKE, LOOK = "UpdateEndpointWeightsAndCapacities", "DescribeEndpoint"


def test_a_sleeping_endpoint_is_woken_with_one_call_where_it_is_known_to_sleep(world: World) -> None:
    world.endpoints.details(NAME)
    assert world.job_comes() == [WAKE]
    assert (world.instances, world.asked) == (1, [Asked(NAME, 5.0, "job")])


def test_the_jobs_after_it_look_no_more(world: World) -> None:
    world.job_comes()
    assert world.job_comes() == []
    world.now += TRUSTED_SECONDS
    assert world.job_comes() == [LOOK]


def test_an_endpoint_that_is_awake_is_looked_at_once_in_a_while(world: World) -> None:
    world.instances = 2
    assert LOOK in world.job_comes()
    assert world.job_comes() == []
    assert (world.instances, world.asked) == (2, [])


def test_an_endpoint_that_fell_asleep_a_moment_ago_is_woken(world: World) -> None:
    world.instances = 1
    world.endpoints.details(NAME)
    world.now += CACHE_SECONDS / 2
    world.instances = 0
    assert world.job_comes() == [LOOK, WAKE]


def test_one_that_is_put_to_sleep_soon_is_trusted_for_half_that_time(world: World) -> None:
    waker = Waker(world.endpoints, lambda: world.sagemaker, kept_awake=4, monotonic=lambda: world.now)
    waker.job_came(NAME)
    world.instances = 0
    world.now += 1.9
    waker.job_came(NAME)
    assert world.instances == 0
    world.now += 0.2
    waker.job_came(NAME)
    assert world.instances == 1


def test_an_endpoint_of_others_is_left_alone(world: World) -> None:
    world.sagemaker.endpoints.append(endpoint("darkroom-test-b"))
    world.waker.job_came("darkroom-test-b")
    world.waker.job_came("darkroom-test-gone")
    assert WAKE not in world.calls


@pytest.mark.parametrize(
    "refusal", [Conflict("endpoint_changing", "Updating"), Busy("aws_busy", "x"), Missing("endpoint_not_found", "x")]
)
def test_a_refusal_that_passes_is_not_counted_and_the_next_job_asks_again(world: World, refusal: Exception) -> None:
    world.sagemaker.refuses_instances = refusal
    world.job_comes()
    assert (world.counted, world.asked) == ([], [])
    world.sagemaker.refuses_instances = None
    assert world.job_comes() == [LOOK, WAKE]


def test_any_other_refusal_is_told_in_the_words_of_aws(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.sagemaker.refuses_instances = Invalid("instances_refused", "ResourceLimitExceeded: 0 instances of this type")
    with caplog.at_level(logging.ERROR):
        world.job_comes()
    assert world.counted == [REFUSED_METRIC]
    assert "0 instances of this type" in caplog.text


def test_nothing_that_breaks_reaches_the_job(world: World, caplog: pytest.LogCaptureFixture) -> None:
    def breaks(error: Exception, call: str) -> None:
        raise error

    for error in (Busy("aws_busy", "x"), ZeroDivisionError()):
        world.sagemaker.on_call = partial(breaks, error)
        world.waker.job_came(NAME)
    world.sagemaker.on_call = lambda call: None

    def cannot_note(asked: Asked) -> None:
        raise ZeroDivisionError

    waker = Waker(world.endpoints, lambda: world.sagemaker, after=[cannot_note])
    assert waker.ask(NAME, "round")
    assert world.instances == 1
