"""The life of endpoints through the real adapters, against the simulator: what `tests/unit/test_fleet.py` shows in
memory holds for the real calls, wherever they are cut off."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest

from darkroom.aws.endpoints import EndpointDefaults, SageMakerControl, SageMakerEndpoints
from darkroom.aws.scaling import AutoScaling
from darkroom.endpoints.api import EndpointIn, EndpointPatch
from darkroom.endpoints.fleet import GRACE_SECONDS, Fleet
from darkroom.endpoints.model import Bounds, EndpointTags, ScalingState
from darkroom.endpoints.ports import PART_KINDS
from darkroom.endpoints.service import Endpoints
from darkroom.endpoints.sweep import EndpointsSwept, EndpointSweep, Guard
from darkroom.errors import Conflict, DarkroomError
from tests.contract.test_sagemaker_stage import MINUTE, Stage
from tests.support.sagemaker import FakeOpenJobs

pytest_plugins = ["tests.contract.test_sagemaker_stage"]

STANDING = ScalingState(Bounds(0, 1), tracking=True, waking=True, alarm=True)
IDLE = 10 * MINUTE
ANIME = EndpointIn(name="anime")


class Killed(BaseException):
    """The function ended in the middle, as by a time-out."""


@dataclass
class Place:
    """One stage of Darkroom, with a name of its own, on the simulator that all tests share."""

    stage: Stage
    prefix: str = field(default_factory=lambda: f"darkroom-{uuid4().hex[:8]}-")
    jobs: FakeOpenJobs = field(default_factory=FakeOpenJobs)

    def __post_init__(self) -> None:
        self.source = SageMakerEndpoints(self.stage.sagemaker, self.prefix)
        told = EndpointDefaults(
            "arn:aws:iam::000000000000:role/worker", "pictures", "arn:aws:sns:us-east-1:000000000000:r"
        )
        self.control = SageMakerControl(self.stage.sagemaker, self.source, told)
        self.scaling = AutoScaling(self.stage.autoscaling, self.stage.cloudwatch, self.prefix)

    @property
    def name(self) -> str:
        return f"{self.prefix}anime"

    @property
    def fleet(self) -> Fleet:
        """As a cold function has it."""
        return self.fleet_at(self.stage.now)

    def fleet_at(self, now: Callable[[], float]) -> Fleet:
        """The same at another time."""
        endpoints = Endpoints(self.source, self.scaling, self.jobs, self.prefix)
        return Fleet(
            endpoints, self.source, self.control, self.scaling, self.jobs, "test", "ml.g5.xlarge", "worker:1", now
        )

    def sweep(self) -> EndpointsSwept:
        """One round of the sweeper, after the grace."""
        later = lambda: self.stage.now() + GRACE_SECONDS + 60  # noqa: E731
        parts = (self.fleet_at(later), self.source, self.control, self.scaling, self.jobs, Guard(12, False))
        return EndpointSweep(*parts, clock=later).run(lambda: 100.0)

    def status(self) -> str | None:
        described = self.source.describe(self.name)
        return described.endpoint.status if described else None

    def in_service(self) -> None:
        self.stage.turn()
        assert self.status() == "InService"

    def gone(self) -> None:
        self.stage.turn()
        assert self.status() is None

    def left(self) -> list[str]:
        """The names of all that is there."""
        parts = [part.name for kind in PART_KINDS for part in self.source.parts(kind)]
        return [*(found.name for found in self.source.all()), *parts, *self.scaling.states()]

    @contextmanager
    def killed_at(self, number: int, moment: str) -> Iterator[list[str]]:
        """Kill at the `number`th call that changes something; yields the calls there were."""
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
def place(sagemaker_stage: Stage) -> Place:
    sagemaker_stage.knobs(waking_seconds=MINUTE, idle_seconds=IDLE)
    return Place(sagemaker_stage)


def test_the_whole_life(place: Place) -> None:
    assert place.fleet.create("alice", ANIME) == (place.name, True)
    assert place.fleet.create("alice", ANIME) == (place.name, False)
    place.in_service()
    assert place.fleet.reconcile(place.name) == "scaling set up"
    assert place.scaling.states() == {place.name: STANDING}
    described = place.source.describe(place.name)
    assert described
    assert (described.current, described.image, described.failure) == (1, "worker:1", None)
    made = place.source.endpoint_tags(described)
    assert (made.instance_type, made.owner, made.bounds) == ("ml.g5.xlarge", "alice", Bounds(0, 1))
    place.fleet.scale("anime", EndpointPatch(min_instances=1, max_instances=2))
    assert place.scaling.bounds([place.name]) == {place.name: Bounds(1, 2)}
    place.in_service()
    assert place.fleet.delete("anime") is True
    place.gone()
    assert place.fleet.reconcile(place.name) == "cleared"
    assert place.left() == []
    assert place.fleet.delete("anime") is True


MAKING = ["CreateModel", "CreateEndpointConfig", "CreateEndpoint"]


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("number", range(1, len(MAKING) + 1))
@pytest.mark.parametrize("healer", ["repeat", "sweep"])
def test_a_creation_that_is_killed_between_any_two_calls_is_healed(
    place: Place, number: int, moment: str, healer: str
) -> None:
    with place.killed_at(number, moment) as calls, pytest.raises(Killed):
        place.fleet.create("alice", ANIME)
    assert calls == MAKING[:number]
    if healer == "repeat":
        place.fleet.create("alice", ANIME)
    else:
        place.sweep()
    if healer == "repeat" or (number, moment) == (len(MAKING), "after"):
        place.in_service()
        assert place.fleet.reconcile(place.name) == "scaling set up"
        assert len(place.left()) == 4
    else:
        assert place.left() == []


SETTING_UP = ["RegisterScalableTarget", "PutScalingPolicy", "PutScalingPolicy", "PutMetricAlarm"]


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("number", range(1, len(SETTING_UP) + 1))
def test_a_set_up_that_is_killed_twice_between_any_two_calls_still_ends_registered(
    place: Place, number: int, moment: str
) -> None:
    place.fleet.create("alice", ANIME)
    place.in_service()
    for _ in range(2):
        with place.killed_at(number, moment) as calls, pytest.raises(Killed):
            place.fleet.reconcile(place.name)
        assert calls == SETTING_UP[:number]
    place.sweep()
    assert place.scaling.states() == {place.name: STANDING}
    assert place.sweep().scaling_set_up == 0


DELETING = [
    "AddTags",
    "DeleteScalingPolicy",
    "DeleteScalingPolicy",
    "DeregisterScalableTarget",
    "DeleteAlarms",
    "DeleteEndpoint",
    "DeleteEndpointConfig",
    "DeleteModel",
]


@pytest.mark.parametrize("number", range(1, len(DELETING) + 1))
def test_a_deletion_that_is_killed_after_any_call_is_finished_by_the_sweeper(place: Place, number: int) -> None:
    place.fleet.create("alice", ANIME)
    place.in_service()
    place.fleet.reconcile(place.name)
    with place.killed_at(number, "after") as calls, pytest.raises(Killed):
        place.fleet.delete("anime")
    assert calls == DELETING[:number]
    place.sweep()
    place.gone()
    place.sweep()
    assert place.left() == []


def test_one_that_is_being_made_is_deleted_when_it_comes_to_rest(place: Place) -> None:
    place.fleet.create("alice", ANIME)
    assert place.fleet.delete("anime") is False
    with pytest.raises(Conflict, match="endpoint_is_going"):
        place.fleet.create("alice", ANIME)
    place.in_service()
    assert place.fleet.reconcile(place.name) == "deleted"
    place.gone()
    assert place.fleet.reconcile(place.name) == "cleared"
    assert place.left() == []


def test_what_sagemaker_will_not_do_is_told_in_its_words_and_leaves_nothing(place: Place) -> None:
    with pytest.raises(DarkroomError) as refused:
        place.fleet.create("alice", EndpointIn(name="anime", instance_type="ml.nothing.xlarge"))
    assert refused.value.code == "endpoint_not_possible"
    assert "ml.nothing.xlarge" in refused.value.detail
    place.sweep()
    assert place.left() == []


def test_what_others_made_under_the_prefix_stays(place: Place) -> None:
    theirs = f"{place.prefix}sdxl-20260105"
    place.stage.sagemaker.create_model(ModelName=theirs, PrimaryContainer={"Image": "theirs:1"})
    place.sweep()
    assert place.left() == [theirs]
    place.stage.sagemaker.delete_model(ModelName=theirs)


def test_of_one_that_is_gone_nothing_is_told_and_nothing_breaks(place: Place) -> None:
    place.fleet.create("alice", ANIME)
    place.in_service()
    described = place.source.describe(place.name)
    assert described
    place.fleet.delete("anime")
    place.gone()
    assert place.source.endpoint_tags(described) == EndpointTags(None, {})
    for name in ("my_endpoint", "a b", "x" * 70):
        assert place.source.describe(name) is None
        assert place.fleet.delete(name) is True


def test_one_that_failed_says_why_and_can_only_be_deleted(place: Place) -> None:
    name = f"{place.prefix}fail-create"
    place.fleet.create("alice", EndpointIn(name="fail-create"))

    def status() -> str | None:
        described = place.source.describe(name)
        return described.endpoint.status if described else None

    place.stage.turn()
    assert status() == "Failed"
    described = place.source.describe(name)
    assert described
    assert "ping health check" in (described.failure or "")
    assert place.sweep().failed == 1
    assert place.fleet.delete("fail-create") is True
    place.stage.turn()
    assert status() is None
    place.sweep()
    assert place.left() == []


def test_a_job_wakes_it_and_how_long_that_took_is_told(place: Place) -> None:
    place.fleet.create("alice", ANIME)
    place.in_service()
    place.fleet.reconcile(place.name)

    def instances() -> int:
        described = place.source.describe(place.name)
        assert described
        return described.current

    place.stage.turn(IDLE)
    place.stage.turn()
    assert instances() == 0
    place.stage.runtime.invoke_endpoint_async(EndpointName=place.name, Body=b"{}")
    place.stage.look()
    place.stage.turn()
    assert instances() == 1
    assert place.scaling.wakeups(place.name) == [MINUTE]
    place.fleet.delete("anime")
