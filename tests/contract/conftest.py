"""Fixtures of the contract tests: MiniStack and the SageMaker simulator on this machine, and the worker over AWS in
memory."""

import sys
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from local.sagemaker.server import build
from local.sagemaker.settings import SimulatorSettings
from tests.contract.serving import free_port, running_process, served
from tests.contract.stage import MINUTE, Stage, Worker
from tests.contract.worker_client import BUCKET, REGION, s3
from tests.support.mocked import mocked_aws
from worker.server import create_app


@pytest.fixture(scope="session")
def aws_on_this_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """MiniStack on a free port, as its base URL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with running_process(
        sys.executable,
        "-m",
        "ministack",
        health=f"{url}/_ministack/health",
        BIND_HOST="127.0.0.1",
        GATEWAY_PORT=str(port),
        IOT_MTLS_ENABLED="0",
        STATE_DIR=str(tmp_path_factory.mktemp("ministack")),
    ):
        yield url


@pytest.fixture(scope="session")
def shared_sagemaker(aws_on_this_machine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A simulator in this process, shared by all tests, with a worker that does what a request says."""
    worker = Worker()
    with served(worker.app()) as worker_url:
        state = tmp_path_factory.mktemp("sagemaker")
        settings = SimulatorSettings(worker_url, aws_on_this_machine, state, creating_seconds=MINUTE)
        with served(build(settings)) as simulator:
            yield Stage(simulator, aws_on_this_machine, worker)


@pytest.fixture
def sagemaker_stage(shared_sagemaker: Stage) -> Stage:
    """The simulator with all knobs at their defaults, whatever the test before set."""
    shared_sagemaker.knobs()
    return shared_sagemaker


@pytest.fixture
def aws_in_memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """AWS in memory with the bucket of the pictures."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_REGION", REGION)
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    with mocked_aws():
        s3().create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        yield


@pytest.fixture
def worker(aws_in_memory: None) -> Iterator[TestClient]:
    """The worker with its usual engine, as a client of it."""
    with TestClient(create_app()) as client:
        yield client
