"""Models, endpoint configurations, endpoints and tags as a real SageMaker client sees them."""

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest
from botocore.model import StructureShape

from local.sagemaker.protocol import service_model
from local.sagemaker.validation import violations
from tests.contract.serving import http
from tests.contract.stage import IMAGE, MINUTE, Stage, refusal


def test_an_endpoint_is_created_comes_into_service_and_is_deleted(sagemaker_stage: Stage) -> None:
    sagemaker, name = sagemaker_stage.sagemaker, sagemaker_stage.configuration(instances=2)
    before = round(sagemaker_stage.now(), 3)
    arn = sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)["EndpointArn"]
    assert arn == f"arn:aws:sagemaker:us-east-1:000000000000:endpoint/{name}"
    creating = sagemaker.describe_endpoint(EndpointName=name)
    assert creating["EndpointStatus"] == "Creating"
    assert creating["ProductionVariants"][0]["CurrentInstanceCount"] == 0
    sagemaker_stage.turn()
    assert sagemaker_stage.status(name) == "InService"
    serving = sagemaker.describe_endpoint(EndpointName=name)
    variant = serving["ProductionVariants"][0]
    assert (variant["CurrentInstanceCount"], variant["DesiredInstanceCount"]) == (2, 2)
    assert variant["DeployedImages"][0]["ResolvedImage"] == IMAGE
    assert before <= serving["CreationTime"].timestamp() <= sagemaker_stage.now() - MINUTE
    assert serving["LastModifiedTime"] > serving["CreationTime"]
    sagemaker.delete_endpoint(EndpointName=name)
    assert sagemaker_stage.status(name) == "Deleting"
    sagemaker_stage.turn()
    assert sagemaker_stage.status(name) is None
    assert refusal(sagemaker.describe_endpoint, EndpointName=name) == f'Could not find endpoint "{arn}".'


def test_an_endpoint_in_creation_can_be_neither_deleted_nor_created_again(sagemaker_stage: Stage) -> None:
    sagemaker, name = sagemaker_stage.sagemaker, sagemaker_stage.configuration()
    arn = sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)["EndpointArn"]
    message = refusal(sagemaker.delete_endpoint, EndpointName=name)
    assert message == f'Cannot update in-progress endpoint "{arn}".'
    message = refusal(sagemaker.create_endpoint, EndpointName=name, EndpointConfigName=name)
    assert message == f'Cannot create already existing endpoint "{arn}".'


@pytest.mark.parametrize("where", ["name", "image"])
def test_a_failed_endpoint_says_why_and_can_be_deleted(sagemaker_stage: Stage, where: str) -> None:
    configuration = sagemaker_stage.configuration(image="registry/fail-create:1" if where == "image" else IMAGE)
    name = configuration if where == "image" else f"fail-create-{where}"
    sagemaker_stage.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=configuration)
    sagemaker_stage.turn()
    assert sagemaker_stage.status(name) == "Failed"
    described = sagemaker_stage.sagemaker.describe_endpoint(EndpointName=name)
    assert "ping health check" in described["FailureReason"]
    sagemaker_stage.sagemaker.delete_endpoint(EndpointName=name)
    sagemaker_stage.turn()
    assert sagemaker_stage.status(name) is None


def test_names_ignore_case_except_in_an_invocation(sagemaker_stage: Stage) -> None:
    endpoint = sagemaker_stage.endpoint()
    upper = endpoint.name.upper()
    described = sagemaker_stage.sagemaker.describe_endpoint(EndpointName=upper)
    assert described["EndpointName"] == endpoint.name
    message = refusal(sagemaker_stage.sagemaker.create_endpoint, EndpointName=upper, EndpointConfigName=endpoint.name)
    assert "already existing" in message
    with pytest.raises(sagemaker_stage.runtime.exceptions.ValidationError, match="not found"):
        sagemaker_stage.runtime.invoke_endpoint_async(EndpointName=upper, Body=b"{}")


def test_an_endpoint_serves_on_after_its_configuration_is_deleted(sagemaker_stage: Stage) -> None:
    endpoint = sagemaker_stage.endpoint()
    sagemaker_stage.sagemaker.delete_endpoint_config(EndpointConfigName=endpoint.name)
    endpoint.invoke()
    assert endpoint.messages(1)[0]["invocationStatus"] == "Completed"


def test_a_missing_resource_is_named_by_its_arn(sagemaker_stage: Stage) -> None:
    sagemaker = sagemaker_stage.sagemaker
    prefix = "arn:aws:sagemaker:us-east-1:000000000000"
    message = refusal(
        sagemaker.create_endpoint_config,
        EndpointConfigName="c",
        ProductionVariants=[{"VariantName": "all", "ModelName": "Missing"}],
    )
    assert message == f'Could not find model "{prefix}:model/missing".'
    message = refusal(sagemaker.create_endpoint, EndpointName="e", EndpointConfigName="missing")
    assert message == f'Could not find endpoint configuration "{prefix}:endpoint-config/missing".'
    assert "missing" in refusal(sagemaker.delete_model, ModelName="missing")
    assert "missing" in refusal(sagemaker.list_tags, ResourceArn=f"{prefix}:endpoint/missing")


def test_lists_are_filtered_ordered_and_paged_and_new_entries_shift_no_page(sagemaker_stage: Stage) -> None:
    sagemaker, part = sagemaker_stage.sagemaker, uuid4().hex[:8]
    config = sagemaker_stage.configuration()
    names = [f"p-{part}-{number:02}" for number in range(12)]
    for name in names:
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
        sagemaker_stage.turn(0)
    first = sagemaker.list_endpoints(NameContains=part)
    assert [endpoint["EndpointName"] for endpoint in first["Endpoints"]] == names[:1:-1]
    sagemaker.create_endpoint(EndpointName=f"p-{part}-new", EndpointConfigName=config)
    second = sagemaker.list_endpoints(NameContains=part, NextToken=first["NextToken"])
    assert [endpoint["EndpointName"] for endpoint in second["Endpoints"]] == names[1::-1]
    assert "NextToken" not in second
    sagemaker_stage.turn()
    assert sagemaker_stage.status(f"p-{part}-new") == "InService"
    pages = sagemaker.get_paginator("list_endpoints").paginate(
        NameContains=part,
        StatusEquals="InService",
        SortBy="Name",
        SortOrder="Ascending",
        PaginationConfig={"PageSize": 5},
    )
    listed = [endpoint["EndpointName"] for page in pages for endpoint in page["Endpoints"]]
    assert listed == [*names, f"p-{part}-new"]
    assert sagemaker.list_endpoints(NameContains=part, StatusEquals="Failed")["Endpoints"] == []
    newest = first["Endpoints"][0]["CreationTime"]
    newer = sagemaker.list_endpoints(NameContains=part, CreationTimeAfter=newest)["Endpoints"]
    assert [endpoint["EndpointName"] for endpoint in newer] == [f"p-{part}-new"]
    assert "token" in refusal(sagemaker.list_endpoints, NextToken="not-a-token")


def test_tags_are_stored_added_and_deleted_with_their_endpoint(sagemaker_stage: Stage) -> None:
    sagemaker, name = sagemaker_stage.sagemaker, sagemaker_stage.configuration()
    arn = sagemaker.create_endpoint(
        EndpointName=name, EndpointConfigName=name, Tags=[{"Key": "stage", "Value": "dev"}]
    )["EndpointArn"]
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "stage", "Value": "prod"}, {"Key": "a", "Value": "b"}])
    tags = [{"Key": "stage", "Value": "prod"}, {"Key": "a", "Value": "b"}]
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == tags
    sagemaker_stage.turn()
    assert sagemaker_stage.status(name) == "InService"
    sagemaker.delete_endpoint(EndpointName=name)
    sagemaker_stage.turn()
    assert sagemaker_stage.status(name) is None
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == []


VARIANT = {"VariantName": "all", "ModelName": "m"}
INVALID_TOPIC = {"OutputConfig": {"S3OutputPath": "s3://b/o", "NotificationConfig": {"SuccessTopic": "no-arn"}}}


@pytest.mark.parametrize(
    ("operation", "parameters", "words"),
    [
        ("create_endpoint", {"EndpointName": "e"}, 'Missing required parameter in input: "EndpointConfigName"'),
        ("describe_endpoint", {"EndpointName": 7}, "Invalid type for parameter EndpointName"),
        ("describe_endpoint", {"EndpointName": "a_b"}, "'endpointName' failed to satisfy constraint: Member must"),
        ("describe_endpoint", {"EndpointName": "a" * 64}, "length less than or equal to 63"),
        ("list_endpoints", {"MaxResults": 101}, "value less than or equal to 100"),
        ("list_endpoints", {"StatusEquals": "Fine"}, "satisfy enum value set: [OutOfService, Creating"),
        ("create_endpoint_config", {"EndpointConfigName": "c", "ProductionVariants": []}, "min length: 1"),
        (
            "create_endpoint_config",
            {"EndpointConfigName": "c", "ProductionVariants": [VARIANT | {"InstanceType": "ml.huge"}]},
            "'productionVariants.1.member.instanceType'",
        ),
        (
            "create_endpoint_config",
            {"EndpointConfigName": "c", "ProductionVariants": [VARIANT], "AsyncInferenceConfig": INVALID_TOPIC},
            "outputConfig.notificationConfig.successTopic",
        ),
        ("create_model", {"ModelName": "m"}, "PrimaryContainer"),
    ],
)
def test_an_input_that_the_service_model_forbids_is_refused(
    sagemaker_stage: Stage, operation: str, parameters: dict[str, Any], words: str
) -> None:
    assert words in refusal(getattr(sagemaker_stage.sagemaker, operation), **parameters)


def send(stage: Stage, operation: str, parameters: dict[str, Any]) -> httpx.Response:
    headers = {"X-Amz-Target": f"SageMaker.{operation}", "Content-Type": "application/x-amz-json-1.1"}
    return http().post(stage.simulator, headers=headers, content=json.dumps(parameters))


@pytest.mark.parametrize("operation", ["CreateTrainingJob", "NoSuchThing"])
def test_an_operation_that_is_not_simulated_is_unknown(sagemaker_stage: Stage, operation: str) -> None:
    response = send(sagemaker_stage, operation, {})
    assert (response.status_code, response.json()["__type"]) == (400, "UnknownOperationException")


def test_a_member_that_does_not_exist_is_refused(sagemaker_stage: Stage) -> None:
    response = send(sagemaker_stage, "DescribeEndpoint", {"EndpointName": "e", "Extra": 1})
    assert response.status_code == 400
    assert 'Unknown parameter in input: "Extra"' in response.json()["message"]


def test_every_output_has_the_shape_that_the_service_model_gives_it(sagemaker_stage: Stage) -> None:
    name = sagemaker_stage.endpoint().name
    arn = f"arn:aws:sagemaker:us-east-1:000000000000:endpoint/{name}"
    config = {"EndpointConfigName": "shape-c", "ProductionVariants": [VARIANT | {"ModelName": "shape-m"}]}
    calls: list[tuple[str, dict[str, Any]]] = [
        ("CreateModel", {"ModelName": "shape-m", "PrimaryContainer": {"Image": IMAGE}}),
        ("DescribeModel", {"ModelName": name}),
        ("ListModels", {"MaxResults": 1}),
        ("CreateEndpointConfig", config),
        ("DescribeEndpointConfig", {"EndpointConfigName": name}),
        ("ListEndpointConfigs", {"MaxResults": 1}),
        ("CreateEndpoint", {"EndpointName": "shape-e", "EndpointConfigName": "shape-c"}),
        ("DescribeEndpoint", {"EndpointName": "shape-e"}),
        ("DescribeEndpoint", {"EndpointName": name}),
        ("ListEndpoints", {"MaxResults": 1}),
        ("AddTags", {"ResourceArn": arn, "Tags": [{"Key": "a", "Value": "b"}]}),
        ("ListTags", {"ResourceArn": arn}),
    ]
    for operation, parameters in calls:
        response = send(sagemaker_stage, operation, parameters)
        assert response.status_code == 200, response.text
        shape = service_model("sagemaker").operation_model(operation).output_shape
        assert isinstance(shape, StructureShape)
        assert violations(response.json(), shape) is None
    for operation, parameters in [
        ("DeleteEndpoint", {"EndpointName": name}),
        ("DeleteEndpointConfig", {"EndpointConfigName": "shape-c"}),
        ("DeleteModel", {"ModelName": "shape-m"}),
    ]:
        response = send(sagemaker_stage, operation, parameters)
        assert (response.status_code, response.content) == (200, b"")
        assert service_model("sagemaker").operation_model(operation).output_shape is None
