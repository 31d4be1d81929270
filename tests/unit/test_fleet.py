"""The life of endpoints: made, scaled, deleted, and healed wherever a step broke off."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from darkroom.endpoints.api import EndpointIn, EndpointPatch
from darkroom.endpoints.fleet import GRACE_SECONDS, Fleet
from darkroom.endpoints.model import Bounds, ScalingState
from darkroom.endpoints.service import Endpoints
from darkroom.endpoints.spec import MAX_NAME, endpoint_of
from darkroom.endpoints.sweep import EndpointsSwept, EndpointSweep, Guard
from darkroom.errors import Busy, Conflict, DarkroomError, Invalid
from tests.support.sagemaker import FakeOpenJobs, FakeSageMaker, FakeScaling, endpoint

PREFIX = "darkroom-test-"
NAME = f"{PREFIX}anime"
ANIME = EndpointIn(name="anime")
HOUR = 3600.0


class Killed(BaseException):
    """The function ended in the middle, as by a time-out."""


@dataclass
class Stage:
    """A stage in memory, without endpoints."""

    sagemaker: FakeSageMaker = field(default_factory=FakeSageMaker)
    scaling: FakeScaling = field(default_factory=FakeScaling)
    jobs: FakeOpenJobs = field(default_factory=FakeOpenJobs)
    guard: Guard = field(default_factory=lambda: Guard(12, False))

    def __post_init__(self) -> None:
        self.sagemaker.endpoints = []

    @property
    def fleet(self) -> Fleet:
        """As a cold function has it."""
        endpoints = Endpoints(self.sagemaker, self.scaling, self.jobs, PREFIX)
        parts = (endpoints, self.sagemaker, self.sagemaker, self.scaling, self.jobs)
        return Fleet(*parts, "test", "ml.g5.xlarge", "worker:1", lambda: self.sagemaker.now)

    def sweep(self, later: float = 0.0, left: Callable[[], float] = lambda: 100.0) -> EndpointsSwept:
        """One round of the sweeper, so many seconds later."""
        self.sagemaker.now += later
        source, now = self.sagemaker, lambda: self.sagemaker.now
        return EndpointSweep(self.fleet, source, source, self.scaling, self.jobs, self.guard, now).run(left)

    def rest(self) -> list[str]:
        """Let SageMaker end what it is at, and tell; what was done about each endpoint."""
        return [self.fleet.reconcile(name) for name in self.sagemaker.settle()]

    def statuses(self) -> dict[str, str]:
        return {found.name: found.status for found in self.sagemaker.endpoints}

    def nothing_left(self) -> bool:
        made = self.sagemaker.parts_made
        return not (self.sagemaker.endpoints or made["config"] or made["model"] or self.scaling.stands)


@pytest.fixture
def stage() -> Stage:
    return Stage()


def standing(least: int = 0, most: int = 1) -> ScalingState:
    return ScalingState(Bounds(least, most), tracking=True, waking=True, alarm=True)


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(DarkroomError) as refused:
        call()
    return refused.value.code


def test_the_whole_life(stage: Stage) -> None:
    assert stage.fleet.create("alice", ANIME) == (NAME, True)
    assert stage.sagemaker.tagged[NAME] == {
        "darkroom:stage": "test",
        "darkroom:owner": "alice",
        "darkroom:asked": "0-1",
        "darkroom:min": "0",
        "darkroom:max": "1",
    }
    assert stage.scaling.stands == {}
    assert stage.rest() == ["scaling set up"]
    assert stage.scaling.stands == {NAME: standing()}
    stage.jobs.counts = {NAME: 2}
    assert stage.fleet.delete("anime") is True
    assert set(stage.jobs.failed) == {(NAME, "endpoint_deleted")}
    assert stage.rest() == ["cleared"]
    assert stage.nothing_left()


def test_the_same_request_again_is_the_same_endpoint(stage: Stage) -> None:
    stage.fleet.create("alice", ANIME)
    assert stage.fleet.create("alice", ANIME) == (NAME, False)
    nameless = EndpointIn(instance_type="ml.g4dn.xlarge")
    name, new = stage.fleet.create("alice", nameless)
    assert new
    assert stage.fleet.create("alice", nameless) == (name, False)
    assert len(stage.sagemaker.endpoints) == 2


@pytest.mark.parametrize(
    "other",
    [
        EndpointIn(name="anime", instance_type="ml.g4dn.xlarge"),
        EndpointIn(name="anime", image="worker:2"),
        EndpointIn(name="anime", max_instances=2),
        EndpointIn(name="anime", jobs_at_once=2),
    ],
)
def test_another_endpoint_of_the_same_name_is_refused(stage: Stage, other: EndpointIn) -> None:
    stage.fleet.create("alice", ANIME)
    assert refusal(lambda: stage.fleet.create("alice", other)) == "endpoint_exists"


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("call", ["CreateModel", "CreateEndpointConfig", "CreateEndpoint"])
@pytest.mark.parametrize("healer", ["repeat", "sweep"])
def test_a_creation_that_is_killed_leaves_nothing_unmanaged(stage: Stage, call: str, moment: str, healer: str) -> None:
    def kill(name: str) -> None:
        if name == call:
            raise Killed

    if moment == "before":
        stage.sagemaker.on_call = kill
    else:
        stage.sagemaker.after_call = kill
    with pytest.raises(Killed):
        stage.fleet.create("alice", ANIME)
    stage.sagemaker.on_call = stage.sagemaker.after_call = lambda name: None
    if healer == "repeat":
        stage.fleet.create("alice", ANIME)
    else:
        stage.sweep(later=GRACE_SECONDS + 1)
    if healer == "repeat" or (call, moment) == ("CreateEndpoint", "after"):
        assert stage.rest() == ["scaling set up"]
        assert stage.scaling.stands == {NAME: standing()}
        assert {len(made) for made in stage.sagemaker.parts_made.values()} == {1}
    else:
        assert stage.nothing_left()


def test_parts_are_left_alone_while_somebody_may_be_making_the_endpoint(stage: Stage) -> None:
    stage.sagemaker.refuses_to_make = Killed()
    with pytest.raises(Killed):
        stage.fleet.create("alice", ANIME)
    assert stage.sweep(later=GRACE_SECONDS - 1).leftovers == 0
    assert not stage.nothing_left()


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(
    "call",
    ["RegisterScalableTarget", "PutScalingPolicy tracking", "PutScalingPolicy waking", "PutMetricAlarm"],
)
def test_scaling_that_fails_twice_ends_registered_all_the_same(stage: Stage, call: str, moment: str) -> None:
    failures = iter([True, True])

    def fail(name: str) -> None:
        if name == call and next(failures, False):
            raise Busy("aws_busy", "busy")

    if moment == "before":
        stage.scaling.on_call = fail
    else:
        stage.scaling.after_call = fail
    stage.fleet.create("alice", ANIME)
    (name,) = stage.sagemaker.settle()
    for _ in range(2):
        with pytest.raises(Busy):
            stage.fleet.reconcile(name)
    # Its event comes a third time, or never again and the sweeper comes by: both bring it to stand.
    stage.sweep()
    assert stage.scaling.stands == {NAME: standing()}
    assert stage.sweep().scaling_set_up == 0


def test_scaling_that_somebody_took_away_or_changed_is_put_back(stage: Stage) -> None:
    stage.fleet.create("alice", ANIME)
    stage.rest()
    broken: list[ScalingState | None] = [
        None,
        ScalingState(Bounds(0, 1), tracking=True, waking=True),
        ScalingState(Bounds(0, 1), tracking=True, alarm=True),
        standing(1, 4),
    ]
    for stands in broken:
        stage.scaling.stands = {NAME: stands} if stands else {}
        assert stage.sweep().scaling_set_up == 1
        assert stage.scaling.stands == {NAME: standing()}


def test_new_bounds_are_kept_and_registered(stage: Stage) -> None:
    stage.fleet.create("alice", ANIME)
    # Application Auto Scaling would not take it yet, so only what is wanted is kept.
    stage.fleet.scale("anime", EndpointPatch(max_instances=3))
    assert stage.scaling.stands == {}
    stage.rest()
    assert stage.scaling.stands == {NAME: standing(0, 3)}
    stage.fleet.scale(NAME, EndpointPatch(min_instances=1))
    assert stage.scaling.stands == {NAME: standing(1, 3)}


def test_a_scale_that_is_killed_after_the_tags_is_finished_by_the_sweeper(stage: Stage) -> None:
    stage.fleet.create("alice", ANIME)
    stage.rest()

    def kill(name: str) -> None:
        raise Killed

    stage.scaling.on_call = kill
    with pytest.raises(Killed):
        stage.fleet.scale("anime", EndpointPatch(min_instances=1))
    stage.scaling.on_call = lambda name: None
    assert stage.sweep().scaling_set_up == 1
    assert stage.scaling.stands == {NAME: standing(1, 1)}


def test_bounds_that_make_no_sense_and_endpoints_that_are_not_there_are_refused(stage: Stage) -> None:
    crossed = EndpointIn(name="a", min_instances=2, max_instances=1)
    assert refusal(lambda: stage.fleet.create("alice", crossed)) == "bounds_not_valid"
    assert refusal(lambda: stage.fleet.scale("anime", EndpointPatch())) == "endpoint_not_found"
    stage.fleet.create("alice", ANIME)
    assert refusal(lambda: stage.fleet.scale("anime", EndpointPatch(min_instances=2))) == "bounds_not_valid"
    stage.sagemaker.move(NAME, "Failed")
    assert refusal(lambda: stage.fleet.scale("anime", EndpointPatch(min_instances=1))) == "endpoint_failed"
    long = EndpointIn(name="a" * (MAX_NAME - len(PREFIX)))
    assert refusal(lambda: stage.fleet.create("alice", long)) == "endpoint_name_too_long"


def test_without_a_container_there_is_no_endpoint(stage: Stage) -> None:
    endpoints = Endpoints(stage.sagemaker, stage.scaling, stage.jobs, PREFIX)
    parts = (endpoints, stage.sagemaker, stage.sagemaker, stage.scaling, stage.jobs)
    assert refusal(lambda: Fleet(*parts, "test", "ml.g5.xlarge", None).create("alice", ANIME)) == "image_missing"


@pytest.mark.parametrize("refused", [Conflict("quota_exceeded", "no"), Invalid("endpoint_not_possible", "no")])
def test_what_sagemaker_refuses_for_good_leaves_nothing(stage: Stage, refused: DarkroomError) -> None:
    stage.sagemaker.refuses_to_make = refused
    assert refusal(lambda: stage.fleet.create("alice", ANIME)) == refused.code
    assert stage.nothing_left()


def test_one_that_is_being_made_goes_as_soon_as_it_can(stage: Stage) -> None:
    stage.fleet.create("alice", ANIME)
    assert stage.fleet.delete("anime") is False
    assert refusal(lambda: stage.fleet.create("alice", ANIME)) == "endpoint_is_going"
    assert stage.rest() == ["deleted"]
    assert stage.rest() == ["cleared"]
    assert stage.nothing_left()


def test_one_that_was_to_go_and_whose_event_was_lost_is_deleted_by_the_sweeper(stage: Stage) -> None:
    stage.fleet.create("alice", ANIME)
    stage.fleet.delete("anime")
    stage.sagemaker.settle()
    assert stage.sweep().deleted == 1
    stage.sagemaker.settle()
    assert stage.nothing_left()


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("call", ["AddTags", "DeleteAlarms", "DeleteEndpoint", "DeleteEndpointConfig", "DeleteModel"])
@pytest.mark.parametrize("healer", ["repeat", "sweep"])
def test_a_deletion_that_is_killed_is_finished(stage: Stage, call: str, moment: str, healer: str) -> None:
    stage.fleet.create("alice", ANIME)
    stage.rest()

    def kill(name: str) -> None:
        if name == call:
            raise Killed

    for fake in (stage.sagemaker, stage.scaling):
        setattr(fake, "on_call" if moment == "before" else "after_call", kill)
    with pytest.raises(Killed):
        stage.fleet.delete("anime")
    for fake in (stage.sagemaker, stage.scaling):
        fake.on_call = fake.after_call = lambda name: None
    if healer == "repeat":
        stage.fleet.delete("anime")
    elif (call, moment) == ("AddTags", "before"):
        # Nothing had been done, so nobody knows that it was to go; whoever asked heard of it.
        stage.sweep(later=GRACE_SECONDS + 1)
        assert stage.statuses() == {NAME: "InService"}
        assert stage.scaling.stands == {NAME: standing()}
        return
    else:
        stage.sweep(later=GRACE_SECONDS + 1)
    stage.sagemaker.settle()
    stage.sweep(later=GRACE_SECONDS + 1)
    assert stage.nothing_left()


def test_deleting_what_is_gone_is_fine_and_takes_away_what_was_left(stage: Stage) -> None:
    assert stage.fleet.delete("anime") is True
    stage.fleet.create("alice", ANIME)
    stage.rest()
    stage.sagemaker.endpoints = []
    assert stage.fleet.delete("anime") is True
    assert stage.nothing_left()


def test_events_that_come_early_late_or_for_others_change_nothing(stage: Stage) -> None:
    stage.fleet.create("alice", ANIME)
    assert stage.fleet.reconcile(NAME) == "waiting"
    stage.rest()
    stage.fleet.reconcile(NAME)
    assert stage.scaling.stands == {NAME: standing()}
    assert stage.fleet.reconcile("darkroom-other-anime") == "not of this stage"


def test_what_others_made_is_left_alone(stage: Stage) -> None:
    stage.sagemaker.endpoints = [endpoint(f"{PREFIX}by-hand")]
    names = {f"{PREFIX}of-somebody": 0.0, f"{PREFIX}sdxl-20260105": 0.0}
    stage.sagemaker.parts_made["model"] |= names
    stage.sweep(later=10 * GRACE_SECONDS)
    assert stage.fleet.reconcile(f"{PREFIX}by-hand") == "left alone"
    assert refusal(lambda: stage.fleet.scale("by-hand", EndpointPatch(min_instances=1))) == "endpoint_not_ours"
    stage.fleet.delete("by-hand")
    assert stage.sagemaker.parts_made["model"] == names
    assert stage.scaling.stands == {}


def test_parts_tell_whose_they_are() -> None:
    assert endpoint_of("darkroom-test-anime-0123abcd") == NAME
    assert endpoint_of("darkroom-test-anime") is None


def test_an_event_of_the_old_one_leaves_alone_what_a_new_request_is_making(stage: Stage) -> None:
    """`delete x` and then `create x`: the event that the old one is gone comes in the middle."""

    def event(call: str) -> None:
        if call in ("CreateModel", "CreateEndpointConfig", "CreateEndpoint"):
            stage.fleet.reconcile(NAME)

    stage.sagemaker.after_call = event
    assert stage.fleet.create("alice", ANIME) == (NAME, True)
    stage.sagemaker.after_call = lambda name: None
    assert {len(made) for made in stage.sagemaker.parts_made.values()} == {1}


def test_of_two_requests_for_one_name_at_once_one_is_refused_and_leaves_nothing(stage: Stage) -> None:
    other = EndpointIn(name="anime", instance_type="ml.p3.2xlarge", max_instances=4)

    def overtake(call: str) -> None:
        if call == "CreateEndpoint":
            stage.sagemaker.on_call = lambda name: None
            assert stage.fleet.create("bob", other) == (NAME, True)

    stage.sagemaker.on_call = overtake
    assert refusal(lambda: stage.fleet.create("alice", ANIME)) == "endpoint_exists"
    assert {len(made) for made in stage.sagemaker.parts_made.values()} == {1}
    assert stage.fleet.create("bob", other) == (NAME, False)


def test_parts_of_a_request_that_lost_and_was_killed_are_swept_up(stage: Stage) -> None:
    stage.sagemaker.refuses_to_make = Killed()
    with pytest.raises(Killed):
        stage.fleet.create("alice", EndpointIn(name="anime", jobs_at_once=2))
    stage.sagemaker.refuses_to_make = None
    stage.fleet.create("alice", ANIME)
    stage.rest()
    assert stage.sweep(later=GRACE_SECONDS + 1).leftovers == 2
    assert {len(made) for made in stage.sagemaker.parts_made.values()} == {1}
    assert stage.sweep().leftovers == 0


def test_the_same_request_finds_its_endpoint_after_the_bounds_were_changed(stage: Stage) -> None:
    stage.fleet.create("alice", ANIME)
    stage.rest()
    stage.fleet.scale("anime", EndpointPatch(max_instances=3))
    assert stage.fleet.create("alice", ANIME) == (NAME, False)


def test_the_jobs_of_a_failed_endpoint_fail_with_its_reason(stage: Stage) -> None:
    stage.fleet.create("alice", ANIME)
    stage.rest()
    stage.sagemaker.move(NAME, "Failed")
    stage.fleet.reconcile(NAME)
    stage.sweep()
    assert stage.jobs.failed == [(NAME, "endpoint_failed")] * 2


def test_the_jobs_of_one_that_is_to_go_fail_at_once(stage: Stage) -> None:
    stage.fleet.create("alice", ANIME)
    stage.rest()
    stage.sagemaker.move(NAME, "Updating")
    assert stage.fleet.delete("anime") is False
    assert stage.jobs.failed == [(NAME, "endpoint_deleted")]


@pytest.mark.parametrize("name", ["my_endpoint", "a b", "a" * 60, "a.b", "ä"])
def test_what_nothing_can_be_called_is_not_there(stage: Stage, name: str) -> None:
    assert stage.fleet.delete(name) is True
    assert refusal(lambda: stage.fleet.scale(name, EndpointPatch())) == "endpoint_not_found"


def test_a_leftover_that_cannot_be_removed_is_named_and_does_not_keep_the_others_waiting(stage: Stage) -> None:
    for name in ("a", "b"):
        stage.sagemaker.refuses_to_make = Killed()
        with pytest.raises(Killed):
            stage.fleet.create("alice", EndpointIn(name=name))
    failures = iter([True])

    def fail(call: str) -> None:
        if call == "DeleteEndpointConfig" and next(failures, False):
            raise Busy("aws_busy", "busy")

    stage.sagemaker.on_call = fail
    swept = stage.sweep(later=GRACE_SECONDS + 1)
    assert (swept.leftovers, swept.broken) == (1, (f"{PREFIX}a: aws_busy",))
    stage.sweep()
    assert stage.nothing_left()


class TestIdleGuard:
    """An endpoint that never sleeps, and that nobody uses."""

    @pytest.fixture
    def awake(self, stage: Stage) -> Stage:
        """Made at the beginning of 2026; it is now 24 hours later."""
        stage.fleet.create("alice", EndpointIn(name="anime", min_instances=1, max_instances=2))
        stage.rest()
        stage.sagemaker.now = 1_767_225_600.0 + 24 * HOUR
        return stage

    def test_it_is_reported(self, awake: Stage) -> None:
        assert awake.sweep().idle == (NAME,)
        assert awake.scaling.stands == {NAME: standing(1, 2)}

    def test_it_is_put_to_sleep_where_the_setting_says_so(self, awake: Stage) -> None:
        awake.guard = Guard(12, True)
        swept = awake.sweep()
        assert (swept.idle, swept.put_to_sleep) == ((NAME,), 1)
        assert awake.scaling.stands == {NAME: standing(0, 2)}
        assert awake.sweep() == EndpointsSwept(endpoints=1)

    def test_one_that_had_a_job_lately_or_has_one_now_is_not_idle(self, awake: Stage) -> None:
        awake.jobs.newest = {NAME: awake.sagemaker.now - 11 * HOUR}
        assert awake.sweep().idle == ()
        awake.jobs.newest = {NAME: awake.sagemaker.now - 13 * HOUR}
        assert awake.sweep().idle == (NAME,)
        awake.jobs.counts = {NAME: 1}
        assert awake.sweep().idle == ()

    def test_one_that_was_just_told_to_stay_awake_is_not_idle(self, awake: Stage) -> None:
        awake.guard = Guard(12, True)
        awake.fleet.scale("anime", EndpointPatch(min_instances=2))
        awake.sagemaker.details[NAME].instances = 2
        assert awake.sweep().idle == ()
        assert awake.sweep(later=13 * HOUR).idle == (NAME,)

    def test_one_that_others_made_is_reported_and_left_to_them(self, awake: Stage) -> None:
        awake.guard = Guard(12, True)
        awake.sagemaker.endpoints = [endpoint(f"{PREFIX}by-hand")]
        swept = awake.sweep()
        assert (swept.idle, swept.put_to_sleep) == ((f"{PREFIX}by-hand",), 0)

    def test_a_new_one_is_not_idle(self, awake: Stage) -> None:
        awake.sagemaker.now -= 23 * HOUR
        assert awake.sweep().idle == ()

    def test_one_that_may_sleep_is_not_reported(self, awake: Stage) -> None:
        awake.fleet.scale("anime", EndpointPatch(min_instances=0))
        assert awake.sweep().idle == ()


def test_one_endpoint_that_cannot_be_seen_to_does_not_keep_the_others_waiting(stage: Stage) -> None:
    for name in ("a", "b", "c"):
        stage.fleet.create("alice", EndpointIn(name=name))
    stage.sagemaker.settle()
    failures = iter([True])

    def fail(name: str) -> None:
        if next(failures, False):
            raise Busy("aws_busy", "busy")

    stage.scaling.after_call = fail
    assert len(stage.sweep().broken) == 1
    assert sum(stands.complete for stands in stage.scaling.stands.values()) == 2
    assert stage.sweep().scaling_set_up == 1


def test_a_round_ends_in_time_and_the_next_one_goes_on(stage: Stage) -> None:
    stage.fleet.create("alice", ANIME)
    stage.sagemaker.settle()
    assert stage.sweep(left=lambda: 1.0) == EndpointsSwept(endpoints=1)
    assert stage.sweep().scaling_set_up == 1
