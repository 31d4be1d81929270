"""What a new stage needs before its first job: a checkpoint on the shelf and an endpoint in service."""

import hashlib
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3

from darkroom.checkpoints.model import ModelKey
from darkroom.endpoints.model import SERVING
from darkroom.settings import endpoint_prefix
from darkroom.times import iso
from darkroom_client import Darkroom
from local.deploy import STAGE
from local.processes import StackError
from local.shelf import register

REGION = "us-east-1"
CHECKPOINT = "v1-5-pruned-emaonly.safetensors"
TINY = "tiny-sd15"
"""The checkpoint of the tiny random models."""
NAME = "preview"
ENDPOINT = endpoint_prefix(STAGE) + NAME
_EMPTY_SAFETENSORS = (2).to_bytes(8, "little") + b"{}"
"""The smallest valid safetensors file, which is enough because the preview engine needs no weights."""


def seed(
    outputs: Mapping[str, str], aws: str, darkroom: Darkroom, models: Path | None = None, timeout: float = 30
) -> None:
    """Make checkpoint and endpoint unless they exist, and wait until the endpoint takes jobs. With a folder of `models`
    its files are put on the shelf in place of the checkpoint. Raises StackError after `timeout` seconds."""
    if models:
        register(models, _client("dynamodb", aws), outputs["ModelsTable"])
    else:
        _checkpoint(outputs, aws)
    _endpoint(darkroom, timeout)


def admin_key(outputs: Mapping[str, str], aws: str) -> str:
    """The first admin key of the deployed stage."""
    text = _client("secretsmanager", aws).get_secret_value(SecretId=outputs["AdminSecretArn"])["SecretString"]
    return str(json.loads(text)["secret"])


def _client(service: str, url: str) -> Any:
    # All settings are explicit, so that the person's own AWS configuration is never used.
    session = boto3.session.Session("test", "test", region_name=REGION)
    return session.client(service, endpoint_url=url)  # type: ignore[call-overload]


def _checkpoint(outputs: Mapping[str, str], aws: str) -> None:
    key = ModelKey("stable-diffusion", CHECKPOINT)
    content = _EMPTY_SAFETENSORS
    _client("s3", aws).put_object(Bucket=outputs["ModelsBucket"], Key=key.default_object, Body=content)
    row = {
        "kind": key.kind,
        "name": key.name,
        "status": "active",
        "owner": "admin",
        "sha256": hashlib.sha256(content).hexdigest(),
        "created_at": iso(datetime.now(UTC)),
    }
    item = {name: {"S": value} for name, value in row.items()} | {"size": {"N": str(len(content))}}
    _client("dynamodb", aws).put_item(TableName=outputs["ModelsTable"], Item=item)


def _endpoint(darkroom: Darkroom, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    status = darkroom.request("POST", "/endpoints", json={"name": NAME})["status"]
    while status not in SERVING:
        if time.monotonic() > deadline:
            raise StackError(f"The endpoint {ENDPOINT} is {status}, not InService.")
        time.sleep(0.2)
        status = darkroom.request("GET", f"/endpoints/{ENDPOINT}")["status"]
