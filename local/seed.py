"""What a fresh stage needs before its first job: one checkpoint on the shelf, one endpoint in service."""

import hashlib
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import boto3

from darkroom.checkpoints.model import ModelKey
from darkroom.endpoints.model import SERVING
from darkroom.settings import endpoint_prefix
from darkroom.times import iso
from darkroom_client import Darkroom
from local.deploy import STAGE
from local.processes import StackError

REGION = "us-east-1"
CHECKPOINT = "v1-5-pruned-emaonly.safetensors"
NAME = "preview"
ENDPOINT = endpoint_prefix(STAGE) + NAME
_EMPTY_SAFETENSORS = (2).to_bytes(8, "little") + b"{}"
"""The smallest valid safetensors file: the preview engine paints without weights."""


def seed(outputs: Mapping[str, str], aws: str, darkroom: Darkroom, timeouts: float = 30) -> None:
    """Make checkpoint and endpoint, as often as it is called; waits until the endpoint takes jobs."""
    _checkpoint(outputs, aws)
    _endpoint(darkroom, timeouts)


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
        "created_at": iso(datetime.now(UTC)),
    }
    item = {name: {"S": value} for name, value in row.items()} | {"size": {"N": str(len(content))}}
    _client("dynamodb", aws).put_item(TableName=outputs["ModelsTable"], Item=item)


def _endpoint(darkroom: Darkroom, timeouts: float) -> None:
    deadline = time.monotonic() + timeouts
    status = darkroom.request("POST", "/endpoints", json={"name": NAME})["status"]
    while status not in SERVING:
        if time.monotonic() > deadline:
            raise StackError(f"The endpoint {ENDPOINT} is {status}, not InService.")
        time.sleep(0.2)
        status = darkroom.request("GET", f"/endpoints/{ENDPOINT}")["status"]
