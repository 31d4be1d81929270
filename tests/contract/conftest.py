"""A stack on this machine for the contract tests: MiniStack, and the SageMaker simulator in this process."""

import sys
from collections.abc import Iterator

import pytest

from local.sagemaker.server import build
from local.sagemaker.settings import SimulatorSettings
from tests.contract.serving import free_port, running_process, served
from tests.contract.stage import MINUTE, Stage, Worker


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
def sagemaker_stage(aws_on_this_machine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A simulator in this process, shared by all tests, with a worker that does what a request says."""
    worker = Worker()
    with served(worker.app()) as worker_url:
        state = tmp_path_factory.mktemp("sagemaker")
        settings = SimulatorSettings(worker_url, aws_on_this_machine, state, creating_seconds=MINUTE)
        with served(build(settings)) as simulator:
            yield Stage(simulator, aws_on_this_machine, worker)
