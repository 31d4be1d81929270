"""Endpoints whose names have upper case, and waking policies that add an instance: earlier releases made both."""

from typing import Any

import pytest

from darkroom.aws.waking import ByCount
from darkroom.endpoints.api import EndpointIn, EndpointPatch
from darkroom.endpoints.containers import StageWorker
from darkroom.endpoints.model import Bounds
from darkroom.endpoints.spec import Planner
from darkroom.errors import Conflict
from tests.contract.stage import MINUTE, Stage
from tests.contract.test_fleet_on_sagemaker import ANIME, IDLE, DarkroomStage


@pytest.fixture
def darkroom(sagemaker_stage: Stage) -> DarkroomStage:
    sagemaker_stage.knobs(waking_seconds=MINUTE, idle_seconds=IDLE)
    return DarkroomStage(sagemaker_stage)


@pytest.fixture
def upper(darkroom: DarkroomStage) -> str:
    """The name of an endpoint in service that has upper case, as earlier releases made it."""
    planner = Planner("test", StageWorker("ml.g5.xlarge", "worker:1"), lambda name: darkroom.prefix + name)
    spec = planner.spec("alice", EndpointIn(name="Anime"))
    darkroom.control.make_model(spec)
    darkroom.control.make_config(spec)
    darkroom.control.make_endpoint(spec)
    darkroom.stage.turn()
    return spec.name


def test_an_endpoint_with_upper_case_is_found_scaled_and_deleted_by_its_name_in_any_case(
    darkroom: DarkroomStage, upper: str
) -> None:
    assert upper == f"{darkroom.prefix}Anime" != darkroom.name
    fleet = darkroom.fleet
    assert fleet.reconcile(upper) == "scaling set up"
    # The same request finds it, and another one is refused.
    assert fleet.create("alice", ANIME) == (upper, False)
    with pytest.raises(Conflict, match="already"):
        fleet.create("alice", EndpointIn(name="aNIME", max_instances=2))
    assert fleet.scale("anime", EndpointPatch(max_instances=2)) == upper
    assert darkroom.scaling.bounds([upper]) == {upper: Bounds(0, 2)}
    assert darkroom.sweep().leftovers == 0
    assert fleet.delete("anime") is True
    assert {name for name, _ in darkroom.jobs.failed} == {upper}
    darkroom.stage.turn()
    assert fleet.reconcile(upper) == "cleared"
    assert darkroom.resources() == []


def test_what_is_left_of_an_endpoint_with_upper_case_goes_by_its_name_in_any_case(
    darkroom: DarkroomStage, upper: str
) -> None:
    darkroom.control.remove_endpoint(upper)
    darkroom.stage.turn()
    assert len(darkroom.resources()) == 2
    assert darkroom.fleet.delete("anime") is True
    assert darkroom.resources() == []


def in_service(darkroom: DarkroomStage) -> Any:
    """An endpoint of up to three instances with its scaling, asleep."""
    darkroom.fleet.create("alice", EndpointIn(name="anime", max_instances=3))
    darkroom.stage.turn()
    darkroom.fleet.reconcile(darkroom.name)
    ByCount(darkroom.stage.sagemaker).keep(darkroom.name, 0)
    darkroom.stage.turn()
    return darkroom.source.describe(darkroom.name)


def test_a_job_wakes_one_instance_however_long_that_takes(darkroom: DarkroomStage) -> None:
    assert in_service(darkroom).desired == 0
    darkroom.stage.knobs(waking_seconds=8 * MINUTE, idle_seconds=IDLE)
    darkroom.stage.s3.create_bucket(Bucket="pictures")
    darkroom.stage.runtime.invoke_endpoint_async(EndpointName=darkroom.name, Body=b"{}")
    darkroom.stage.wait_for_check()
    darkroom.stage.turn(8 * MINUTE)
    described = darkroom.source.describe(darkroom.name)
    assert described
    assert (described.endpoint.status, described.current, described.desired) == ("InService", 1, 1)


def test_a_waking_policy_that_adds_an_instance_is_replaced_by_the_sweeper(darkroom: DarkroomStage) -> None:
    in_service(darkroom)
    darkroom.stage.autoscaling.put_scaling_policy(
        ServiceNamespace="sagemaker",
        ResourceId=f"endpoint/{darkroom.name}/variant/main",
        ScalableDimension="sagemaker:variant:DesiredInstanceCount",
        PolicyName="wake",
        PolicyType="StepScaling",
        StepScalingPolicyConfiguration={
            "AdjustmentType": "ChangeInCapacity",
            "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}],
        },
    )
    assert darkroom.scaling.states()[darkroom.name].waking is False
    assert darkroom.sweep().scaling_set_up == 1
    assert darkroom.scaling.states()[darkroom.name].waking is True
    assert darkroom.sweep().scaling_set_up == 0
