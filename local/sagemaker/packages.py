"""What SageMaker refuses of model data and of machines, beyond what the shapes of its service model say."""

import re
from collections.abc import Callable

from local.sagemaker.capacity import types_of
from local.sagemaker.protocol import Document, refused

Holds = Callable[[str, str | None], bool]
"""Whether a role (its ARN; None for the account) can read something under an S3 prefix."""
_OWN_DISK = re.compile(r"ml\.(g4dn|g5|g6|g6e|p4d|p4de|p5)\.")
_GPU = re.compile(r"ml\.[gp]\d")


def check_container(container: Document) -> None:
    """Raises ServiceError for model data that is given twice, or whose prefix is none (service model, S3DataType: "A
    valid key name prefix … always ends with a forward slash"). The wording is not SageMaker's own."""
    source = container.get("ModelDataSource", {}).get("S3DataSource", {})
    if source and "ModelDataUrl" in container:
        raise refused("Specify either ModelDataUrl or ModelDataSource, not both.")
    if source.get("S3DataType") == "S3Prefix" and not source["S3Uri"].endswith("/"):
        raise refused(f'The S3Uri "{source["S3Uri"]}" is a prefix and must end with a forward slash.')


def check_variant(variant: Document) -> None:
    """Raises ServiceError for an instance type beside instance pools, for a machine image with GPU drivers on a type
    without a GPU, and for a volume on a type with a disk of its own (SageMaker Developer Guide, "Host instance storage
    volumes"). The wording is not SageMaker's own."""
    if "InstanceType" in variant and "InstancePools" in variant:
        raise refused("Specify either InstanceType or InstancePools, not both.")
    ami, types = variant.get("InferenceAmiVersion", ""), types_of(variant)
    if len(set(types)) < len(types):
        raise refused("InstancePools must have distinct instance types.")
    for instance_type in types or [""]:
        if "gpu" in ami and not _GPU.match(instance_type):
            raise refused(f"InferenceAmiVersion {ami} is not supported for instance type {instance_type}.")
        if "VolumeSizeInGB" in variant and _OWN_DISK.match(instance_type):
            raise refused(f"VolumeSizeInGB is not supported for instance type {instance_type}.")


def missing_data(models: list[Document], holds: Holds) -> str | None:
    """Why an endpoint with these models fails: its model data cannot be downloaded. None when it can."""
    for model in models:
        for container in model.get("Containers") or [model.get("PrimaryContainer", {})]:
            uri = container.get("ModelDataSource", {}).get("S3DataSource", {}).get("S3Uri")
            if uri and not holds(uri, model.get("ExecutionRoleArn")):
                return (
                    f'Failed to download model data for container "container_1" from URL: "{uri}". Please ensure that '
                    "there is an object located at the URL and that the role passed to CreateModel has permissions to "
                    "download the object."
                )
    return None
