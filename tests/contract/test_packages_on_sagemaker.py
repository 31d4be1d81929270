"""Endpoints with the worker's package: what is asked of SageMaker, and what SageMaker refuses."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from darkroom.aws.endpoints import DOWNLOAD_SECONDS, STARTING_SECONDS
from darkroom.endpoints.api import EndpointIn
from darkroom.endpoints.containers import StageWorker
from darkroom.endpoints.model import Machine
from darkroom.endpoints.service import Endpoints
from tests.contract.stage import Stage, refusal
from tests.contract.test_fleet_on_sagemaker import DarkroomStage

BUCKET = "packages"
URI = f"s3://{BUCKET}/worker/0123/"
WORKER = StageWorker("ml.g5.xlarge", package=URI, package_engine="diffusers", region="us-east-1")


@pytest.fixture
def darkroom(sagemaker_stage: Stage) -> Iterator[DarkroomStage]:
    sagemaker_stage.s3.create_bucket(Bucket=BUCKET)
    sagemaker_stage.s3.put_object(Bucket=BUCKET, Key="worker/0123/boot.sh", Body=b"")
    yield DarkroomStage(sagemaker_stage, worker=WORKER)
    sagemaker_stage.s3.delete_object(Bucket=BUCKET, Key="worker/0123/boot.sh")


def made(darkroom: DarkroomStage, **request: Any) -> tuple[Any, Any]:
    """The container and the variant that a request leads to, as SageMaker describes them."""
    darkroom.fleet.create("alice", EndpointIn.model_validate({"name": "anime", **request}))
    sagemaker = darkroom.stage.sagemaker
    config = sagemaker.describe_endpoint_config(
        EndpointConfigName=sagemaker.describe_endpoint(EndpointName=darkroom.name)["EndpointConfigName"]
    )
    variant = config["ProductionVariants"][0]
    model = sagemaker.describe_model(ModelName=variant["ModelName"])
    assert not model.get("EnableNetworkIsolation")
    return model["PrimaryContainer"], {**variant, **config["AsyncInferenceConfig"]["ClientConfig"]}


def test_an_endpoint_with_a_gpu(darkroom: DarkroomStage) -> None:
    container, variant = made(darkroom)
    assert container["ModelDataSource"] == {
        "S3DataSource": {"S3Uri": URI, "S3DataType": "S3Prefix", "CompressionType": "None"}
    }
    assert container["Environment"] == {
        "BASH_ENV": "/opt/ml/model/boot.sh",
        "OPT_OUT_TRACKING": "true",
        "DARKROOM_ENGINE": "diffusers",
        "DARKROOM_JOBS_AT_ONCE": "1",
        "DARKROOM_PICKLES": "weights_only",
        "DARKROOM_COMPILED": "s3://models/compiled/",
    }
    assert variant["InferenceAmiVersion"] == "al2023-ami-sagemaker-inference-gpu-4-1"
    assert variant["ContainerStartupHealthCheckTimeoutInSeconds"] == STARTING_SECONDS
    assert variant["ModelDataDownloadTimeoutInSeconds"] == DOWNLOAD_SECONDS
    assert "VolumeSizeInGB" not in variant
    assert variant["MaxConcurrentInvocationsPerInstance"] == 2
    darkroom.turn_until_in_service()


def test_a_preview_has_no_drivers(darkroom: DarkroomStage) -> None:
    container, variant = made(darkroom, engine="preview", jobs_at_once=3)
    assert (variant["InstanceType"], "InferenceAmiVersion" in variant) == ("ml.m5.large", False)
    assert (container["Environment"]["DARKROOM_ENGINE"], variant["MaxConcurrentInvocationsPerInstance"]) == (
        "preview",
        4,
    )
    darkroom.turn_until_in_service()


def test_the_way_by_ray(darkroom: DarkroomStage) -> None:
    darkroom.worker = replace(WORKER, base="ray")
    container, variant = made(darkroom)
    assert container["Environment"]["SM_RAYSERVE_APP"] == "darkroom_ray:app"
    assert "BASH_ENV" not in container["Environment"]
    assert variant["InferenceAmiVersion"] == "al2-ami-sagemaker-inference-gpu-3-1"


def test_a_container_of_ones_own_is_asked_for_as_ever(darkroom: DarkroomStage) -> None:
    darkroom.worker = StageWorker("ml.g5.xlarge", "worker:1")
    container, variant = made(darkroom, jobs_at_once=3)
    assert (container["Image"], "ModelDataSource" in container) == ("worker:1", False)
    assert variant.keys() == {
        "VariantName",
        "ModelName",
        "InstanceType",
        "InitialInstanceCount",
        "MaxConcurrentInvocationsPerInstance",
    }
    assert variant["MaxConcurrentInvocationsPerInstance"] == 3


def test_what_an_instance_works_at_is_shown_for_new_endpoints_and_for_those_of_earlier_releases(
    darkroom: DarkroomStage,
) -> None:
    made(darkroom, jobs_at_once=3)
    earlier = f"{darkroom.prefix}earlier"
    asynchronous = {
        "ClientConfig": {"MaxConcurrentInvocationsPerInstance": 3},
        "OutputConfig": {"S3OutputPath": "s3://pictures/"},
    }
    darkroom.stage.configuration(earlier, asynchronous=asynchronous)
    darkroom.stage.sagemaker.create_endpoint(EndpointName=earlier, EndpointConfigName=earlier)
    endpoints = Endpoints(darkroom.source, darkroom.scaling, darkroom.jobs, darkroom.prefix)
    assert endpoints.machine(darkroom.name) == endpoints.machine(earlier) == Machine("ml.g5.xlarge", 3)


def test_an_endpoint_whose_package_is_not_there_fails_and_says_why(darkroom: DarkroomStage) -> None:
    darkroom.worker = replace(WORKER, package=f"s3://{BUCKET}/worker/4567/")
    darkroom.fleet.create("alice", EndpointIn(name="anime"))
    darkroom.stage.turn()
    found = darkroom.source.describe(darkroom.name)
    assert found
    assert found.endpoint.status == "Failed"
    assert f"s3://{BUCKET}/worker/4567/" in (found.failure or "")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"InferenceAmiVersion": "al2023-ami-sagemaker-inference-gpu-9-9"}, "satisfy enum value set"),
        ({"ContainerStartupHealthCheckTimeoutInSeconds": 59}, "valid min value: 60"),
        ({"ModelDataDownloadTimeoutInSeconds": 3601}, "less than or equal to 3600"),
        ({"VolumeSizeInGB": 100}, "VolumeSizeInGB is not supported"),
        (
            {"InstanceType": "ml.m5.large", "InferenceAmiVersion": "al2023-ami-sagemaker-inference-gpu-4-1"},
            "not supported for instance type ml.m5.large",
        ),
    ],
)
def test_variants_that_sagemaker_refuses(sagemaker_stage: Stage, wrong: dict[str, Any], words: str) -> None:
    model = sagemaker_stage.configuration()
    variant = {"VariantName": "main", "ModelName": model, "InstanceType": "ml.g5.xlarge", "InitialInstanceCount": 1}
    message = refusal(
        sagemaker_stage.sagemaker.create_endpoint_config,
        EndpointConfigName="wrong",
        ProductionVariants=[{**variant, **wrong}],
    )
    assert words in message


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"S3Uri": "s3://packages/worker/0123"}, "must end with a forward slash"),
        ({"S3DataType": "Folder"}, "satisfy enum value set"),
        ({"CompressionType": "Zip"}, "satisfy enum value set"),
        ({"S3Uri": None}, "S3Uri"),
    ],
)
def test_model_data_that_sagemaker_refuses(sagemaker_stage: Stage, wrong: dict[str, Any], words: str) -> None:
    source = {"S3Uri": URI, "S3DataType": "S3Prefix", "CompressionType": "None", **wrong}
    given = {name: value for name, value in source.items() if value is not None}
    container: Any = {"Image": "worker:1", "ModelDataSource": {"S3DataSource": given}}
    create = sagemaker_stage.sagemaker.create_model
    assert words in refusal(create, ModelName="wrong", PrimaryContainer=container)


def test_model_data_is_given_once_and_the_environment_has_its_limits(sagemaker_stage: Stage) -> None:
    create = sagemaker_stage.sagemaker.create_model
    source = {"S3DataSource": {"S3Uri": URI, "S3DataType": "S3Prefix", "CompressionType": "None"}}
    twice = {"Image": "worker:1", "ModelDataSource": source, "ModelDataUrl": "s3://packages/model.tar.gz"}
    assert "not both" in refusal(create, ModelName="wrong", PrimaryContainer=twice)
    for environment in ({"A": 1025 * "x"}, {f"A{number}": "" for number in range(101)}):
        wrong = {"Image": "worker:1", "Environment": environment}
        assert "length less than or equal to" in refusal(create, ModelName="wrong", PrimaryContainer=wrong)
