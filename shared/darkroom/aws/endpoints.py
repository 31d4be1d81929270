"""SageMaker's endpoints: reading, creating and deleting them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from darkroom.endpoints.model import (
    CHANGING,
    NAME,
    Container,
    Endpoint,
    EndpointDetails,
    EndpointSpec,
    EndpointTags,
    Machine,
    Part,
)
from darkroom.endpoints.ports import PartKind
from darkroom.errors import Conflict, DarkroomError, Invalid
from darkroom.times import iso

if TYPE_CHECKING:
    from types_boto3_sagemaker import SageMakerClient

VARIANT = "main"
"""Every endpoint has this one variant."""
AT_ONCE_VARIABLE, ENGINE_VARIABLE = "DARKROOM_JOBS_AT_ONCE", "DARKROOM_ENGINE"
PICKLES_VARIABLE, COMPILED_VARIABLE = "DARKROOM_PICKLES", "DARKROOM_COMPILED"
"""The environment variables that tell the container how many jobs to work at side by side, what to paint with, whether
the stage takes pickles, and where in S3 compiled code is kept for the next instance."""
STARTING_SECONDS, DOWNLOAD_SECONDS = 900, 900
"""How long the worker may take to unpack its package and to import torch from a cold disk, and SageMaker to download
the package: SageMaker allows 60 to 3600 for each (API reference, ProductionVariant)."""
PROVISION_SECONDS = 1_800
"""How long SageMaker may look for an instance among several types before it gives the change up: 300 to 3600 (API
reference, ProductionVariant). An endpoint cannot be changed or deleted meanwhile; a new one that finds none fails."""
_PAGE = {"SortBy": "CreationTime", "SortOrder": "Descending", "PaginationConfig": {"PageSize": 100}}
_VALIDATION = "ValidationException"
"""SageMaker's error code for a name that is taken, a name that does not exist, and an invalid value alike."""


@dataclass(frozen=True)
class EndpointDefaults:
    """What all endpoints of a stage share: the role of their containers, the bucket for answers, the ARN of the topic
    for SageMaker's notifications, the setting `pickles`, and the S3 prefix for compiled code."""

    role: str
    bucket: str
    topic: str
    pickles: str
    compiled: str


class SageMakerEndpoints:
    """`darkroom.endpoints.ports.EndpointSource`: everything is found by the prefix of its name."""

    def __init__(self, client: "SageMakerClient", prefix: str) -> None:
        self._client = client
        self._prefix = prefix

    def all(self) -> list[Endpoint]:
        """See `EndpointSource.all`: one ListEndpoints for each 100."""
        return [
            Endpoint(
                found["EndpointName"],
                found["EndpointStatus"],
                iso(found["CreationTime"]),
                iso(found["LastModifiedTime"]),
            )
            for found in self._listed("list_endpoints", "Endpoints", "EndpointName", self._prefix)
        ]

    def describe(self, name: str) -> EndpointDetails | None:
        """See `EndpointSource.describe`: one DescribeEndpoint."""
        # SageMaker answers a validation error for a text that is no legal name (service model, EndpointName).
        if not NAME.fullmatch(name):
            return None
        try:
            found = self._client.describe_endpoint(EndpointName=name)
        except ClientError as error:
            if _code(error) != _VALIDATION:
                raise
            spelled = next((endpoint.name for endpoint in self.all() if endpoint.is_called(name)), None)
            if spelled is None:
                return None
            if spelled == name:
                raise
            # Only of CreateEndpoint does the API reference say that the case of a name does not matter.
            found = self._client.describe_endpoint(EndpointName=spelled)
        # An endpoint that failed before it had an instance has no variants.
        variant: Any = next(iter(found.get("ProductionVariants", [])), {})
        images = [image.get("SpecifiedImage") for image in variant.get("DeployedImages", [])]
        return EndpointDetails(
            Endpoint(
                found["EndpointName"],
                found["EndpointStatus"],
                iso(found["CreationTime"]),
                iso(found["LastModifiedTime"]),
            ),
            arn=found["EndpointArn"],
            config=found.get("EndpointConfigName", ""),
            current=variant.get("CurrentInstanceCount", 0),
            desired=variant.get("DesiredInstanceCount", 0),
            image=images[0] if images else None,
            failure=found.get("FailureReason"),
            running={pool["InstanceType"]: pool["CurrentInstanceCount"] for pool in variant.get("InstancePools", [])},
            said=_said(variant),
        )

    def endpoint_tags(self, details: EndpointDetails) -> EndpointTags:
        """See `EndpointSource.endpoint_tags`: one ListTags and one DescribeEndpointConfig."""
        machine, tags = self.machine(details.config), self.tags(details.arn)
        return EndpointTags(machine.instance_type, tags, machine.fallbacks) if machine else EndpointTags(None, tags)

    def tags(self, arn: str) -> dict[str, str]:
        """See `EndpointSource.tags`: one ListTags."""
        try:
            pages = self._client.get_paginator("list_tags").paginate(ResourceArn=arn)
            return {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}
        except ClientError as error:
            if _code(error) == _VALIDATION:
                return {}
            raise

    def parts(self, kind: PartKind) -> list[Part]:
        """See `EndpointSource.parts`: one List call for each 100."""
        operation, key, name = _LISTS[kind]
        return [
            Part(found[name], found[name.removesuffix("Name") + "Arn"], found["CreationTime"].timestamp())
            for found in self._listed(operation, key, name, self._prefix)
        ]

    def there(self, kind: str, name: str) -> bool:
        """Whether an endpoint, config or model of this name exists. A List call shows it: Describe answers with the
        same error code whatever is wrong."""
        operation, key, attribute = _LISTS[kind]
        listed = self._listed(operation, key, attribute, self._prefix)
        return any(found[attribute].lower() == name.lower() for found in listed)

    def machine(self, config: str) -> Machine | None:
        """See `EndpointSource.machine`: one DescribeEndpointConfig."""
        try:
            found = self._client.describe_endpoint_config(EndpointConfigName=config)
        except ClientError as error:
            # A configuration can be deleted while its endpoint exists; the instance type is then unknown.
            if _code(error) == _VALIDATION:
                return None
            raise
        types = _types(next(iter(found["ProductionVariants"]), {}))
        client = found.get("AsyncInferenceConfig", {}).get("ClientConfig", {})
        at_once = client.get("MaxConcurrentInvocationsPerInstance", 1)
        return Machine(types[0], at_once, types[1:]) if types else None

    def _listed(self, operation: str, key: str, name: str, beginning: str) -> Iterator[Any]:
        pages = self._client.get_paginator(operation).paginate(NameContains=beginning, **_PAGE)  # type: ignore[call-overload]
        return (found for page in pages for found in page[key] if found[name].startswith(beginning))


class SageMakerControl:
    """`darkroom.endpoints.ports.EndpointControl`: one call each, and a List call when SageMaker refuses it."""

    def __init__(self, client: "SageMakerClient", source: SageMakerEndpoints, defaults: EndpointDefaults) -> None:
        self._client = client
        self._source = source
        self._defaults = defaults

    def make_model(self, spec: EndpointSpec) -> None:
        """See `EndpointControl.make_model`: one CreateModel.

        There is no EnableNetworkIsolation: an isolated container cannot reach S3 and SQS.
        """
        container: Any = {
            "Image": spec.container.image,
            "Environment": self._environment(spec),
            **_package(spec.container),
        }
        self._make(
            "model",
            spec.parts,
            lambda: self._client.create_model(
                ModelName=spec.parts,
                PrimaryContainer=container,
                ExecutionRoleArn=self._defaults.role,
                Tags=_tags(spec.tags),
            ),
        )

    def _environment(self, spec: EndpointSpec) -> dict[str, str]:
        engine = {ENGINE_VARIABLE: spec.engine} if spec.engine else {}
        return {
            AT_ONCE_VARIABLE: str(spec.at_once),
            PICKLES_VARIABLE: self._defaults.pickles,
            COMPILED_VARIABLE: self._defaults.compiled,
            **engine,
            **spec.container.environment,
        }

    def make_config(self, spec: EndpointSpec) -> None:
        """See `EndpointControl.make_config`: one CreateEndpointConfig.

        An endpoint begins with one instance at least (SageMaker Developer Guide, "Autoscale an asynchronous
        endpoint": zero comes from scaling in).
        """
        defaults = self._defaults
        variant: Any = {
            "VariantName": VARIANT,
            "ModelName": spec.parts,
            **_instances(spec.instance_types),
            "InitialInstanceCount": max(1, spec.bounds.least),
            **_start(spec.container),
        }
        self._make(
            "config",
            spec.parts,
            lambda: self._client.create_endpoint_config(
                EndpointConfigName=spec.parts,
                ProductionVariants=[variant],
                AsyncInferenceConfig={
                    "OutputConfig": {
                        "S3OutputPath": f"s3://{defaults.bucket}/",
                        "S3FailurePath": f"s3://{defaults.bucket}/failures/",
                        "NotificationConfig": {
                            "SuccessTopic": defaults.topic,
                            "ErrorTopic": defaults.topic,
                            "IncludeInferenceResponseIn": ["SUCCESS_NOTIFICATION_TOPIC", "ERROR_NOTIFICATION_TOPIC"],
                        },
                    },
                    "ClientConfig": {"MaxConcurrentInvocationsPerInstance": spec.at_once + spec.waiting},
                },
                Tags=_tags(spec.tags),
            ),
        )

    def make_endpoint(self, spec: EndpointSpec) -> None:
        """See `EndpointControl.make_endpoint`: one CreateEndpoint."""
        self._make(
            "endpoint",
            spec.name,
            lambda: self._client.create_endpoint(
                EndpointName=spec.name, EndpointConfigName=spec.parts, Tags=_tags(spec.tags)
            ),
        )

    def tag(self, arn: str, tags: Mapping[str, str]) -> None:
        """See `EndpointControl.tag`: one AddTags, which replaces tags of the same key."""
        self._client.add_tags(ResourceArn=arn, Tags=_tags(tags))

    def remove_endpoint(self, name: str) -> None:
        """See `EndpointControl.remove_endpoint`: one DeleteEndpoint."""
        try:
            self._client.delete_endpoint(EndpointName=name)
        except ClientError as error:
            if _code(error) != _VALIDATION:
                raise
            described = self._source.describe(name)
            if described and described.endpoint.status in CHANGING:
                raise Conflict(
                    "endpoint_changing", f"SageMaker is at work on the endpoint: {described.endpoint.status}."
                ) from error
            if described:
                raise

    def remove_part(self, kind: PartKind, name: str) -> None:
        """See `EndpointControl.remove_part`: one DeleteModel or DeleteEndpointConfig."""
        try:
            if kind == "model":
                self._client.delete_model(ModelName=name)
            else:
                self._client.delete_endpoint_config(EndpointConfigName=name)
        except ClientError as error:
            if _code(error) != _VALIDATION or self._source.there(kind, name):
                raise

    def _make(self, kind: str, name: str, call: Callable[[], object]) -> None:
        try:
            call()
        except ClientError as error:
            if _code(error) == _VALIDATION and self._source.there(kind, name):
                return  # An earlier request created it. The names of parts are made from their content.
            if (refusal := _refusal(error)) is None:
                raise
            raise refusal from error


_LISTS = {
    "endpoint": ("list_endpoints", "Endpoints", "EndpointName"),
    "config": ("list_endpoint_configs", "EndpointConfigs", "EndpointConfigName"),
    "model": ("list_models", "Models", "ModelName"),
}


def _package(container: Container) -> dict[str, Any]:
    """The folder that SageMaker puts into the container: every object below the prefix, each as it is."""
    if container.package is None:
        return {}
    place = {"S3Uri": container.package, "S3DataType": "S3Prefix", "CompressionType": "None"}
    return {"ModelDataSource": {"S3DataSource": place}}


def _start(container: Container) -> dict[str, Any]:
    """How a container with a package is started. A container of one's own starts as SageMaker does it by itself.

    There is no VolumeSizeInGB: types with a disk of their own, as g5 and g6, refuse it.
    """
    if container.package is None:
        return {}
    times = {
        "ContainerStartupHealthCheckTimeoutInSeconds": STARTING_SECONDS,
        "ModelDataDownloadTimeoutInSeconds": DOWNLOAD_SECONDS,
    }
    return {**times, **({"InferenceAmiVersion": container.ami} if container.ami else {})}


def _instances(types: tuple[str, ...]) -> dict[str, Any]:
    """The instance types of a variant, the preferred one first. One type is asked for as ever."""
    if len(types) == 1:
        return {"InstanceType": types[0]}
    pools = [{"InstanceType": each, "Priority": priority} for priority, each in enumerate(types, 1)]
    return {"InstancePools": pools, "VariantInstanceProvisionTimeoutInSeconds": PROVISION_SECONDS}


def _types(variant: Mapping[str, Any]) -> tuple[str, ...]:
    """The instance types of a configuration's variant, the preferred one first."""
    pools = sorted(variant.get("InstancePools", []), key=lambda pool: pool["Priority"])
    names = [pool["InstanceType"] for pool in pools] or [variant.get("InstanceType")]
    return tuple(name for name in names if name)


def _said(variant: Mapping[str, Any]) -> str | None:
    """What SageMaker says of a change of a variant that is under way."""
    told = [status.get("StatusMessage") for status in variant.get("VariantStatus", [])]
    return " ".join(text for text in told if text) or None


def _refusal(error: ClientError) -> DarkroomError | None:
    reason = error.response["Error"].get("Message", "no reason given")[:500]
    if _code(error) == "ResourceLimitExceeded":
        return Conflict(
            "quota_exceeded",
            f"{reason} Ask for a higher quota (Service Quotas, Amazon SageMaker) or take another type.",
        )
    if _code(error) == _VALIDATION:
        return Invalid("endpoint_not_possible", f"SageMaker refused it: {reason}")
    return None


def _code(error: ClientError) -> str:
    return error.response["Error"].get("Code", "")


def _tags(tags: Mapping[str, str]) -> list[Any]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
