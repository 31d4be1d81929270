"""What a fresh stage needs before its first job: one checkpoint on the shelf, one endpoint in service."""

import hashlib
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.exceptions import ClientError

from darkroom.checkpoints.model import ModelKey
from darkroom.settings import endpoint_prefix
from local.deploy import STAGE
from local.processes import StackError

REGION = "us-east-1"
CHECKPOINT = "v1-5-pruned-emaonly.safetensors"
ENDPOINT = f"{endpoint_prefix(STAGE)}preview"
IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/darkroom-worker:preview"
_EMPTY_SAFETENSORS = (2).to_bytes(8, "little") + b"{}"
"""The smallest valid safetensors file: the preview engine paints without weights."""


def seed(outputs: Mapping[str, str], aws: str, sagemaker: str, patience: float = 30) -> None:
    """Make checkpoint and endpoint, as often as it is called; waits until the endpoint is InService."""
    _checkpoint(outputs, aws)
    client = _client("sagemaker", sagemaker)
    _endpoint(client, outputs)
    deadline = time.monotonic() + patience
    while (status := client.describe_endpoint(EndpointName=ENDPOINT)["EndpointStatus"]) != "InService":
        if time.monotonic() > deadline:
            raise StackError(f"The endpoint {ENDPOINT} is {status}, not InService.")
        time.sleep(0.1)


def admin_key(outputs: Mapping[str, str], aws: str) -> str:
    """The first admin key of the deployed stage."""
    text = _client("secretsmanager", aws).get_secret_value(SecretId=outputs["AdminSecretArn"])["SecretString"]
    return str(json.loads(text)["secret"])


def _client(service: str, url: str) -> Any:
    # Said outright, so that nothing of the person's own AWS set-up can get in.
    session = boto3.session.Session("test", "test", region_name=REGION)
    return session.client(service, endpoint_url=url)  # type: ignore[call-overload]


def _checkpoint(outputs: Mapping[str, str], aws: str) -> None:
    key = ModelKey("stable-diffusion", CHECKPOINT)
    content = _EMPTY_SAFETENSORS
    _client("s3", aws).put_object(Bucket=outputs["ModelsBucket"], Key=key.s3_key, Body=content)
    row = {
        "kind": key.kind,
        "name": key.name,
        "status": "active",
        "owner": "admin",
        "sha256": hashlib.sha256(content).hexdigest(),
        "created_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    item = {name: {"S": value} for name, value in row.items()} | {"size": {"N": str(len(content))}}
    _client("dynamodb", aws).put_item(TableName=outputs["ModelsTable"], Item=item)


def _endpoint(client: Any, outputs: Mapping[str, str]) -> None:
    bucket = outputs["PicturesBucket"]
    topic = outputs["ResultsTopicArn"]
    notify = {
        "SuccessTopic": topic,
        "ErrorTopic": topic,
        "IncludeInferenceResponseIn": ["SUCCESS_NOTIFICATION_TOPIC", "ERROR_NOTIFICATION_TOPIC"],
    }
    variant = {
        "VariantName": "main",
        "ModelName": ENDPOINT,
        "InstanceType": outputs["InstanceType"],
        "InitialInstanceCount": 1,
    }
    steps: list[tuple[str, dict[str, Any]]] = [
        (
            "create_model",
            {
                "ModelName": ENDPOINT,
                "PrimaryContainer": {"Image": IMAGE},
                "ExecutionRoleArn": outputs["WorkerRoleArn"],
            },
        ),
        (
            "create_endpoint_config",
            {
                "EndpointConfigName": ENDPOINT,
                "ProductionVariants": [variant],
                "AsyncInferenceConfig": {
                    "OutputConfig": {
                        "S3OutputPath": f"s3://{bucket}/",
                        "S3FailurePath": f"s3://{bucket}/failures/",
                        "NotificationConfig": notify,
                    },
                    "ClientConfig": {"MaxConcurrentInvocationsPerInstance": 1},
                },
            },
        ),
        ("create_endpoint", {"EndpointName": ENDPOINT, "EndpointConfigName": ENDPOINT}),
    ]
    for operation, arguments in steps:
        try:
            getattr(client, operation)(**arguments)
        except ClientError as error:
            # SageMaker's word for a name that is there: ValidationException "Cannot create already existing …".
            if "already existing" not in error.response["Error"]["Message"]:
                raise
