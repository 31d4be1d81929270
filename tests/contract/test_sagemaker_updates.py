"""An endpoint that is changed while it serves, as a real SageMaker client sees it."""

from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from tests.contract.autoscaling import target_of
from tests.contract.serving import http
from tests.contract.stage import IMAGE, MINUTE, TEST, Endpoint, Stage, refusal


@pytest.fixture(autouse=True)
def one_minute_to_wake(sagemaker_stage: Stage) -> None:
    sagemaker_stage.knobs(waking_seconds=MINUTE)


def variant_of(endpoint: Endpoint) -> Any:
    return endpoint.stage.sagemaker.describe_endpoint(EndpointName=endpoint.name)["ProductionVariants"][0]


def test_an_update_brings_the_new_configuration_while_the_old_one_serves(sagemaker_stage: Stage) -> None:
    endpoint, sagemaker = sagemaker_stage.endpoint(), sagemaker_stage.sagemaker
    output = {"OutputConfig": {"S3OutputPath": "s3://new/out"}}
    new = sagemaker_stage.configuration(instances=3, image="registry/new:2", asynchronous=output)
    answer = sagemaker.update_endpoint(EndpointName=endpoint.name, EndpointConfigName=new)
    updating = sagemaker.describe_endpoint(EndpointName=endpoint.name)
    assert updating["EndpointArn"] == answer["EndpointArn"]
    assert updating["EndpointStatus"] == "Updating"
    assert updating["EndpointConfigName"] == endpoint.name
    assert updating["PendingDeploymentSummary"]["EndpointConfigName"] == new
    endpoint.invoke()
    assert endpoint.messages(1)[0]["invocationStatus"] == "Completed"
    sagemaker_stage.turn()
    assert sagemaker_stage.status(endpoint.name) == "InService"
    updated = sagemaker.describe_endpoint(EndpointName=endpoint.name)
    assert updated["EndpointConfigName"] == new
    assert "PendingDeploymentSummary" not in updated
    variant = updated["ProductionVariants"][0]
    assert (variant["CurrentInstanceCount"], variant["DesiredInstanceCount"]) == (3, 3)
    assert variant["DeployedImages"][0]["ResolvedImage"] == "registry/new:2"
    assert updated["AsyncInferenceConfig"]["OutputConfig"]["S3OutputPath"] == "s3://new/out"


def test_an_endpoint_that_is_changing_can_be_neither_updated_nor_deleted(sagemaker_stage: Stage) -> None:
    sagemaker, new = sagemaker_stage.sagemaker, sagemaker_stage.configuration()
    arn = sagemaker.create_endpoint(EndpointName=new, EndpointConfigName=new)["EndpointArn"]
    busy = f'Cannot update in-progress endpoint "{arn}".'
    capacity = [{"VariantName": "all", "DesiredInstanceCount": 2}]
    for status in ("Creating", "Updating", "Deleting"):
        assert sagemaker_stage.status(new) == status
        assert refusal(sagemaker.update_endpoint, EndpointName=new, EndpointConfigName=new) == busy
        message = refusal(
            sagemaker.update_endpoint_weights_and_capacities, EndpointName=new, DesiredWeightsAndCapacities=capacity
        )
        assert message == busy
        assert refusal(sagemaker.delete_endpoint, EndpointName=new) == busy
        sagemaker_stage.turn()
        if status == "Creating":
            sagemaker.update_endpoint(EndpointName=new, EndpointConfigName=new)
        elif status == "Updating":
            sagemaker.delete_endpoint(EndpointName=new)


def test_each_change_of_an_endpoint_sends_a_test_message_to_its_topics(sagemaker_stage: Stage) -> None:
    endpoint = sagemaker_stage.endpoint()
    described = sagemaker_stage.sagemaker.describe_endpoint(EndpointName=endpoint.name)
    same = sagemaker_stage.configuration(asynchronous=described["AsyncInferenceConfig"])
    sagemaker_stage.sagemaker.update_endpoint(EndpointName=endpoint.name, EndpointConfigName=same)
    assert endpoint.tests(2) == [TEST, TEST]
    sagemaker_stage.turn()
    capacities: Any = [{"VariantName": "all", "DesiredInstanceCount": 2}]
    sagemaker_stage.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=endpoint.name, DesiredWeightsAndCapacities=capacities
    )
    assert endpoint.tests(2) == [TEST, TEST]
    sagemaker_stage.turn()
    # The bounds change the number of instances at once.
    sagemaker_stage.autoscaling.register_scalable_target(**target_of(endpoint.name), MinCapacity=1, MaxCapacity=1)
    assert endpoint.tests(2) == [TEST, TEST]


def test_an_update_that_fails_leaves_the_endpoint_as_it_was_and_says_why(sagemaker_stage: Stage) -> None:
    endpoint = sagemaker_stage.endpoint()
    failing = sagemaker_stage.configuration(image="registry/fail-create:1")
    sagemaker_stage.sagemaker.update_endpoint(EndpointName=endpoint.name, EndpointConfigName=failing)
    sagemaker_stage.turn()
    assert sagemaker_stage.status(endpoint.name) == "InService"
    described = sagemaker_stage.sagemaker.describe_endpoint(EndpointName=endpoint.name)
    assert described["EndpointConfigName"] == endpoint.name
    assert "ping health check" in described["FailureReason"]
    endpoint.invoke()
    assert endpoint.messages(1)[0]["invocationStatus"] == "Completed"


def test_an_update_needs_its_configuration_and_an_endpoint_that_did_not_fail(sagemaker_stage: Stage) -> None:
    sagemaker, name = sagemaker_stage.sagemaker, sagemaker_stage.configuration(image="registry/fail-create:1")
    endpoint = sagemaker_stage.endpoint()
    message = refusal(sagemaker.update_endpoint, EndpointName=endpoint.name, EndpointConfigName="missing")
    assert 'endpoint-config/missing".' in message
    assert sagemaker_stage.status(endpoint.name) == "InService"
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    sagemaker_stage.turn()
    assert sagemaker_stage.status(name) == "Failed"
    assert "failed endpoint" in refusal(sagemaker.update_endpoint, EndpointName=name, EndpointConfigName=name)


@pytest.mark.parametrize(
    ("parameters", "instances_and_weight"),
    [
        ({}, (1, 1.0)),
        ({"RetainAllVariantProperties": True}, (3, 0.5)),
        (
            {
                "RetainAllVariantProperties": True,
                "ExcludeRetainedVariantProperties": [{"VariantPropertyType": "DesiredInstanceCount"}],
            },
            (1, 0.5),
        ),
    ],
)
def test_an_update_keeps_the_instances_and_the_weight_of_a_variant_on_request(
    sagemaker_stage: Stage, parameters: Any, instances_and_weight: tuple[int, float]
) -> None:
    endpoint, sagemaker = sagemaker_stage.endpoint(), sagemaker_stage.sagemaker
    sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=endpoint.name,
        DesiredWeightsAndCapacities=[{"VariantName": "all", "DesiredInstanceCount": 3, "DesiredWeight": 0.5}],
    )
    scaling = variant_of(endpoint)
    assert (scaling["CurrentInstanceCount"], scaling["DesiredInstanceCount"]) == (1, 3)
    sagemaker_stage.turn()
    assert sagemaker_stage.status(endpoint.name) == "InService"
    assert (variant_of(endpoint)["CurrentInstanceCount"], variant_of(endpoint)["CurrentWeight"]) == (3, 0.5)
    new = sagemaker_stage.configuration()
    sagemaker.update_endpoint(EndpointName=endpoint.name, EndpointConfigName=new, **parameters)
    sagemaker_stage.turn()
    assert sagemaker_stage.status(endpoint.name) == "InService"
    assert (variant_of(endpoint)["CurrentInstanceCount"], variant_of(endpoint)["CurrentWeight"]) == instances_and_weight


def test_an_unknown_variant_cannot_be_scaled(sagemaker_stage: Stage) -> None:
    endpoint = sagemaker_stage.endpoint()
    message = refusal(
        sagemaker_stage.sagemaker.update_endpoint_weights_and_capacities,
        EndpointName=endpoint.name,
        DesiredWeightsAndCapacities=[{"VariantName": "other", "DesiredInstanceCount": 3}],
    )
    assert message == (
        f'The variant name(s) "other" is/are not present within endpoint configuration "{endpoint.name}".'
    )


def test_a_variant_that_scales_keeps_its_instance_type(sagemaker_stage: Stage) -> None:
    endpoint, sagemaker = sagemaker_stage.endpoint(), sagemaker_stage.sagemaker
    target = target_of(endpoint.name)
    sagemaker_stage.autoscaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=2)
    other = sagemaker_stage.configuration(instance_type="ml.g5.2xlarge")
    message = refusal(sagemaker.update_endpoint, EndpointName=endpoint.name, EndpointConfigName=other)
    assert "Deregister" in message
    sagemaker_stage.autoscaling.deregister_scalable_target(**target)
    sagemaker.update_endpoint(EndpointName=endpoint.name, EndpointConfigName=other)


def test_tags_given_at_creation_are_listed_for_every_kind(sagemaker_stage: Stage) -> None:
    sagemaker, name = sagemaker_stage.sagemaker, f"t-{uuid4()}"
    tags: Any = [{"Key": "kind", "Value": "tagged"}]
    variant: Any = {"VariantName": "all", "ModelName": name}
    arns = [
        sagemaker.create_model(ModelName=name, PrimaryContainer={"Image": IMAGE}, Tags=tags)["ModelArn"],
        sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant], Tags=tags)[
            "EndpointConfigArn"
        ],
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name, Tags=tags)["EndpointArn"],
    ]
    assert [sagemaker.list_tags(ResourceArn=arn)["Tags"] for arn in arns] == [tags] * 3


def test_calls_are_throttled_as_often_as_the_knob_says_and_have_no_effect(sagemaker_stage: Stage) -> None:
    sagemaker_stage.knobs(fail_calls={"CreateModel": 2, "RegisterScalableTarget": 1})
    name = f"t-{uuid4()}"
    for _ in range(2):
        with pytest.raises(ClientError) as refused:
            sagemaker_stage.sagemaker.create_model(ModelName=name, PrimaryContainer={"Image": IMAGE})
        assert refused.value.response["Error"] == {"Code": "ThrottlingException", "Message": "Rate exceeded"}
    sagemaker_stage.sagemaker.create_model(ModelName=name, PrimaryContainer={"Image": IMAGE})
    with pytest.raises(ClientError, match="ThrottlingException"):
        sagemaker_stage.autoscaling.register_scalable_target(**target_of("none"))
    left = http().get(f"{sagemaker_stage.simulator}/_simulator/knobs").json()["fail_calls"]
    assert left == {"CreateModel": 0, "RegisterScalableTarget": 0}


@pytest.mark.parametrize("calls", [{"CreateModle": 1}, {"CreateModel": -1}])
def test_an_unknown_call_and_a_negative_number_of_failures_are_refused(
    sagemaker_stage: Stage, calls: dict[str, int]
) -> None:
    refused = http().put(f"{sagemaker_stage.simulator}/_simulator/knobs", json={"fail_calls": calls})
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["loc"][:2] == ["fail_calls", next(iter(calls))]
