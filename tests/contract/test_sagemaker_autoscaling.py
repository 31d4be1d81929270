"""Scalable targets and scaling policies as a real client of Application Auto Scaling sees them."""

import json
from typing import Any

import pytest
from botocore.model import StructureShape

from local.sagemaker.protocol import service_model
from local.sagemaker.validation import violations
from tests.contract.autoscaling import DIMENSION, STEP, TRACKING, target_of
from tests.contract.serving import http
from tests.contract.stage import MINUTE, Stage, refusal


@pytest.fixture(autouse=True)
def one_minute_to_wake(sagemaker_stage: Stage) -> None:
    sagemaker_stage.knobs(waking_seconds=MINUTE)


def test_a_target_is_registered_changed_described_and_deregistered(sagemaker_stage: Stage) -> None:
    scaling, name = sagemaker_stage.autoscaling, sagemaker_stage.endpoint().name
    arn = scaling.register_scalable_target(**target_of(name), MinCapacity=0, MaxCapacity=2)["ScalableTargetARN"]
    again = scaling.register_scalable_target(**target_of(name), MaxCapacity=4)["ScalableTargetARN"]
    assert again == arn
    resource = target_of(name)["ResourceId"]
    found = scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[resource])["ScalableTargets"]
    assert [(target["MinCapacity"], target["MaxCapacity"]) for target in found] == [(0, 4)]
    assert scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"] == []
    scaling.put_scaling_policy(
        **target_of(name), PolicyName="p", PolicyType="StepScaling", StepScalingPolicyConfiguration=STEP
    )
    scaling.deregister_scalable_target(**target_of(name))
    message = refusal(scaling.deregister_scalable_target, "ObjectNotFoundException", **target_of(name))
    assert message == (
        f"No scalable target found for service namespace: sagemaker, resource ID: {resource}, "
        f"scalable dimension: {DIMENSION}"
    )
    policies = scaling.describe_scaling_policies(ServiceNamespace="sagemaker", ResourceId=resource)
    assert policies["ScalingPolicies"] == []


def test_a_target_that_cannot_be_scaled_is_refused_and_not_stored(sagemaker_stage: Stage) -> None:
    scaling, name = sagemaker_stage.autoscaling, sagemaker_stage.endpoint().name
    register: Any = scaling.register_scalable_target
    bounds: Any = {"MinCapacity": 1, "MaxCapacity": 2}
    missing = refusal(register, **target_of("missing"), **bounds)
    assert missing == 'Could not find endpoint "arn:aws:sagemaker:us-east-1:000000000000:endpoint/missing".'
    other = target_of(name) | {"ResourceId": f"endpoint/{name}/variant/other"}
    assert 'variant "other"' in refusal(register, **other, **bounds)
    assert 'variant "all"' in refusal(register, **target_of(name.upper()), **bounds)
    unsupported = "Unsupported service namespace, resource type or scalable dimension"
    for member, value in [
        ("ServiceNamespace", "ecs"),
        ("ResourceId", "x"),
        ("ScalableDimension", "ecs:service:DesiredCount"),
    ]:
        assert refusal(register, **(target_of(name) | {member: value}), **bounds) == unsupported
    assert "less than minimum" in refusal(register, **target_of(name), MinCapacity=3, MaxCapacity=2)
    assert "at least 0" in refusal(register, **target_of(name), MinCapacity=-1, MaxCapacity=2)
    assert "required" in refusal(register, **target_of(name), MinCapacity=1)
    assert "scalableDimension" in refusal(register, **(target_of(name) | {"ScalableDimension": "not:known"}), **bounds)
    found = scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[target_of(name)["ResourceId"]])
    assert found["ScalableTargets"] == []


def test_an_endpoint_that_is_not_in_service_cannot_be_registered(sagemaker_stage: Stage) -> None:
    name = sagemaker_stage.endpoint().name
    sagemaker_stage.sagemaker.delete_endpoint(EndpointName=name)
    message = refusal(
        sagemaker_stage.autoscaling.register_scalable_target, **target_of(name), MinCapacity=1, MaxCapacity=2
    )
    assert "not InService" in message


def test_a_registration_brings_the_number_of_instances_into_its_bounds(sagemaker_stage: Stage) -> None:
    name = sagemaker_stage.endpoint().name
    sagemaker_stage.autoscaling.register_scalable_target(**target_of(name), MinCapacity=2, MaxCapacity=3)
    assert sagemaker_stage.status(name) == "Updating"
    sagemaker_stage.turn()
    assert sagemaker_stage.queues()["instances"][name] == 2
    assert sagemaker_stage.status(name) == "InService"
    sagemaker_stage.autoscaling.register_scalable_target(**target_of(name), MinCapacity=1, MaxCapacity=1)
    sagemaker_stage.turn()
    assert sagemaker_stage.queues()["instances"][name] == 1


def test_policies_are_put_changed_described_and_deleted(sagemaker_stage: Stage) -> None:
    scaling, name = sagemaker_stage.autoscaling, sagemaker_stage.endpoint().name
    resource = target_of(name)["ResourceId"]
    too_early = refusal(
        scaling.put_scaling_policy,
        "ObjectNotFoundException",
        **target_of(name),
        PolicyName="track",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=TRACKING,
    )
    assert too_early.startswith(
        "No scalable target registered for service namespace: sagemaker, resource ID: endpoint/"
    )
    scaling.register_scalable_target(**target_of(name), MinCapacity=0, MaxCapacity=2)
    tracking = scaling.put_scaling_policy(
        **target_of(name),
        PolicyName="track",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=TRACKING,
    )
    account = "arn:aws:autoscaling:us-east-1:000000000000:scalingPolicy:"
    assert tracking["PolicyARN"].startswith(account)
    assert tracking["PolicyARN"].endswith(f":resource/sagemaker/{resource}:policyName/track")
    alarms = [alarm["AlarmName"][:-37] for alarm in tracking["Alarms"]]
    assert alarms == [f"TargetTracking-{resource}-AlarmHigh", f"TargetTracking-{resource}-AlarmLow"]
    again = scaling.put_scaling_policy(
        **target_of(name),
        PolicyName="track",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=TRACKING | {"TargetValue": 7.0},
    )
    assert (again["PolicyARN"], again["Alarms"]) == (tracking["PolicyARN"], tracking["Alarms"])
    step = scaling.put_scaling_policy(
        **target_of(name), PolicyName="wake", PolicyType="StepScaling", StepScalingPolicyConfiguration=STEP
    )
    assert step["Alarms"] == []
    pages = scaling.get_paginator("describe_scaling_policies").paginate(
        ServiceNamespace="sagemaker", ResourceId=resource, PaginationConfig={"PageSize": 1}
    )
    found = {policy["PolicyName"]: policy for page in pages for policy in page["ScalingPolicies"]}
    assert found.keys() == {"track", "wake"}
    assert found["track"]["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 7.0
    assert found["wake"]["StepScalingPolicyConfiguration"] == STEP
    scaling.delete_scaling_policy(**target_of(name), PolicyName="wake")
    message = refusal(scaling.delete_scaling_policy, "ObjectNotFoundException", **target_of(name), PolicyName="wake")
    assert message.endswith(f"scalable dimension: {DIMENSION}, policy name: wake")


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"PolicyType": "PredictiveScaling"}, "not supported"),
        ({"PolicyType": "StepScaling"}, "exactly one configuration"),
        (
            {"PolicyType": "StepScaling", "TargetTrackingScalingPolicyConfiguration": TRACKING},
            "exactly one configuration",
        ),
        (
            {
                "PolicyType": "TargetTrackingScaling",
                "TargetTrackingScalingPolicyConfiguration": {"TargetValue": 1.0},
            },
            "Customized Metric Specification",
        ),
        ({"PolicyType": "Sideways"}, "'policyType' failed to satisfy constraint"),
    ],
)
def test_an_invalid_policy_is_refused(sagemaker_stage: Stage, parameters: Any, words: str) -> None:
    scaling, name = sagemaker_stage.autoscaling, sagemaker_stage.endpoint().name
    scaling.register_scalable_target(**target_of(name), MinCapacity=1, MaxCapacity=2)
    assert words in refusal(scaling.put_scaling_policy, **target_of(name), PolicyName="p", **parameters)
    found = scaling.describe_scaling_policies(ServiceNamespace="sagemaker", ResourceId=target_of(name)["ResourceId"])
    assert found["ScalingPolicies"] == []


def test_a_deleted_endpoint_takes_its_targets_and_policies_with_it(sagemaker_stage: Stage) -> None:
    scaling, name, kept = sagemaker_stage.autoscaling, sagemaker_stage.endpoint().name, sagemaker_stage.endpoint().name
    for endpoint in (name, kept):
        scaling.register_scalable_target(**target_of(endpoint), MinCapacity=1, MaxCapacity=2)
        scaling.put_scaling_policy(
            **target_of(endpoint), PolicyName="p", PolicyType="StepScaling", StepScalingPolicyConfiguration=STEP
        )
    sagemaker_stage.sagemaker.delete_endpoint(EndpointName=name)
    resources = [target_of(name)["ResourceId"], target_of(kept)["ResourceId"]]
    targets = scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=resources)
    assert [target["ResourceId"] for target in targets["ScalableTargets"]] == resources[1:]
    policies = [
        len(scaling.describe_scaling_policies(ServiceNamespace="sagemaker", ResourceId=one)["ScalingPolicies"])
        for one in resources
    ]
    assert policies == [0, 1]


def test_every_output_has_the_shape_that_the_service_model_gives_it(sagemaker_stage: Stage) -> None:
    target = target_of(sagemaker_stage.endpoint().name)
    policy = {"PolicyName": "p", "PolicyType": "StepScaling", "StepScalingPolicyConfiguration": STEP}
    tracking = {
        "PolicyName": "t",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": TRACKING,
    }
    calls: list[tuple[str, dict[str, Any]]] = [
        ("RegisterScalableTarget", target | {"MinCapacity": 1, "MaxCapacity": 2}),
        ("DescribeScalableTargets", {"ServiceNamespace": "sagemaker"}),
        ("PutScalingPolicy", target | policy),
        ("PutScalingPolicy", target | tracking),
        ("DescribeScalingPolicies", {"ServiceNamespace": "sagemaker"}),
        ("DeleteScalingPolicy", target | {"PolicyName": "p"}),
        ("DeregisterScalableTarget", target),
    ]
    for operation, parameters in calls:
        headers = {"X-Amz-Target": f"AnyScaleFrontendService.{operation}", "Content-Type": "application/x-amz-json-1.1"}
        response = http().post(sagemaker_stage.simulator, headers=headers, content=json.dumps(parameters))
        assert response.status_code == 200, response.text
        shape = service_model("application-autoscaling").operation_model(operation).output_shape
        assert isinstance(shape, StructureShape)
        assert violations(response.json(), shape) is None


@pytest.mark.parametrize("operation", ["SageMaker.PutScalingPolicy", "AnyScaleFrontendService.CreateModel"])
def test_an_operation_of_another_service_is_unknown(sagemaker_stage: Stage, operation: str) -> None:
    response = http().post(sagemaker_stage.simulator, headers={"X-Amz-Target": operation}, content="{}")
    assert (response.status_code, response.json()["__type"]) == (400, "UnknownOperationException")
