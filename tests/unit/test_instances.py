"""The scaler's round over instances: endpoints with jobs are awake, the others asleep, whatever came in between."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from darkroom.endpoints.fleet import Fleet
from darkroom.endpoints.instances import EVERY_SECONDS, SPANS, START_SECONDS, InstanceRound, SleepAfter, busy_until
from darkroom.endpoints.model import DELETION_TAG, Bounds, JobSpan
from darkroom.endpoints.service import Endpoints
from darkroom.endpoints.waking import Waker
from darkroom.errors import Busy, Invalid
from tests.support.sagemaker import FakeOpenJobs, FakeScaling
from tests.support.timed import TimedSageMaker
from tests.unit.fleet_stage import Killed, complete_scaling

NAME = "darkroom-test-a"
NOON = 1_780_000_000.0


@dataclass
class World:
    """One endpoint that may sleep, at noon: it starts in 150 seconds, falls asleep in 20, and has started before."""

    now: float = NOON
    scaling: FakeScaling = field(default_factory=FakeScaling)
    jobs: FakeOpenJobs = field(default_factory=FakeOpenJobs)
    counted: list[str] = field(default_factory=list)
    after: SleepAfter = field(default_factory=lambda: SleepAfter(60, 900))

    def __post_init__(self) -> None:
        self.sagemaker = TimedSageMaker(lambda: self.now, start=150, stop=20)
        self.sagemaker.endpoints = []
        self.sagemaker.sleeping(NAME, most=4)
        self.scaling.stands[NAME] = complete_scaling(0, 4)
        self.scaling.woke[NAME] = [150.0, 140.0, 900.0]
        self.pauses: list[float] = []
        self.during_pause: Callable[[], None] = lambda: None

    @property
    def waker(self) -> Waker:
        """As a new function has it."""
        endpoints = Endpoints(self.sagemaker, self.scaling, self.jobs, "darkroom-test-", lambda: self.now)
        return Waker(endpoints, lambda: self.sagemaker, count=self.counted.append, monotonic=lambda: self.now)

    def round(self, later: float = 0.0, left: Callable[[], float] = lambda: 100.0) -> dict[str, int | list[str]]:
        """One round, so many seconds later."""
        self.now += later
        endpoints = Endpoints(self.sagemaker, self.scaling, self.jobs, "darkroom-test-", lambda: self.now)
        source, jobs = self.sagemaker, self.jobs
        return InstanceRound(
            endpoints, source, self.scaling, lambda: source, self.waker, jobs, self.after, lambda: self.now, self.pause
        ).run(left)

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds
        self.during_pause()

    def event(self) -> list[str]:
        """The state events that SageMaker has sent by now are handled."""
        endpoints = Endpoints(self.sagemaker, self.scaling, self.jobs, "darkroom-test-")
        source = self.sagemaker
        worker: Callable[[], None] = lambda: None  # noqa: E731 - never called
        fleet = Fleet(endpoints, source, source, self.scaling, self.jobs, "test", worker, waker=lambda: self.waker)  # type: ignore[arg-type]
        return [fleet.reconcile(name) for name in self.sagemaker.advance()]

    def job(self, seconds: float | None = None, ago: float = 0.0) -> None:
        """A job that came `ago` seconds ago and took so many; one that is open without."""
        created = self.now - ago
        ended = None if seconds is None else created + seconds
        self.jobs.were_open.setdefault(NAME, []).insert(0, JobSpan(created, ended))
        if ended is None:
            self.jobs.counts[NAME] = self.jobs.counts.get(NAME, 0) + 1

    def jobs_end(self) -> None:
        self.jobs.were_open[NAME] = [JobSpan(s.created, s.ended or self.now) for s in self.jobs.were_open[NAME]]
        self.jobs.counts.clear()

    @property
    def instances(self) -> int:
        return self.sagemaker.details[NAME].instances

    def awake(self, instances: int = 1) -> "World":
        """The endpoint has been awake for an hour."""
        self.sagemaker.details[NAME].instances = instances
        self.now += 3600
        return self


@pytest.fixture
def world() -> World:
    return World()


def test_jobs_that_wait_without_an_instance_wake_the_endpoint(world: World) -> None:
    world.job()
    assert world.round() == {"woken": 1, "let_go": 0, "broken": []}
    assert world.instances == 1
    assert world.round(later=60)["woken"] == 0


def test_without_endpoints_a_round_is_one_call(world: World) -> None:
    world.sagemaker.endpoints = []
    calls: list[str] = []
    world.sagemaker.on_call = world.scaling.on_call = calls.append
    world.round()
    assert (calls, world.jobs.asked) == (["ListEndpoints"], 0)


def test_it_sleeps_when_no_job_was_open_for_as_long_as_a_start_takes(world: World) -> None:
    world.awake().job(seconds=10, ago=10)
    assert world.round(later=89)["let_go"] == 0
    assert world.pauses == []
    # To the second, not at the next round, which would be too late.
    assert world.round(later=60)["let_go"] == 1
    assert world.pauses == [pytest.approx(1)]
    assert world.instances == 0


def test_a_wait_that_is_longer_than_the_time_that_is_left_is_for_the_next_round(world: World) -> None:
    world.awake().job(seconds=10, ago=10)
    assert world.round(later=149 - EVERY_SECONDS / 2, left=lambda: 20.0)["let_go"] == 0
    assert (world.pauses, world.instances) == ([], 1)


def test_an_endpoint_with_an_open_job_never_sleeps(world: World) -> None:
    world.awake().job()
    for _ in range(20):
        world.round(later=60)
    assert world.instances == 1
    # Nor when one of the two ways to see the job is behind the other.
    world.jobs.counts.clear()
    world.round(later=60)
    world.jobs.counts[NAME] = 1
    world.jobs.were_open.clear()
    world.round(later=60)
    assert world.instances == 1


def test_one_that_woke_for_nothing_sleeps_again(world: World) -> None:
    """The job was deleted or cancelled while the endpoint started."""
    world.waker.ask(NAME, "job")
    world.now += 150
    assert world.round(later=80)["let_go"] == 0
    assert world.round(later=60)["let_go"] == 1
    assert world.now == pytest.approx(NOON + 300, abs=1)


@pytest.mark.parametrize(
    ("starts", "seconds"), [([], START_SECONDS), ([150.0, 140.0, 900.0], 150), ([1.0], 60), ([9_000.0], 900)]
)
def test_how_long_it_is_kept_is_the_median_of_its_starts_within_bounds(starts: list[float], seconds: float) -> None:
    assert SleepAfter(60, 900).seconds(starts) == seconds


class TestFewerInstances:
    """With more than one instance, those that the last time did not need go first."""

    def test_so_many_stay_as_the_busiest_moment_needed(self, world: World) -> None:
        world.awake(4)
        for _ in range(5):
            world.job(seconds=30, ago=35)
        # Five jobs at once are for two instances, until that is long enough ago.
        assert world.round()["let_go"] == 1
        assert world.instances == 2
        world.round(later=30)
        assert world.instances == 2
        world.round(later=60)
        world.round(later=60)
        assert world.instances == 0

    def test_a_steady_trickle_keeps_one(self, world: World) -> None:
        world.awake(3)
        for minute in range(10, 0, -1):
            world.job(seconds=10, ago=minute * 60)
        world.round()
        assert world.instances == 1

    def test_they_stay_while_more_jobs_are_open(self, world: World) -> None:
        world.awake(2)
        for _ in range(4):
            world.job()
        world.round(later=600)
        assert world.instances == 2

    def test_they_stay_while_more_jobs_come_than_are_looked_at(self, world: World) -> None:
        world.awake(4)
        for second in range(SPANS, 0, -1):
            world.job(seconds=0.5, ago=second)
        world.round()
        assert world.instances == 4


@pytest.mark.parametrize(("most", "until"), [(0, 9.0), (1, 7.0), (2, 5.0), (3, 0.0)])
def test_when_more_than_so_many_jobs_were_open_for_the_last_time(most: int, until: float) -> None:
    spans = [JobSpan(4, 5), JobSpan(3, 9), JobSpan(1, 7)]
    assert busy_until(spans, most) == until
    assert busy_until([*spans, JobSpan(8, None)], 0) is None


class TestFallingAsleep:
    """A job that comes while the endpoint falls asleep."""

    def test_before_the_last_look_it_keeps_the_endpoint_awake(self, world: World) -> None:
        world.awake().job(seconds=10, ago=10)
        world.during_pause = world.job
        assert world.round(later=149)["let_go"] == 0
        assert world.instances == 1

    def test_between_the_last_look_and_the_call_it_wakes_it_once_it_has_fallen_asleep(self, world: World) -> None:
        world.awake().job(seconds=10, ago=10)

        def a_job_comes(call: str) -> None:
            if call == "UpdateEndpointWeightsAndCapacities" and not world.jobs.counts:
                world.job()
                # Its own request still sees an instance.
                world.waker.job_came(NAME)

        world.sagemaker.on_call = a_job_comes
        assert world.round(later=150) == {"woken": 0, "let_go": 1, "broken": []}
        assert world.instances == 0
        world.now += 20
        assert world.event() == ["woken"]
        assert world.instances == 1

    def test_after_the_call_its_own_request_is_refused_and_the_event_wakes_it(self, world: World) -> None:
        world.awake().job(seconds=10, ago=10)
        world.round(later=150)
        world.job()
        world.waker.job_came(NAME)
        assert (world.instances, world.counted) == (0, [])
        world.now += 20
        assert world.event() == ["woken"]

    def test_without_the_event_the_next_round_wakes_it(self, world: World) -> None:
        world.awake().job(seconds=10, ago=10)
        world.round(later=150)
        world.job()
        assert world.round(later=10)["woken"] == 0
        assert world.round(later=50)["woken"] == 1

    def test_after_it_fell_asleep_its_own_request_wakes_it(self, world: World) -> None:
        world.awake().job(seconds=10, ago=10)
        world.round(later=150)
        world.now += 20
        assert world.event() == ["scaling set up"]
        world.job()
        world.waker.job_came(NAME)
        assert world.instances == 1


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("open_job", [False, True])
def test_whatever_call_a_round_is_killed_at_the_next_ones_see_what_it_left(after: bool, open_job: bool) -> None:
    number = 0
    while True:
        number += 1
        world = World().awake(0 if open_job else 1)
        world.job(*(() if open_job else (10, 4_000)))
        calls: list[str] = []

        def die(call: str, calls: list[str] = calls, number: int = number) -> None:
            calls.append(call)
            if len(calls) == number:
                raise Killed

        for fake in (world.sagemaker, world.scaling):
            setattr(fake, "after_call" if after else "on_call", die)
        try:
            world.round()
        except Killed:
            pass
        else:
            break
        for fake in (world.sagemaker, world.scaling):
            setattr(fake, "after_call" if after else "on_call", lambda call: None)
        for _ in range(5):
            world.round(later=60)
        assert world.instances == (1 if open_job else 0), calls
    assert number > 1


class TestMovedBounds:
    """One way of waking moves the bounds of the scaling."""

    def test_those_that_are_not_needed_any_more_are_what_was_asked_for_again(self, world: World) -> None:
        world.awake().job()
        world.scaling.set_bounds(NAME, Bounds(1, 4))
        world.round()
        assert world.scaling.bounds([NAME])[NAME] == Bounds(0, 4)

    def test_they_stay_until_the_number_of_instances_is_what_they_say(self, world: World) -> None:
        world.awake().job(seconds=1, ago=30)
        world.scaling.set_bounds(NAME, Bounds(0, 0))
        world.round()
        assert world.scaling.bounds([NAME])[NAME] == Bounds(0, 0)
        world.sagemaker.details[NAME].instances = 0
        world.round()
        assert world.scaling.bounds([NAME])[NAME] == Bounds(0, 4)

    def test_a_minimum_that_was_raised_and_not_followed_yet_stays(self, world: World) -> None:
        world.job()
        world.sagemaker.refuses_instances = Busy("aws_busy", "x")
        world.scaling.set_bounds(NAME, Bounds(1, 4))
        world.round()
        assert world.scaling.bounds([NAME])[NAME] == Bounds(1, 4)

    def test_others_are_left_to_the_sweeper(self, world: World) -> None:
        world.awake().job()
        world.scaling.set_bounds(NAME, Bounds(2, 9))
        world.round()
        assert world.scaling.bounds([NAME])[NAME] == Bounds(2, 9)


@pytest.mark.parametrize("tags", [{}, {"darkroom:min": "1", "darkroom:max": "2"}])
def test_endpoints_of_others_and_those_that_never_sleep_are_left_alone(world: World, tags: dict[str, str]) -> None:
    world.awake().sagemaker.tagged[NAME] = tags
    world.round(later=3600)
    assert world.instances == 1
    world.sagemaker.tagged[NAME] = {"darkroom:min": "0", "darkroom:max": "1", DELETION_TAG: "true"}
    world.round(later=3600)
    assert world.instances == 1


def test_an_error_with_one_endpoint_does_not_stop_the_others(world: World) -> None:
    world.awake().sagemaker.sleeping("darkroom-test-b")
    world.jobs.counts = {"darkroom-test-b": 1}
    failures = iter([True])

    def fail(call: str) -> None:
        if call == "DescribeEndpoint" and next(failures, False):
            raise Busy("aws_busy", "busy")

    world.sagemaker.on_call = fail
    assert world.round() == {"woken": 1, "let_go": 0, "broken": [f"{NAME}: aws_busy"]}


def test_a_refusal_for_good_is_told_and_counted(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.awake().sagemaker.refuses_instances = Invalid("instances_refused", "it must be 1 or more")
    with caplog.at_level(logging.ERROR):
        assert world.round(later=3600)["let_go"] == 0
    assert world.counted == ["instances_refused"]
    assert "it must be 1 or more" in caplog.text


def test_while_aws_is_busy_instances_stay_until_the_next_round(world: World) -> None:
    world.awake().sagemaker.refuses_instances = Busy("aws_busy", "x")
    assert world.round(later=3600) == {"woken": 0, "let_go": 0, "broken": []}
    assert world.counted == []
