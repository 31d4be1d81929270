"""Endpoints are created, scaled and deleted through the real adapters, against the simulator. The tests are those of
`tests/unit/test_fleet.py`, with a function that is killed between any two real calls."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest

from darkroom.aws.endpoints import EndpointDefaults, SageMakerControl, SageMakerEndpoints
from darkroom.aws.scaling import AutoScaling
from darkroom.aws.waking import ByCount
from darkroom.endpoints.api import EndpointIn, EndpointPatch
from darkroom.endpoints.containers import StageWorker
from darkroom.endpoints.fleet import GRACE_SECONDS, Fleet
from darkroom.endpoints.model import Bounds, EndpointTags, Machine, ScalingState
from darkroom.endpoints.ports import PART_KINDS
from darkroom.endpoints.service import Endpoints
from darkroom.endpoints.sweep import EndpointsSwept, EndpointSweep, Guard
from darkroom.errors import Conflict, DarkroomError
from tests.contract.stage import MINUTE, Stage
from tests.support.sagemaker import FakeOpenJobs

COMPLETE = ScalingState(Bounds(0, 1), growing=True, waking=True, alarm=True)
IDLE = 10 * MINUTE
ANIME = EndpointIn(name="anime")


class Killed(BaseException):
    """The function ended in the middle, as by a time-out."""


@dataclass
class DarkroomStage:
    """A stage of Darkroom with a prefix of its own, on the simulator that all tests share."""

    stage: Stage
    prefix: str = field(default_factory=lambda: f"darkroom-{uuid4().hex[:8]}-")
    jobs: FakeOpenJobs = field(default_factory=FakeOpenJobs)
    worker: StageWorker = field(default_factory=lambda: StageWorker("ml.g5.xlarge", "worker:1"))

    def __post_init__(self) -> None:
        self.source = SageMakerEndpoints(self.stage.sagemaker, self.prefix)
        role, topic = "arn:aws:iam::000000000000:role/worker", "arn:aws:sns:us-east-1:000000000000:r"
        defaults = EndpointDefaults(role, "pictures", topic, "weights_only", "s3://models/compiled/")
        self.control = SageMakerControl(self.stage.sagemaker, self.source, defaults)
        self.scaling = AutoScaling(self.stage.autoscaling, self.stage.cloudwatch, self.prefix)

    @property
    def name(self) -> str:
        return f"{self.prefix}anime"

    @property
    def fleet(self) -> Fleet:
        """A new one, as a function has it after a cold start."""
        return self.fleet_at(self.stage.now)

    def fleet_at(self, clock: Callable[[], float]) -> Fleet:
        """The same with another clock."""
        endpoints = Endpoints(self.source, self.scaling, self.jobs, self.prefix)
        parts = (endpoints, self.source, self.control, self.scaling, self.jobs)
        return Fleet(*parts, "test", lambda: self.worker, clock)

    def sweep(self) -> EndpointsSwept:
        """One round of the sweeper, after the grace period."""
        later = lambda: self.stage.now() + GRACE_SECONDS + 60  # noqa: E731
        parts = (self.fleet_at(later), self.source, self.control, self.scaling, self.jobs, Guard(12, False))
        return EndpointSweep(*parts, clock=later).run(lambda: 100.0)

    def status(self) -> str | None:
        described = self.source.describe(self.name)
        return described.endpoint.status if described else None

    def turn_until_in_service(self) -> None:
        self.stage.turn()
        assert self.status() == "InService"

    def turn_until_deleted(self) -> None:
        self.stage.turn()
        assert self.status() is None

    def resources(self) -> list[str]:
        """The names of all endpoints, models, configurations and scalable targets of this stage."""
        parts = [part.name for kind in PART_KINDS for part in self.source.parts(kind)]
        return [*(found.name for found in self.source.all()), *parts, *self.scaling.states()]

    @contextmanager
    def killed_at(self, number: int, moment: str) -> Iterator[list[str]]:
        """Raise Killed `before` or `after` the `number`th call that changes something. Yields the list of these calls,
        which grows while the block runs."""
        calls: list[str] = []
        hook = "before-call" if moment == "before" else "after-call"

        def count(model: Any, **_: object) -> None:
            if model.name.startswith(("List", "Describe")):
                return
            calls.append(model.name)
            if len(calls) == number:
                raise Killed

        clients: list[Any] = [self.stage.sagemaker, self.stage.autoscaling, self.stage.cloudwatch]
        for client in clients:
            client.meta.events.register(hook, count)
        try:
            yield calls
        finally:
            for client in clients:
                client.meta.events.unregister(hook, count)


@pytest.fixture
def darkroom(sagemaker_stage: Stage) -> DarkroomStage:
    sagemaker_stage.knobs(waking_seconds=MINUTE, idle_seconds=IDLE)
    return DarkroomStage(sagemaker_stage)


def test_an_endpoint_is_created_scaled_and_deleted(darkroom: DarkroomStage) -> None:
    assert darkroom.fleet.create("alice", ANIME) == (darkroom.name, True)
    assert darkroom.fleet.create("alice", ANIME) == (darkroom.name, False)
    darkroom.turn_until_in_service()
    assert darkroom.fleet.reconcile(darkroom.name) == "scaling set up"
    assert darkroom.scaling.states() == {darkroom.name: COMPLETE}
    described = darkroom.source.describe(darkroom.name)
    assert described
    assert (described.current, described.image, described.failure) == (1, "worker:1", None)
    tags = darkroom.source.endpoint_tags(described)
    assert (tags.instance_type, tags.owner, tags.bounds) == ("ml.g5.xlarge", "alice", Bounds(0, 1))
    darkroom.fleet.scale("anime", EndpointPatch(min_instances=1, max_instances=2))
    assert darkroom.scaling.bounds([darkroom.name]) == {darkroom.name: Bounds(1, 2)}
    darkroom.turn_until_in_service()
    assert darkroom.fleet.delete("anime") is True
    darkroom.turn_until_deleted()
    assert darkroom.fleet.reconcile(darkroom.name) == "cleared"
    assert darkroom.resources() == []
    assert darkroom.fleet.delete("anime") is True


def test_an_endpoint_of_several_types_takes_the_next_one_and_says_how_many_of_each_run(darkroom: DarkroomStage) -> None:
    g5, g4 = "ml.g5.xlarge", "ml.g4dn.xlarge"
    request = EndpointIn(name="anime", instance_types=[g5, g4], jobs_at_once=2)
    darkroom.stage.knobs(waking_seconds=MINUTE, no_capacity=[g5])
    darkroom.fleet.create("alice", request)
    creating = darkroom.source.describe(darkroom.name)
    assert creating
    assert creating.said == f"InsufficientInstanceCapacity: {g5}. Provisioning {g4}."
    assert creating.running == {g5: 0, g4: 0}
    darkroom.turn_until_in_service()
    described = darkroom.source.describe(darkroom.name)
    assert described
    assert (described.running, described.said) == ({g5: 0, g4: 1}, None)
    assert darkroom.source.machine(described.config) == Machine(g5, 2, (g4,))
    assert darkroom.source.endpoint_tags(described).instance_types == (g5, g4)
    # The same request finds it, and its scaling is set up as that of any other.
    assert darkroom.fleet.create("alice", request) == (darkroom.name, False)
    assert darkroom.fleet.reconcile(darkroom.name) == "scaling set up"


CREATING = ["CreateModel", "CreateEndpointConfig", "CreateEndpoint"]


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("number", range(1, len(CREATING) + 1))
@pytest.mark.parametrize("repaired_by", ["repeat", "sweep"])
def test_a_creation_that_is_killed_between_any_two_calls_is_repaired(
    darkroom: DarkroomStage, number: int, moment: str, repaired_by: str
) -> None:
    with darkroom.killed_at(number, moment) as calls, pytest.raises(Killed):
        darkroom.fleet.create("alice", ANIME)
    assert calls == CREATING[:number]
    if repaired_by == "repeat":
        darkroom.fleet.create("alice", ANIME)
    else:
        darkroom.sweep()
    if repaired_by == "repeat" or (number, moment) == (len(CREATING), "after"):
        darkroom.turn_until_in_service()
        assert darkroom.fleet.reconcile(darkroom.name) == "scaling set up"
        assert len(darkroom.resources()) == 4
    else:
        assert darkroom.resources() == []


SETTING_UP = [
    "RegisterScalableTarget",
    "PutScalingPolicy",
    "DeleteScalingPolicy",
    "PutScalingPolicy",
    "PutMetricAlarm",
]


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("number", range(1, len(SETTING_UP) + 1))
def test_a_set_up_that_is_killed_twice_between_any_two_calls_still_ends_registered(
    darkroom: DarkroomStage, number: int, moment: str
) -> None:
    darkroom.fleet.create("alice", ANIME)
    darkroom.turn_until_in_service()
    for _ in range(2):
        with darkroom.killed_at(number, moment) as calls, pytest.raises(Killed):
            darkroom.fleet.reconcile(darkroom.name)
        assert calls == SETTING_UP[:number]
    darkroom.sweep()
    assert darkroom.scaling.states() == {darkroom.name: COMPLETE}
    assert darkroom.sweep().scaling_set_up == 0


DELETING = [
    "AddTags",
    "DeleteScalingPolicy",
    "DeleteScalingPolicy",
    "DeleteScalingPolicy",
    "DeregisterScalableTarget",
    "DeleteAlarms",
    "DeleteEndpoint",
    "DeleteEndpointConfig",
    "DeleteModel",
]


@pytest.mark.parametrize("number", range(1, len(DELETING) + 1))
def test_a_deletion_that_is_killed_after_any_call_is_finished_by_the_sweeper(
    darkroom: DarkroomStage, number: int
) -> None:
    darkroom.fleet.create("alice", ANIME)
    darkroom.turn_until_in_service()
    darkroom.fleet.reconcile(darkroom.name)
    with darkroom.killed_at(number, "after") as calls, pytest.raises(Killed):
        darkroom.fleet.delete("anime")
    assert calls == DELETING[:number]
    darkroom.sweep()
    darkroom.turn_until_deleted()
    darkroom.sweep()
    assert darkroom.resources() == []


def test_an_endpoint_in_creation_is_deleted_as_soon_as_it_is_in_service(darkroom: DarkroomStage) -> None:
    darkroom.fleet.create("alice", ANIME)
    assert darkroom.fleet.delete("anime") is False
    with pytest.raises(Conflict, match="endpoint_is_going"):
        darkroom.fleet.create("alice", ANIME)
    darkroom.turn_until_in_service()
    assert darkroom.fleet.reconcile(darkroom.name) == "deleted"
    darkroom.turn_until_deleted()
    assert darkroom.fleet.reconcile(darkroom.name) == "cleared"
    assert darkroom.resources() == []


def test_a_container_is_told_how_many_jobs_come_side_by_side_and_whether_pickles_do(darkroom: DarkroomStage) -> None:
    darkroom.fleet.create("alice", EndpointIn(name="anime", jobs_at_once=4))
    sagemaker = darkroom.stage.sagemaker
    config = sagemaker.describe_endpoint_config(
        EndpointConfigName=sagemaker.describe_endpoint(EndpointName=darkroom.name)["EndpointConfigName"]
    )
    model = sagemaker.describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
    assert model["PrimaryContainer"]["Environment"] == {
        "DARKROOM_JOBS_AT_ONCE": "4",
        "DARKROOM_PICKLES": "weights_only",
        "DARKROOM_COMPILED": "s3://models/compiled/",
    }


def test_a_refusal_of_sagemaker_is_passed_on_and_leaves_no_resources(darkroom: DarkroomStage) -> None:
    with pytest.raises(DarkroomError) as refused:
        darkroom.fleet.create("alice", EndpointIn(name="anime", instance_type="ml.nothing.xlarge"))
    assert refused.value.code == "endpoint_not_possible"
    assert "ml.nothing.xlarge" in refused.value.detail
    darkroom.sweep()
    assert darkroom.resources() == []


def test_a_model_that_somebody_else_created_under_the_prefix_is_not_deleted(darkroom: DarkroomStage) -> None:
    foreign = f"{darkroom.prefix}sdxl-20260105"
    darkroom.stage.sagemaker.create_model(ModelName=foreign, PrimaryContainer={"Image": "foreign:1"})
    darkroom.sweep()
    assert darkroom.resources() == [foreign]
    darkroom.stage.sagemaker.delete_model(ModelName=foreign)


def test_an_endpoint_that_does_not_exist_has_no_tags_and_can_be_deleted_again(darkroom: DarkroomStage) -> None:
    darkroom.fleet.create("alice", ANIME)
    darkroom.turn_until_in_service()
    described = darkroom.source.describe(darkroom.name)
    assert described
    darkroom.fleet.delete("anime")
    darkroom.turn_until_deleted()
    assert darkroom.source.endpoint_tags(described) == EndpointTags(None, {})
    for name in ("my_endpoint", "a b", "x" * 70):
        assert darkroom.source.describe(name) is None
        assert darkroom.fleet.delete(name) is True


def test_a_failed_endpoint_says_why_and_can_be_deleted(darkroom: DarkroomStage) -> None:
    name = f"{darkroom.prefix}fail-create"
    darkroom.fleet.create("alice", EndpointIn(name="fail-create"))

    def status() -> str | None:
        described = darkroom.source.describe(name)
        return described.endpoint.status if described else None

    darkroom.stage.turn()
    assert status() == "Failed"
    described = darkroom.source.describe(name)
    assert described
    assert "ping health check" in (described.failure or "")
    assert darkroom.sweep().failed == 1
    assert darkroom.fleet.delete("fail-create") is True
    darkroom.stage.turn()
    assert status() is None
    darkroom.sweep()
    assert darkroom.resources() == []


def test_an_alarm_wakes_an_endpoint_that_nobody_woke_and_the_seconds_it_took_are_recorded(
    darkroom: DarkroomStage,
) -> None:
    darkroom.fleet.create("alice", ANIME)
    darkroom.turn_until_in_service()
    darkroom.fleet.reconcile(darkroom.name)

    def instances() -> int:
        described = darkroom.source.describe(darkroom.name)
        assert described
        return described.current

    darkroom.stage.turn(IDLE)
    darkroom.stage.turn()
    assert instances() == 1
    ByCount(darkroom.stage.sagemaker).keep(darkroom.name, 0)
    darkroom.stage.turn()
    assert instances() == 0
    darkroom.stage.runtime.invoke_endpoint_async(EndpointName=darkroom.name, Body=b"{}")
    darkroom.stage.wait_for_check()
    darkroom.stage.turn()
    assert instances() == 1
    assert darkroom.scaling.wakeups(darkroom.name) == [MINUTE]
    darkroom.fleet.delete("anime")


def test_a_job_waits_while_no_type_is_left_and_wakes_the_first_that_comes_back(darkroom: DarkroomStage) -> None:
    g5, g4 = "ml.g5.xlarge", "ml.g4dn.xlarge"
    darkroom.fleet.create("alice", EndpointIn(name="anime", instance_types=[g5, g4]))
    darkroom.turn_until_in_service()
    darkroom.fleet.reconcile(darkroom.name)
    ByCount(darkroom.stage.sagemaker).keep(darkroom.name, 0)
    darkroom.stage.turn()
    knobs = {"waking_seconds": MINUTE, "idle_seconds": IDLE}
    darkroom.stage.knobs(**knobs, no_capacity=[g5, g4], provision_seconds=3 * MINUTE)
    darkroom.stage.runtime.invoke_endpoint_async(EndpointName=darkroom.name, Body=b"{}")
    darkroom.stage.wait_for_check()
    waking = darkroom.source.describe(darkroom.name)
    assert waking
    assert (waking.endpoint.status, waking.lacking((g5, g4))) == ("Updating", (g5, g4))
    # The time is over, and the alarm that is still on begins again.
    darkroom.stage.turn(3 * MINUTE)
    given_up = darkroom.source.describe(darkroom.name)
    assert given_up
    assert given_up.failure
    assert (given_up.current, given_up.lacking((g5, g4))) == (0, (g5, g4))
    assert darkroom.scaling.wakeups(darkroom.name) == []
    assert darkroom.stage.queues()["endpoints"][darkroom.name]["waiting"] == 1
    darkroom.stage.knobs(**knobs, no_capacity=[g5])
    darkroom.stage.wait_for_check()
    darkroom.stage.turn()
    awake = darkroom.source.describe(darkroom.name)
    assert awake
    assert (awake.running, awake.failure) == ({g5: 0, g4: 1}, None)
    assert darkroom.scaling.wakeups(darkroom.name)
