"""Instance types that are not to be had, and endpoints with several of them, as a real SageMaker client sees it."""

from typing import Any
from uuid import uuid4

import pytest

from tests.contract.stage import IMAGE, MINUTE, Stage, refusal

G5, G4 = "ml.g5.xlarge", "ml.g4dn.xlarge"
PATIENCE = 20 * MINUTE


@pytest.fixture(autouse=True)
def one_minute_to_wake(sagemaker_stage: Stage) -> None:
    sagemaker_stage.knobs(waking_seconds=MINUTE)


def variant_with(name: str, **more: Any) -> Any:
    return {"VariantName": "all", "ModelName": name, "InitialInstanceCount": 1, **more}


def of_types(stage: Stage, *types: str) -> str:
    """A new endpoint that prefers the types in this order; returns its name."""
    name = f"p-{uuid4()}"
    stage.sagemaker.create_model(ModelName=name, PrimaryContainer={"Image": IMAGE})
    # Only the priority counts, not the place in the list.
    pools = [{"InstanceType": each, "Priority": number} for number, each in enumerate(types, 1)][::-1]
    patience: Any = {"InstancePools": pools, "VariantInstanceProvisionTimeoutInSeconds": int(PATIENCE)}
    stage.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant_with(name, **patience)])
    stage.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    return name


def described(stage: Stage, name: str) -> Any:
    return stage.sagemaker.describe_endpoint(EndpointName=name)


def running(stage: Stage, name: str) -> dict[str, int]:
    pools = described(stage, name)["ProductionVariants"][0]["InstancePools"]
    return {pool["InstanceType"]: pool["CurrentInstanceCount"] for pool in pools}


def scale(stage: Stage, name: str, instances: int) -> None:
    wanted: Any = [{"VariantName": "all", "DesiredInstanceCount": instances}]
    stage.sagemaker.update_endpoint_weights_and_capacities(EndpointName=name, DesiredWeightsAndCapacities=wanted)


def test_instances_are_of_the_first_type_that_is_to_be_had_and_the_last_type_goes_first(sagemaker_stage: Stage) -> None:
    stage = sagemaker_stage
    name = of_types(stage, G5, G4)
    stage.turn()
    assert running(stage, name) == {G5: 1, G4: 0}
    stage.knobs(waking_seconds=MINUTE, no_capacity=[G5])
    scale(stage, name, 2)
    message = described(stage, name)["ProductionVariants"][0]["VariantStatus"][0]["StatusMessage"]
    assert message == f"InsufficientInstanceCapacity: {G5}. Provisioning {G4}."
    assert running(stage, name) == {G5: 1, G4: 0}
    stage.turn()
    assert running(stage, name) == {G5: 1, G4: 1}
    assert "VariantStatus" not in described(stage, name)["ProductionVariants"][0]
    scale(stage, name, 1)
    stage.turn()
    assert running(stage, name) == {G5: 1, G4: 0}


def test_without_any_type_an_endpoint_looks_on_until_its_time_is_over_and_stays_in_service(
    sagemaker_stage: Stage,
) -> None:
    stage = sagemaker_stage
    name = of_types(stage, G5, G4)
    stage.turn()
    scale(stage, name, 0)
    stage.turn()
    stage.knobs(waking_seconds=MINUTE, no_capacity=[G5, G4])
    scale(stage, name, 1)
    stage.turn(PATIENCE - MINUTE)
    assert described(stage, name)["EndpointStatus"] == "Updating"
    stage.turn(2 * MINUTE)
    found = described(stage, name)
    assert found["EndpointStatus"] == "InService"
    assert "InsufficientInstanceCapacity" in found["FailureReason"]
    assert found["ProductionVariants"][0]["DesiredInstanceCount"] == 0
    # It may be asked for again, and what comes back meanwhile is taken.
    scale(stage, name, 1)
    stage.turn(3 * MINUTE)
    stage.knobs(waking_seconds=MINUTE, no_capacity=[G5])
    stage.turn()
    assert running(stage, name) == {G5: 0, G4: 1}
    assert "FailureReason" not in described(stage, name)


def test_a_new_endpoint_without_any_type_fails_after_the_time_of_the_knob(sagemaker_stage: Stage) -> None:
    stage = sagemaker_stage
    stage.knobs(no_capacity=[G5], provision_seconds=5 * MINUTE)
    name = stage.configuration(instance_type=G5)
    stage.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    stage.turn()
    assert stage.status(name) == "Creating"
    stage.turn(5 * MINUTE)
    assert stage.status(name) == "Failed"
    assert G5 in described(stage, name)["FailureReason"]


def test_a_variant_has_one_type_or_several_distinct_ones(sagemaker_stage: Stage) -> None:
    name = sagemaker_stage.configuration()
    pools = [{"InstanceType": G4, "Priority": 1}, {"InstanceType": G4, "Priority": 2}]
    for variant in (
        variant_with(name, InstanceType=G5, InstancePools=pools[:1]),
        variant_with(name, InstancePools=pools),
        variant_with(name, InstancePools=[{"InstanceType": G4, "Priority": 6}]),
        variant_with(name, InstancePools=pools[:1], VariantInstanceProvisionTimeoutInSeconds=10),
    ):
        assert refusal(
            sagemaker_stage.sagemaker.create_endpoint_config, EndpointConfigName="x", ProductionVariants=[variant]
        )
