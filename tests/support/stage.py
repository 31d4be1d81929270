"""A stage on moto: real DynamoDB, S3 and Secrets Manager semantics, SageMaker only as the services see it."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from unittest.mock import patch

import boto3
from moto.s3.models import s3_backends

from darkroom import wiring
from darkroom.aws.clients import client
from darkroom.images.model import image_key
from tests.support.aws import REGION, SETTINGS, make_stage, put_model
from tests.support.mocked import mocked_aws
from tests.support.sagemaker import FakeSageMaker, FakeScaling

# Making a client takes 0.1 s and more, and moto answers one that was made in a test before just as well: it answers
# from backends that are new in each `mock_aws`. So each process makes a client once.
darkroom_client: wiring.Clients = cache(client)
"""Clients as the services have them."""


@cache
def plain_client(service: str) -> Any:
    """A client as anybody has it, for what tests do behind a stage's back."""
    return boto3.client(service, region_name=REGION)  # type: ignore[call-overload]


class Stage:
    """The stage under test and what the tests look at behind its back."""

    def __init__(self, sagemaker: FakeSageMaker, scaling: FakeScaling) -> None:
        self.sagemaker = sagemaker
        self.scaling = scaling
        self.dynamodb = plain_client("dynamodb")
        self.s3 = plain_client("s3")
        self.picture = ""
        self.first_job = ""
        self.key = ""
        self.clients: wiring.Clients = darkroom_client
        self.configure()
        make_stage(self.dynamodb, self.s3, plain_client("secretsmanager"))

    def configure(
        self,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        threads: int = 8,
        **settings: object,
    ) -> None:
        """Start the functions anew, with some settings different: nothing they kept in memory is left."""
        configured = SETTINGS.model_copy(update=settings)
        self.services = wiring.build(configured, self.clients, clock, monotonic, threads)
        adapters = self.services.adapters
        adapters.endpoint_source = adapters.endpoint_control = adapters.inference = self.sagemaker
        adapters.waking = self.sagemaker
        adapters.scaling = self.scaling

    @property
    def adapters(self) -> wiring.Adapters:
        """The adapters under the services."""
        return self.services.adapters

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
        return self.services.images.put(owner, content)

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


@contextmanager
def moto_stage() -> Iterator[Stage]:
    """A stage with one checkpoint and one endpoint, whose services the handlers use."""
    environment = {"AWS_DEFAULT_REGION": REGION, "POWERTOOLS_SERVICE_NAME": "test"}
    with patch.dict(os.environ, environment), mocked_aws():
        made = Stage(FakeSageMaker(), FakeScaling())
        made.model("v1-5.safetensors")
        with patch.object(wiring, "stage", lambda: made.services):
            yield made
