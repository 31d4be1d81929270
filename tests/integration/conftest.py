"""A stage on moto: real DynamoDB, S3 and Secrets Manager semantics, SageMaker only as the services see it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from moto import mock_aws
from moto.s3.models import s3_backends

from darkroom import wiring
from darkroom.images.model import image_key
from tests.support.aws import REGION, SETTINGS, make_stage, put_model
from tests.support.sagemaker import FakeSageMaker, FakeScaling


class Stage:
    """The stage under test and what the tests look at behind its back."""

    def __init__(self, sagemaker: FakeSageMaker, scaling: FakeScaling) -> None:
        self.sagemaker = sagemaker
        self.scaling = scaling
        self.dynamodb: Any = boto3.client("dynamodb", region_name=REGION)
        self.s3: Any = boto3.client("s3", region_name=REGION)
        self.picture = ""
        self.first_job = ""
        self.key = ""
        make_stage(self.dynamodb, self.s3, boto3.client("secretsmanager", region_name=REGION))

    def objects(self) -> list[str]:
        """Every key in the pictures bucket."""
        found = self.s3.list_objects_v2(Bucket=SETTINGS.pictures_bucket)
        return [entry["Key"] for entry in found.get("Contents", [])]

    def rows(self) -> list[dict[str, Any]]:
        """Every item of the jobs table."""
        items: list[dict[str, Any]] = self.dynamodb.scan(TableName=SETTINGS.jobs_table)["Items"]
        return items

    def upload(self, content: bytes, owner: str = "alice") -> str:
        """Put a picture where an upload would put it; returns its id."""
        return wiring.images().put(owner, content)

    def age(self, picture: str, days: float, owner: str = "alice") -> None:
        """Let an uploaded picture be so old. Nobody can tell S3 when an object was written, so moto is changed."""
        kept = s3_backends["123456789012"]["aws"].buckets[SETTINGS.pictures_bucket].keys
        kept[image_key(owner, picture)].last_modified -= timedelta(days=days)

    def modified(self, picture: str, owner: str = "alice") -> datetime:
        """When a picture was written."""
        head = self.s3.head_object(Bucket=SETTINGS.pictures_bucket, Key=image_key(owner, picture))
        return head["LastModified"]  # type: ignore[no-any-return]

    def model(self, name: str, kind: str = "stable-diffusion", status: str = "active") -> None:
        """Put a row on the shelf."""
        put_model(self.dynamodb, name, kind, status)


def forget_wiring() -> None:
    """Let the next use build everything anew."""
    for made in vars(wiring).values():
        if hasattr(made, "cache_clear"):
            made.cache_clear()


@contextmanager
def moto_stage() -> Iterator[Stage]:
    """A stage with one checkpoint and one endpoint, wired as the functions would wire it."""
    sagemaker, scaling = FakeSageMaker(), FakeScaling()
    environment = {**SETTINGS.environment(), "AWS_DEFAULT_REGION": REGION, "POWERTOOLS_SERVICE_NAME": "test"}
    with (
        patch.dict(os.environ, environment),
        patch.object(wiring, "SageMakerEndpoints", lambda *_: sagemaker),
        patch.object(wiring, "SageMakerControl", lambda *_: sagemaker),
        patch.object(wiring, "SageMakerInference", lambda *_: sagemaker),
        patch.object(wiring, "AutoScaling", lambda *_: scaling),
        mock_aws(),
    ):
        forget_wiring()
        made = Stage(sagemaker, scaling)
        made.model("v1-5.safetensors")
        yield made
    forget_wiring()


@pytest.fixture
def stage() -> Iterator[Stage]:
    with moto_stage() as made:
        yield made
