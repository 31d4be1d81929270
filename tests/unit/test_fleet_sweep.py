"""The sweeper finishes what broke off at an endpoint, removes leftovers, and reports endpoints that nobody uses."""

import pytest

from darkroom.endpoints.api import EndpointIn, EndpointPatch
from darkroom.endpoints.fleet import GRACE_SECONDS
from darkroom.endpoints.model import Bounds, ScalingState
from darkroom.endpoints.sweep import EndpointsSwept, Guard
from darkroom.errors import Busy
from tests.support.sagemaker import endpoint
from tests.unit.fleet_stage import ANIME, NAME, PREFIX, Killed, Stage, complete_scaling, refusal

HOUR = 3600.0


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_parts_are_not_removed_while_their_endpoint_may_still_be_created(stage: Stage) -> None:
    stage.sagemaker.refuses_to_make = Killed()
    with pytest.raises(Killed):
        stage.fleet.create("alice", ANIME)
    assert stage.sweep(later=GRACE_SECONDS - 1).leftovers == 0
    assert not stage.is_empty()


def test_scaling_that_somebody_removed_or_changed_is_restored(stage: Stage) -> None:
    stage.fleet.create("alice", ANIME)
    stage.finish_changes()
    broken: list[ScalingState | None] = [
        None,
        ScalingState(Bounds(0, 1), growing=True, waking=True),
        ScalingState(Bounds(0, 1), growing=True, alarm=True),
        complete_scaling(1, 4),
    ]
    for state in broken:
        stage.scaling.stands = {NAME: state} if state else {}
        assert stage.sweep().scaling_set_up == 1
        assert stage.scaling.stands == {NAME: complete_scaling()}


def test_a_scale_that_is_killed_after_the_tags_is_finished_by_the_sweeper(stage: Stage) -> None:
    stage.fleet.create("alice", ANIME)
    stage.finish_changes()

    def kill(name: str) -> None:
        raise Killed

    stage.scaling.on_call = kill
    with pytest.raises(Killed):
        stage.fleet.scale("anime", EndpointPatch(min_instances=1))
    stage.scaling.on_call = lambda name: None
    assert stage.sweep().scaling_set_up == 1
    assert stage.scaling.stands == {NAME: complete_scaling(1, 1)}


def test_a_deletion_whose_event_was_lost_is_finished_by_the_sweeper(stage: Stage) -> None:
    stage.fleet.create("alice", ANIME)
    stage.fleet.delete("anime")
    stage.sagemaker.settle()
    assert stage.sweep().deleted == 1
    stage.sagemaker.settle()
    assert stage.is_empty()


def test_endpoints_and_models_of_others_are_not_changed(stage: Stage) -> None:
    stage.sagemaker.endpoints = [endpoint(f"{PREFIX}by-hand")]
    names = {f"{PREFIX}other": 0.0, f"{PREFIX}sdxl-20260105": 0.0}
    stage.sagemaker.parts_made["model"] |= names
    stage.sweep(later=10 * GRACE_SECONDS)
    assert stage.fleet.reconcile(f"{PREFIX}by-hand") == "left alone"
    assert refusal(lambda: stage.fleet.scale("by-hand", EndpointPatch(min_instances=1))) == "endpoint_not_ours"
    stage.fleet.delete("by-hand")
    assert stage.sagemaker.parts_made["model"] == names
    assert stage.scaling.stands == {}


def test_parts_of_a_killed_request_for_a_taken_name_are_removed(stage: Stage) -> None:
    stage.sagemaker.refuses_to_make = Killed()
    with pytest.raises(Killed):
        stage.fleet.create("alice", EndpointIn(name="anime", jobs_at_once=2))
    stage.sagemaker.refuses_to_make = None
    stage.fleet.create("alice", ANIME)
    stage.finish_changes()
    assert stage.sweep(later=GRACE_SECONDS + 1).leftovers == 2
    assert stage.parts() == [1, 1]
    assert stage.sweep().leftovers == 0


def test_a_leftover_that_cannot_be_removed_is_reported_and_the_others_are_removed(stage: Stage) -> None:
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
    assert stage.is_empty()


class TestIdleGuard:
    """An endpoint that never sleeps although nobody uses it."""

    @pytest.fixture
    def awake(self, stage: Stage) -> Stage:
        """An endpoint that was created 24 hours ago and has at least one instance."""
        stage.fleet.create("alice", EndpointIn(name="anime", min_instances=1, max_instances=2))
        stage.finish_changes()
        stage.sagemaker.now = 1_767_225_600.0 + 24 * HOUR
        return stage

    def test_it_is_reported(self, awake: Stage) -> None:
        assert awake.sweep().idle == (NAME,)
        assert awake.scaling.stands == {NAME: complete_scaling(1, 2)}

    def test_it_is_put_to_sleep_where_the_setting_says_so(self, awake: Stage) -> None:
        awake.guard = Guard(12, True)
        swept = awake.sweep()
        assert (swept.idle, swept.put_to_sleep) == ((NAME,), 1)
        assert awake.scaling.stands == {NAME: complete_scaling(0, 2)}
        assert awake.sweep() == EndpointsSwept(endpoints=1)

    def test_an_endpoint_with_a_recent_or_an_open_job_is_not_idle(self, awake: Stage) -> None:
        awake.jobs.newest = {NAME: awake.sagemaker.now - 11 * HOUR}
        assert awake.sweep().idle == ()
        awake.jobs.newest = {NAME: awake.sagemaker.now - 13 * HOUR}
        assert awake.sweep().idle == (NAME,)
        awake.jobs.counts = {NAME: 1}
        assert awake.sweep().idle == ()

    def test_an_endpoint_whose_minimum_was_just_raised_is_not_idle(self, awake: Stage) -> None:
        awake.guard = Guard(12, True)
        awake.fleet.scale("anime", EndpointPatch(min_instances=2))
        awake.sagemaker.details[NAME].instances = 2
        assert awake.sweep().idle == ()
        assert awake.sweep(later=13 * HOUR).idle == (NAME,)

    def test_an_endpoint_of_others_is_reported_and_not_changed(self, awake: Stage) -> None:
        awake.guard = Guard(12, True)
        awake.sagemaker.endpoints = [endpoint(f"{PREFIX}by-hand")]
        swept = awake.sweep()
        assert (swept.idle, swept.put_to_sleep) == ((f"{PREFIX}by-hand",), 0)

    def test_a_new_endpoint_is_not_idle(self, awake: Stage) -> None:
        awake.sagemaker.now -= 23 * HOUR
        assert awake.sweep().idle == ()

    def test_an_endpoint_that_may_sleep_is_not_reported(self, awake: Stage) -> None:
        awake.fleet.scale("anime", EndpointPatch(min_instances=0))
        assert awake.sweep().idle == ()


def test_an_error_with_one_endpoint_does_not_stop_the_round(stage: Stage) -> None:
    for name in ("a", "b", "c"):
        stage.fleet.create("alice", EndpointIn(name=name))
    stage.sagemaker.settle()
    failures = iter([True])

    def fail(name: str) -> None:
        if next(failures, False):
            raise Busy("aws_busy", "busy")

    stage.scaling.after_call = fail
    assert len(stage.sweep().broken) == 1
    assert sum(state.fits(Bounds(0, 1)) for state in stage.scaling.stands.values()) == 2
    assert stage.sweep().scaling_set_up == 1


def test_a_round_without_time_left_stops_and_the_next_round_goes_on(stage: Stage) -> None:
    stage.fleet.create("alice", ANIME)
    stage.sagemaker.settle()
    assert stage.sweep(left=lambda: 1.0) == EndpointsSwept(endpoints=1)
    assert stage.sweep().scaling_set_up == 1
