"""Scalable targets and scaling policies as a real Application Auto Scaling client meets them."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.model import StructureShape

from local.sagemaker.protocol import service_model
from local.sagemaker.validation import violations
from tests.contract.test_sagemaker_stage import MINUTE, Stage, http

pytest_plugins = ["tests.contract.test_sagemaker_stage"]

DIMENSION = "sagemaker:variant:DesiredInstanceCount"
TRACKING: Any = {
    "TargetValue": 2.0,
    "CustomizedMetricSpecification": {
        "MetricName": "ApproximateBacklogSizePerInstance",
        "Namespace": "AWS/SageMaker",
        "Dimensions": [{"Name": "EndpointName", "Value": "any"}],
        "Statistic": "Average",
    },
}
STEP: Any = {
    "AdjustmentType": "ChangeInCapacity",
    "StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}],
}


@pytest.fixture(autouse=True)
def quick_knobs(sagemaker_stage: Stage) -> None:
    sagemaker_stage.knobs(waking_seconds=MINUTE)


def place(name: str) -> Any:
    """What every call about an endpoint's variant `all` says."""
    return {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{name}/variant/all",
        "ScalableDimension": DIMENSION,
    }


def _refusal(call: Any, code: str = "ValidationException", **parameters: Any) -> str:
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    assert refused.value.response["Error"]["Code"] == code
    return refused.value.response["Error"]["Message"]


def test_a_target_is_registered_changed_described_and_deregistered(sagemaker_stage: Stage) -> None:
    scaling, name = sagemaker_stage.autoscaling, sagemaker_stage.endpoint().name
    arn = scaling.register_scalable_target(**place(name), MinCapacity=0, MaxCapacity=2)["ScalableTargetARN"]
    again = scaling.register_scalable_target(**place(name), MaxCapacity=4)["ScalableTargetARN"]
    assert again == arn
    resource = place(name)["ResourceId"]
    found = scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[resource])["ScalableTargets"]
    assert [(target["MinCapacity"], target["MaxCapacity"]) for target in found] == [(0, 4)]
    assert scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"] == []
    scaling.put_scaling_policy(
        **place(name), PolicyName="p", PolicyType="StepScaling", StepScalingPolicyConfiguration=STEP
    )
    scaling.deregister_scalable_target(**place(name))
    gone = _refusal(scaling.deregister_scalable_target, "ObjectNotFoundException", **place(name))
    assert gone == (
        f"No scalable target found for service namespace: sagemaker, resource ID: {resource}, "
        f"scalable dimension: {DIMENSION}"
    )
    left = scaling.describe_scaling_policies(ServiceNamespace="sagemaker", ResourceId=resource)["ScalingPolicies"]
    assert left == []


def test_what_cannot_be_scaled_is_refused_and_not_written_down(sagemaker_stage: Stage) -> None:
    scaling, name = sagemaker_stage.autoscaling, sagemaker_stage.endpoint().name
    register: Any = scaling.register_scalable_target
    bounds: Any = {"MinCapacity": 1, "MaxCapacity": 2}
    missing = _refusal(register, **place("nobody"), **bounds)
    assert missing == 'Could not find endpoint "arn:aws:sagemaker:us-east-1:000000000000:endpoint/nobody".'
    other = place(name) | {"ResourceId": f"endpoint/{name}/variant/other"}
    assert 'variant "other"' in _refusal(register, **other, **bounds)
    assert 'variant "all"' in _refusal(register, **place(name.upper()), **bounds)
    unsupported = "Unsupported service namespace, resource type or scalable dimension"
    for member, value in [
        ("ServiceNamespace", "ecs"),
        ("ResourceId", "x"),
        ("ScalableDimension", "ecs:service:DesiredCount"),
    ]:
        assert _refusal(register, **(place(name) | {member: value}), **bounds) == unsupported
    assert "less than minimum" in _refusal(register, **place(name), MinCapacity=3, MaxCapacity=2)
    assert "at least 0" in _refusal(register, **place(name), MinCapacity=-1, MaxCapacity=2)
    assert "required" in _refusal(register, **place(name), MinCapacity=1)
    assert "scalableDimension" in _refusal(register, **(place(name) | {"ScalableDimension": "made:up"}), **bounds)
    found = scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[place(name)["ResourceId"]])
    assert found["ScalableTargets"] == []


def test_an_endpoint_that_is_not_in_service_cannot_be_registered(sagemaker_stage: Stage) -> None:
    name = sagemaker_stage.endpoint().name
    sagemaker_stage.sagemaker.delete_endpoint(EndpointName=name)
    message = _refusal(
        sagemaker_stage.autoscaling.register_scalable_target, **place(name), MinCapacity=1, MaxCapacity=2
    )
    assert "not InService" in message


def test_a_registration_brings_the_instances_into_its_bounds(sagemaker_stage: Stage) -> None:
    name = sagemaker_stage.endpoint().name
    sagemaker_stage.autoscaling.register_scalable_target(**place(name), MinCapacity=2, MaxCapacity=3)
    assert sagemaker_stage.status(name) == "Updating"
    sagemaker_stage.turn()
    assert sagemaker_stage.queues()["instances"][name] == 2
    assert sagemaker_stage.status(name) == "InService"
    sagemaker_stage.autoscaling.register_scalable_target(**place(name), MinCapacity=1, MaxCapacity=1)
    sagemaker_stage.turn()
    assert sagemaker_stage.queues()["instances"][name] == 1


def test_policies_are_put_changed_described_and_deleted(sagemaker_stage: Stage) -> None:
    scaling, name = sagemaker_stage.autoscaling, sagemaker_stage.endpoint().name
    resource = place(name)["ResourceId"]
    early = _refusal(
        scaling.put_scaling_policy,
        "ObjectNotFoundException",
        **place(name),
        PolicyName="track",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=TRACKING,
    )
    assert early.startswith("No scalable target registered for service namespace: sagemaker, resource ID: endpoint/")
    scaling.register_scalable_target(**place(name), MinCapacity=0, MaxCapacity=2)
    tracking = scaling.put_scaling_policy(
        **place(name),
        PolicyName="track",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=TRACKING,
    )
    account = "arn:aws:autoscaling:us-east-1:000000000000:scalingPolicy:"
    assert tracking["PolicyARN"].startswith(account)
    assert tracking["PolicyARN"].endswith(f":resource/sagemaker/{resource}:policyName/track")
    sides = [alarm["AlarmName"][:-37] for alarm in tracking["Alarms"]]
    assert sides == [f"TargetTracking-{resource}-AlarmHigh", f"TargetTracking-{resource}-AlarmLow"]
    again = scaling.put_scaling_policy(
        **place(name),
        PolicyName="track",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=TRACKING | {"TargetValue": 7.0},
    )
    assert (again["PolicyARN"], again["Alarms"]) == (tracking["PolicyARN"], tracking["Alarms"])
    step = scaling.put_scaling_policy(
        **place(name), PolicyName="wake", PolicyType="StepScaling", StepScalingPolicyConfiguration=STEP
    )
    assert step["Alarms"] == []
    pages = scaling.get_paginator("describe_scaling_policies").paginate(
        ServiceNamespace="sagemaker", ResourceId=resource, PaginationConfig={"PageSize": 1}
    )
    found = {policy["PolicyName"]: policy for page in pages for policy in page["ScalingPolicies"]}
    assert found.keys() == {"track", "wake"}
    assert found["track"]["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 7.0
    assert found["wake"]["StepScalingPolicyConfiguration"] == STEP
    scaling.delete_scaling_policy(**place(name), PolicyName="wake")
    gone = _refusal(scaling.delete_scaling_policy, "ObjectNotFoundException", **place(name), PolicyName="wake")
    assert gone.endswith(f"scalable dimension: {DIMENSION}, policy name: wake")


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
def test_a_policy_that_makes_no_sense_is_refused(sagemaker_stage: Stage, parameters: Any, words: str) -> None:
    scaling, name = sagemaker_stage.autoscaling, sagemaker_stage.endpoint().name
    scaling.register_scalable_target(**place(name), MinCapacity=1, MaxCapacity=2)
    assert words in _refusal(scaling.put_scaling_policy, **place(name), PolicyName="p", **parameters)
    found = scaling.describe_scaling_policies(ServiceNamespace="sagemaker", ResourceId=place(name)["ResourceId"])
    assert found["ScalingPolicies"] == []


def test_a_deleted_endpoint_takes_its_targets_and_policies_with_it(sagemaker_stage: Stage) -> None:
    scaling, name, kept = sagemaker_stage.autoscaling, sagemaker_stage.endpoint().name, sagemaker_stage.endpoint().name
    for endpoint in (name, kept):
        scaling.register_scalable_target(**place(endpoint), MinCapacity=1, MaxCapacity=2)
        scaling.put_scaling_policy(
            **place(endpoint), PolicyName="p", PolicyType="StepScaling", StepScalingPolicyConfiguration=STEP
        )
    sagemaker_stage.sagemaker.delete_endpoint(EndpointName=name)
    resources = [place(name)["ResourceId"], place(kept)["ResourceId"]]
    targets = scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=resources)
    assert [target["ResourceId"] for target in targets["ScalableTargets"]] == resources[1:]
    left = [
        len(scaling.describe_scaling_policies(ServiceNamespace="sagemaker", ResourceId=one)["ScalingPolicies"])
        for one in resources
    ]
    assert left == [0, 1]


def test_every_output_has_the_shape_that_the_service_model_gives_it(sagemaker_stage: Stage) -> None:
    where = place(sagemaker_stage.endpoint().name)
    policy = {"PolicyName": "p", "PolicyType": "StepScaling", "StepScalingPolicyConfiguration": STEP}
    tracking = {
        "PolicyName": "t",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": TRACKING,
    }
    calls: list[tuple[str, dict[str, Any]]] = [
        ("RegisterScalableTarget", where | {"MinCapacity": 1, "MaxCapacity": 2}),
        ("DescribeScalableTargets", {"ServiceNamespace": "sagemaker"}),
        ("PutScalingPolicy", where | policy),
        ("PutScalingPolicy", where | tracking),
        ("DescribeScalingPolicies", {"ServiceNamespace": "sagemaker"}),
        ("DeleteScalingPolicy", where | {"PolicyName": "p"}),
        ("DeregisterScalableTarget", where),
    ]
    for operation, parameters in calls:
        headers = {"X-Amz-Target": f"AnyScaleFrontendService.{operation}", "Content-Type": "application/x-amz-json-1.1"}
        response = http().post(sagemaker_stage.simulator, headers=headers, content=json.dumps(parameters))
        assert response.status_code == 200, response.text
        shape = service_model("application-autoscaling").operation_model(operation).output_shape
        assert isinstance(shape, StructureShape)
        assert violations(response.json(), shape) is None


@pytest.mark.parametrize("target", ["SageMaker.PutScalingPolicy", "AnyScaleFrontendService.CreateModel"])
def test_an_operation_belongs_to_its_own_service(sagemaker_stage: Stage, target: str) -> None:
    response = http().post(sagemaker_stage.simulator, headers={"X-Amz-Target": target}, content="{}")
    assert (response.status_code, response.json()["__type"]) == (400, "UnknownOperationException")
