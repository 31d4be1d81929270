"""From `make worker` to a picture, without Docker: the real `cdk deploy` with the worker's package, into a stack of its
own; an endpoint in a container of AWS; and what lies in S3, started as SageMaker starts it."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from darkroom_client import Darkroom
from layers.worker.package import Package, build
from local import stack
from local.home import Home
from local.seed import CHECKPOINT
from tests.contract.test_worker_package import Container
from tests.e2e.conftest import Running, aws
from tests.support.waiting import eventually

NAME = "darkroom-local-packaged"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    """A package for previews that runs on this machine's Python."""
    folder = tmp_path_factory.mktemp("packages")
    return build(folder, "pytorch", "preview", f"{sys.version_info.major}.{sys.version_info.minor}")


@pytest.fixture(scope="module")
def packaged(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A stage that has the package in place of a container of its own."""
    home = Home(tmp_path_factory.mktemp("packaged"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DARKROOM_WORKER_PACKAGE", str(package.folder.parents[1]))
        try:
            started = stack.up(home, print)
            key = home.key_file.read_text()
            with Darkroom(started.api, key) as client:
                yield Running(home, started, client, key)
        finally:
            stack.down(home)


def sagemaker(darkroom: Running) -> Any:
    session = boto3.session.Session("test", "test", region_name="us-east-1")
    return session.client("sagemaker", endpoint_url=darkroom.stack.sagemaker)


def prefix_of(darkroom: Running) -> tuple[str, str]:
    """The bucket and the prefix that the endpoint's model names."""
    (model,) = sagemaker(darkroom).list_models(NameContains=NAME)["Models"]
    container = sagemaker(darkroom).describe_model(ModelName=model["ModelName"])["PrimaryContainer"]
    assert container["Image"].endswith("/pytorch:2.13.0-cpu-amzn2023-sagemaker")
    uri = container["ModelDataSource"]["S3DataSource"]["S3Uri"]
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    return bucket, prefix


def test_a_person_who_has_deployed_types_one_command_and_gets_a_picture(packaged: Running, package: Package) -> None:
    made = packaged.command("endpoints", "create", "packaged", "--engine", "preview").stdout.splitlines()
    assert made == [f"{NAME}: Creating (ml.m5.large, preview)", f"{NAME}: InService"]
    again = packaged.command("endpoints", "create", "packaged", "--engine", "preview").stdout.splitlines()
    assert again[-1] == f"{NAME}: InService"
    job = {"type": "txt2img", "checkpoint": CHECKPOINT, "endpoint": NAME, "parameters": {"prompt": "a pier"}}
    done = packaged.client.settled(packaged.client.submit(job)["id"], 30)
    assert (done["status"], done["instance_type"], len(done["images"])) == ("succeed", "ml.m5.large", 1)
    assert prefix_of(packaged) == (packaged.stack.outputs["ModelsBucket"], f"worker/{package.digest}/")


def test_what_lies_in_s3_is_the_package_and_starts_as_sagemaker_starts_it(
    packaged: Running, package: Package, tmp_path: Path
) -> None:
    packaged.command("endpoints", "create", "packaged", "--engine", "preview")
    bucket, prefix = prefix_of(packaged)
    s3 = aws("s3", packaged.stack.aws)
    model = tmp_path / "opt" / "ml" / "model"
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page["Contents"]:
            place = model / entry["Key"].removeprefix(prefix)
            place.parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(bucket, entry["Key"], str(place))
    for file in package.folder.rglob("*"):
        if file.is_file():
            assert (model / file.relative_to(package.folder)).read_bytes() == file.read_bytes()
    container = Container(tmp_path, model)
    with container.serving() as process:
        process.terminate()
        process.wait(30)


def test_the_default_engine_is_the_packages(packaged: Running) -> None:
    """The package here paints previews only: what it cannot do is refused before anything is made."""
    refused = packaged.command("endpoints", "create", "other", "--engine", "diffusers", check=False)
    assert refused.returncode == 1
    assert "make worker" in refused.stderr
    made = packaged.client.request("POST", "/endpoints", json={"name": "other"})
    assert (made["engine"], made["instance_type"]) == ("preview", "ml.m5.large")
    eventually(lambda: packaged.client.request("GET", "/endpoints/other")["usable"])
    packaged.client.request("DELETE", "/endpoints/other")
