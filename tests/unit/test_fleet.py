"""Endpoints are created, scaled and deleted, also where a function is killed in the middle."""

import pytest

from darkroom.endpoints.api import EndpointIn, EndpointPatch
from darkroom.endpoints.containers import StageWorker
from darkroom.endpoints.fleet import GRACE_SECONDS, Fleet
from darkroom.endpoints.service import Endpoints
from darkroom.endpoints.spec import MAX_NAME, endpoint_of
from darkroom.errors import Busy, Conflict, DarkroomError, Invalid
from tests.unit.fleet_stage import ANIME, NAME, PREFIX, Killed, Stage, complete_scaling, refusal


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_an_endpoint_is_created_scaled_and_deleted(stage: Stage) -> None:
    assert stage.fleet.create("alice", ANIME) == (NAME, True)
    assert stage.sagemaker.tagged[NAME] == {
        "darkroom:stage": "test",
        "darkroom:owner": "alice",
        "darkroom:asked": "0-1",
        "darkroom:jobs-at-once": "1",
        "darkroom:min": "0",
        "darkroom:max": "1",
    }
    assert stage.scaling.stands == {}
    assert stage.finish_changes() == ["scaling set up"]
    assert stage.scaling.stands == {NAME: complete_scaling()}
    stage.jobs.counts = {NAME: 2}
    assert stage.fleet.delete("anime") is True
    assert set(stage.jobs.failed) == {(NAME, "endpoint_deleted")}
    assert stage.finish_changes() == ["cleared"]
    assert stage.is_empty()


def test_the_same_request_again_returns_the_same_endpoint(stage: Stage) -> None:
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
@pytest.mark.parametrize("repaired_by", ["repeat", "sweep"])
def test_a_killed_creation_is_finished_or_cleaned_up(stage: Stage, call: str, moment: str, repaired_by: str) -> None:
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
    if repaired_by == "repeat":
        stage.fleet.create("alice", ANIME)
    else:
        stage.sweep(later=GRACE_SECONDS + 1)
    if repaired_by == "repeat" or (call, moment) == ("CreateEndpoint", "after"):
        assert stage.finish_changes() == ["scaling set up"]
        assert stage.scaling.stands == {NAME: complete_scaling()}
        assert stage.parts() == [1, 1]
    else:
        assert stage.is_empty()


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(
    "call",
    ["RegisterScalableTarget", "PutScalingPolicy tracking", "PutScalingPolicy waking", "PutMetricAlarm"],
)
def test_scaling_that_fails_twice_is_completed_by_the_sweeper(stage: Stage, call: str, moment: str) -> None:
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
    # Whether its event arrives a third time or never again: the sweeper completes it.
    stage.sweep()
    assert stage.scaling.stands == {NAME: complete_scaling()}
    assert stage.sweep().scaling_set_up == 0


def test_new_bounds_are_stored_and_registered(stage: Stage) -> None:
    stage.fleet.create("alice", ANIME)
    # Application Auto Scaling takes no endpoint in creation, so the bounds are only stored.
    stage.fleet.scale("anime", EndpointPatch(max_instances=3))
    assert stage.scaling.stands == {}
    stage.finish_changes()
    assert stage.scaling.stands == {NAME: complete_scaling(0, 3)}
    stage.fleet.scale(NAME, EndpointPatch(min_instances=1))
    assert stage.scaling.stands == {NAME: complete_scaling(1, 3)}


def test_invalid_bounds_and_unknown_endpoints_are_refused(stage: Stage) -> None:
    crossed = EndpointIn(name="a", min_instances=2, max_instances=1)
    assert refusal(lambda: stage.fleet.create("alice", crossed)) == "bounds_not_valid"
    assert refusal(lambda: stage.fleet.scale("anime", EndpointPatch())) == "endpoint_not_found"
    stage.fleet.create("alice", ANIME)
    assert refusal(lambda: stage.fleet.scale("anime", EndpointPatch(min_instances=2))) == "bounds_not_valid"
    stage.sagemaker.move(NAME, "Failed")
    assert refusal(lambda: stage.fleet.scale("anime", EndpointPatch(min_instances=1))) == "endpoint_failed"
    long = EndpointIn(name="a" * (MAX_NAME - len(PREFIX)))
    assert refusal(lambda: stage.fleet.create("alice", long)) == "endpoint_name_too_long"


def test_without_a_container_image_no_endpoint_is_created(stage: Stage) -> None:
    endpoints = Endpoints(stage.sagemaker, stage.scaling, stage.jobs, PREFIX)
    parts = (endpoints, stage.sagemaker, stage.sagemaker, stage.scaling, stage.jobs)
    assert (
        refusal(lambda: Fleet(*parts, "test", lambda: StageWorker("ml.g5.xlarge")).create("alice", ANIME))
        == "image_missing"
    )


@pytest.mark.parametrize("refused", [Conflict("quota_exceeded", "no"), Invalid("endpoint_not_possible", "no")])
def test_a_creation_that_sagemaker_refuses_leaves_nothing(stage: Stage, refused: DarkroomError) -> None:
    stage.sagemaker.refuses_to_make = refused
    assert refusal(lambda: stage.fleet.create("alice", ANIME)) == refused.code
    assert stage.is_empty()


def test_an_endpoint_in_creation_is_deleted_as_soon_as_possible(stage: Stage) -> None:
    stage.fleet.create("alice", ANIME)
    assert stage.fleet.delete("anime") is False
    assert refusal(lambda: stage.fleet.create("alice", ANIME)) == "endpoint_is_going"
    assert stage.finish_changes() == ["deleted"]
    assert stage.finish_changes() == ["cleared"]
    assert stage.is_empty()


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("call", ["AddTags", "DeleteAlarms", "DeleteEndpoint", "DeleteEndpointConfig", "DeleteModel"])
@pytest.mark.parametrize("repaired_by", ["repeat", "sweep"])
def test_a_deletion_that_is_killed_is_finished(stage: Stage, call: str, moment: str, repaired_by: str) -> None:
    stage.fleet.create("alice", ANIME)
    stage.finish_changes()

    def kill(name: str) -> None:
        if name == call:
            raise Killed

    for fake in (stage.sagemaker, stage.scaling):
        setattr(fake, "on_call" if moment == "before" else "after_call", kill)
    with pytest.raises(Killed):
        stage.fleet.delete("anime")
    for fake in (stage.sagemaker, stage.scaling):
        fake.on_call = fake.after_call = lambda name: None
    if repaired_by == "repeat":
        stage.fleet.delete("anime")
    elif (call, moment) == ("AddTags", "before"):
        # Nothing was done yet, so nothing says that it should be deleted; the caller got an error.
        stage.sweep(later=GRACE_SECONDS + 1)
        assert stage.statuses() == {NAME: "InService"}
        assert stage.scaling.stands == {NAME: complete_scaling()}
        return
    else:
        stage.sweep(later=GRACE_SECONDS + 1)
    stage.sagemaker.settle()
    stage.sweep(later=GRACE_SECONDS + 1)
    assert stage.is_empty()


def test_deleting_a_deleted_endpoint_removes_its_leftovers(stage: Stage) -> None:
    assert stage.fleet.delete("anime") is True
    stage.fleet.create("alice", ANIME)
    stage.finish_changes()
    stage.sagemaker.endpoints = []
    assert stage.fleet.delete("anime") is True
    assert stage.is_empty()


def test_events_that_are_early_late_or_of_another_stage_change_nothing(stage: Stage) -> None:
    stage.fleet.create("alice", ANIME)
    assert stage.fleet.reconcile(NAME) == "waiting"
    stage.finish_changes()
    stage.fleet.reconcile(NAME)
    assert stage.scaling.stands == {NAME: complete_scaling()}
    assert stage.fleet.reconcile("darkroom-other-anime") == "not of this stage"


def test_the_name_of_a_part_contains_the_name_of_its_endpoint() -> None:
    assert endpoint_of("darkroom-test-anime-0123abcd") == NAME
    assert endpoint_of("darkroom-test-anime") is None


def test_an_event_of_a_deleted_endpoint_does_not_disturb_its_successor(stage: Stage) -> None:
    """`delete x` and then `create x`: the event that the old endpoint is deleted arrives in the middle."""

    def event(call: str) -> None:
        if call in ("CreateModel", "CreateEndpointConfig", "CreateEndpoint"):
            stage.fleet.reconcile(NAME)

    stage.sagemaker.after_call = event
    assert stage.fleet.create("alice", ANIME) == (NAME, True)
    stage.sagemaker.after_call = lambda name: None
    assert stage.parts() == [1, 1]


def test_of_two_simultaneous_requests_for_one_name_one_is_refused_and_leaves_nothing(stage: Stage) -> None:
    other = EndpointIn(name="anime", instance_type="ml.p3.2xlarge", max_instances=4)

    def overtake(call: str) -> None:
        if call == "CreateEndpoint":
            stage.sagemaker.on_call = lambda name: None
            assert stage.fleet.create("bob", other) == (NAME, True)

    stage.sagemaker.on_call = overtake
    assert refusal(lambda: stage.fleet.create("alice", ANIME)) == "endpoint_exists"
    assert stage.parts() == [1, 1]
    assert stage.fleet.create("bob", other) == (NAME, False)


def test_the_same_request_finds_its_endpoint_after_the_bounds_were_changed(stage: Stage) -> None:
    stage.fleet.create("alice", ANIME)
    stage.finish_changes()
    stage.fleet.scale("anime", EndpointPatch(max_instances=3))
    assert stage.fleet.create("alice", ANIME) == (NAME, False)


def test_the_jobs_of_a_failed_endpoint_fail_with_its_reason(stage: Stage) -> None:
    stage.fleet.create("alice", ANIME)
    stage.finish_changes()
    stage.sagemaker.move(NAME, "Failed")
    stage.fleet.reconcile(NAME)
    stage.sweep()
    assert stage.jobs.failed == [(NAME, "endpoint_failed")] * 2


def test_the_jobs_of_an_endpoint_that_will_be_deleted_fail_at_once(stage: Stage) -> None:
    stage.fleet.create("alice", ANIME)
    stage.finish_changes()
    stage.sagemaker.move(NAME, "Updating")
    assert stage.fleet.delete("anime") is False
    assert stage.jobs.failed == [(NAME, "endpoint_deleted")]


@pytest.mark.parametrize("name", ["my_endpoint", "a b", "a" * 60, "a.b", "ä"])
def test_an_invalid_name_is_the_name_of_no_endpoint(stage: Stage, name: str) -> None:
    assert stage.fleet.delete(name) is True
    assert refusal(lambda: stage.fleet.scale(name, EndpointPatch())) == "endpoint_not_found"
