"""Both ways of setting the number of instances, against the simulator."""

from collections.abc import Iterator

import pytest

from darkroom.aws.waking import ByBounds, ByCount
from darkroom.endpoints.model import Bounds
from darkroom.endpoints.ports import Waking
from darkroom.errors import Conflict, Invalid, Missing
from tests.contract.stage import MINUTE, Stage
from tests.contract.test_fleet_on_sagemaker import ANIME, DarkroomStage

ASKED = Bounds(0, 1)


@pytest.fixture
def darkroom(sagemaker_stage: Stage) -> Iterator[DarkroomStage]:
    """A stage with one endpoint in service, whose scaling is set up. No alarm does anything."""
    sagemaker_stage.knobs(alarms=False, waking_seconds=MINUTE)
    darkroom = DarkroomStage(sagemaker_stage)
    darkroom.fleet.create("alice", ANIME)
    darkroom.turn_until_in_service()
    darkroom.fleet.reconcile(darkroom.name)
    yield darkroom
    sagemaker_stage.knobs()


def ways(darkroom: DarkroomStage) -> dict[str, Waking]:
    return {"count": ByCount(darkroom.stage.sagemaker), "bounds": ByBounds(darkroom.stage.autoscaling)}


def instances(darkroom: DarkroomStage) -> tuple[str, int, int]:
    found = darkroom.source.describe(darkroom.name)
    assert found is not None
    return found.endpoint.status, found.current, found.desired


@pytest.mark.parametrize("way", ["count", "bounds"])
def test_an_endpoint_falls_asleep_and_wakes_without_an_alarm(darkroom: DarkroomStage, way: str) -> None:
    waking = ways(darkroom)[way]
    waking.keep(darkroom.name, 0)
    assert instances(darkroom) == ("Updating", 1, 0)
    darkroom.turn_until_in_service()
    assert instances(darkroom) == ("InService", 0, 0)
    waking.wake(darkroom.name)
    assert instances(darkroom) == ("Updating", 0, 1)
    darkroom.turn_until_in_service()
    assert instances(darkroom) == ("InService", 1, 1)
    # Only bounds that were moved say in the history of the scaling how long it took.
    assert darkroom.scaling.wakeups(darkroom.name) == ([pytest.approx(MINUTE)] if way == "bounds" else [])


@pytest.mark.parametrize("way", ["count", "bounds"])
def test_all_instances_but_some_are_let_go_of(darkroom: DarkroomStage, way: str) -> None:
    darkroom.scaling.set_bounds(darkroom.name, Bounds(3, 4))
    darkroom.stage.turn()
    darkroom.scaling.set_bounds(darkroom.name, Bounds(0, 4))
    ways(darkroom)[way].keep(darkroom.name, 2)
    darkroom.stage.turn()
    assert instances(darkroom) == ("InService", 2, 2)


def test_a_number_cannot_be_set_while_the_endpoint_is_changing(darkroom: DarkroomStage) -> None:
    waking = ways(darkroom)["count"]
    waking.keep(darkroom.name, 0)
    with pytest.raises(Conflict, match="endpoint_changing"):
        waking.wake(darkroom.name)
    with pytest.raises(Conflict, match="endpoint_changing"):
        waking.keep(darkroom.name, 0)


def test_bounds_that_are_moved_stay_what_they_are_until_those_that_were_asked_for_are_registered(
    darkroom: DarkroomStage,
) -> None:
    waking = ways(darkroom)["bounds"]

    def registered() -> Bounds:
        return darkroom.scaling.bounds([darkroom.name])[darkroom.name]

    waking.keep(darkroom.name, 0)
    assert registered() == Bounds(0, 0)
    # The maximum is still 0 when the next job comes.
    darkroom.stage.turn()
    waking.wake(darkroom.name)
    assert registered() == Bounds(1, 1)
    darkroom.stage.turn()
    assert darkroom.sweep().scaling_set_up == 0
    darkroom.scaling.set_bounds(darkroom.name, ASKED)
    assert registered() == ASKED
    # Target tracking leaves the instance alone, however long there is no work.
    darkroom.stage.turn(100 * MINUTE)
    assert instances(darkroom) == ("InService", 1, 1)


@pytest.mark.parametrize("way", ["count", "bounds"])
def test_what_will_never_do_is_refused_in_the_words_of_aws(darkroom: DarkroomStage, way: str) -> None:
    with pytest.raises(Missing):
        ways(darkroom)[way].wake(f"{darkroom.prefix}gone")
    with pytest.raises(Invalid, match=r"-1|Maximum capacity cannot"):
        ways(darkroom)[way].keep(darkroom.name, -1)
