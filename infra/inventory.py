"""What a stage has in its account and region, and what of it costs money while nobody uses it."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from botocore.exceptions import ClientError

from darkroom.settings import endpoint_prefix
from infra.deployed import resources, stack_names


@dataclass(frozen=True)
class Resource:
    """A resource of a stack: its id in the template, its type, its name, and whether it goes with the stack."""

    logical: str
    kind: str
    name: str
    stays: bool


@dataclass(frozen=True)
class Endpoint:
    """An endpoint of the stage, which belongs to no stack, with the instances that it has now."""

    name: str
    status: str
    instance_type: str
    instances: int


@dataclass(frozen=True)
class Inventory:
    """All of a stage. Names of log groups and alarms are those that belong to no stack."""

    stacks: tuple[str, ...] = ()
    resources: tuple[Resource, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    objects: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By bucket: how many objects, and their bytes."""
    rows: dict[str, int] = field(default_factory=dict)
    """By table, as DynamoDB last counted them: that may be six hours ago."""
    logs: tuple[str, ...] = ()
    alarms: tuple[str, ...] = ()

    def of(self, kind: str) -> list[Resource]:
        """The resources of a type, as in `S3::Bucket`."""
        return [one for one in self.resources if one.kind == f"AWS::{kind}"]


def look(session: Any, stage: str) -> Inventory:
    """What is there of a stage. Nothing is changed."""
    cloudformation, s3, dynamodb = (session.client(name) for name in ("cloudformation", "s3", "dynamodb"))
    stacks = tuple(name for name in reversed(stack_names(stage)) if _there(cloudformation, name))
    found = Inventory(stacks, tuple(one for stack in stacks for one in _resources(cloudformation, stack)))
    return replace(
        found,
        endpoints=tuple(endpoints(session.client("sagemaker"), stage)),
        objects={one.name: _content(s3, one.name) for one in found.of("S3::Bucket")},
        rows={one.name: _rows(dynamodb, one.name) for one in found.of("DynamoDB::GlobalTable")},
        logs=tuple(log_groups(session.client("logs"), stage)),
        alarms=tuple(alarms(session.client("cloudwatch"), stage)),
    )


def endpoints(sagemaker: Any, stage: str) -> Iterator[Endpoint]:
    """The endpoints of a stage. SageMaker finds names that contain a text; those count that begin with it."""
    beginning = endpoint_prefix(stage)
    for page in sagemaker.get_paginator("list_endpoints").paginate(NameContains=beginning):
        for one in page["Endpoints"]:
            if one["EndpointName"].lower().startswith(beginning):
                yield _endpoint(sagemaker, one["EndpointName"])


def log_groups(logs: Any, stage: str) -> Iterator[str]:
    """The log groups of a stage's endpoints. SageMaker makes them, so they belong to no stack."""
    beginning = f"/aws/sagemaker/Endpoints/{endpoint_prefix(stage)}"
    for page in logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=beginning):
        yield from (group["logGroupName"] for group in page["logGroups"])


def alarms(cloudwatch: Any, stage: str) -> Iterator[str]:
    """The alarms of a stage's endpoints, which wake them."""
    for page in cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix=endpoint_prefix(stage)):
        yield from (alarm["AlarmName"] for alarm in page["MetricAlarms"])


def _endpoint(sagemaker: Any, name: str) -> Endpoint:
    told = sagemaker.describe_endpoint(EndpointName=name)
    config = sagemaker.describe_endpoint_config(EndpointConfigName=told["EndpointConfigName"])
    kinds = ", ".join(variant.get("InstanceType", "?") for variant in config["ProductionVariants"])
    now = sum(variant.get("CurrentInstanceCount", 0) for variant in told.get("ProductionVariants", []))
    return Endpoint(name, told["EndpointStatus"], kinds, now)


def _there(cloudformation: Any, stack: str) -> bool:
    try:
        found = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        return False
    return any(one["StackStatus"] != "DELETE_COMPLETE" for one in found)


def _resources(cloudformation: Any, stack: str) -> Iterator[Resource]:
    template = cloudformation.get_template(StackName=stack)["TemplateBody"]["Resources"]
    for one in resources(cloudformation, stack):
        logical = one["LogicalResourceId"]
        stays = template.get(logical, {}).get("DeletionPolicy") == "Retain"
        yield Resource(logical, one["ResourceType"], one.get("PhysicalResourceId", ""), stays)


def _content(s3: Any, bucket: str) -> tuple[int, int]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    sizes = [entry["Size"] for page in pages for entry in page.get("Contents", [])]
    return len(sizes), sum(sizes)


def _rows(dynamodb: Any, table: str) -> int:
    return int(dynamodb.describe_table(TableName=table)["Table"].get("ItemCount", 0))
