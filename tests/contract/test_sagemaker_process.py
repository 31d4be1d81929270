"""The simulator as a process: it starts, ends, is killed and comes back."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from local.sagemaker.queue import RETRY_SECONDS
from local.sagemaker.server import build
from local.sagemaker.settings import SimulatorSettings
from tests.contract.test_sagemaker_stage import (
    IMAGE,
    MINUTE,
    Stage,
    Worker,
    eventually,
    free_port,
    http,
    process,
    served,
)

pytest_plugins = ["tests.contract.test_sagemaker_stage"]


@contextmanager
def simulator_process(
    aws: str, worker: str, state: Path, port: int, *options: str
) -> Iterator[subprocess.Popen[bytes]]:
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "local.sagemaker", "--port", str(port), "--worker", worker]
    command += ["--aws", aws, "--state", str(state), "--creating-seconds", str(MINUTE), *options]
    with process(*command, health=f"{url}/_simulator/health") as started:
        yield started


def test_a_killed_simulator_goes_on_with_what_ran_and_what_waited(aws_on_this_machine: str, tmp_path: Path) -> None:
    worker, port = Worker(), free_port()
    stage = Stage(f"http://127.0.0.1:{port}", aws_on_this_machine, worker)
    with served(worker.app()) as worker_url:
        with simulator_process(aws_on_this_machine, worker_url, tmp_path, port) as started, worker.holding():
            endpoint = stage.endpoint(at_once=1)
            stage.knobs(seed=7)
            sent = {endpoint.invoke()["InferenceId"] for _ in range(2)}
            eventually(lambda: worker.running == 1)
            os.kill(started.pid, signal.SIGKILL)
            started.wait(5)
        with simulator_process(aws_on_this_machine, worker_url, tmp_path, port):
            assert stage.status(endpoint.name) == "InService"
            assert http().get(f"{stage.simulator}/_simulator/knobs").json()["seed"] == 7
            assert {message["inferenceId"] for message in endpoint.messages(2)} == sent
            assert stage.queues()["endpoints"][endpoint.name] == {"waiting": 0, "running": 0, "done": 2}
    assert len(worker.requests) == 3, "the one that ran when the simulator was killed runs twice"


def test_a_sigterm_ends_it_within_three_seconds_and_leaves_running_work_queued(
    aws_on_this_machine: str, tmp_path: Path
) -> None:
    worker, port = Worker(), free_port()
    stage = Stage(f"http://127.0.0.1:{port}", aws_on_this_machine, worker)
    with served(worker.app()) as worker_url:
        with simulator_process(aws_on_this_machine, worker_url, tmp_path, port) as started:
            endpoint = stage.endpoint()
            stage.knobs(latency_seconds=30)
            endpoint.invoke()
            eventually(lambda: stage.queues()["endpoints"][endpoint.name]["running"] == 1)
            started.terminate()
            assert started.wait(3) == 0
        with simulator_process(aws_on_this_machine, worker_url, tmp_path, port):
            eventually(lambda: stage.queues()["endpoints"][endpoint.name]["running"] == 1)


def test_an_invocation_waits_while_there_is_no_worker(
    aws_on_this_machine: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    worker, worker_port = Worker(), free_port()
    settings = SimulatorSettings(
        f"http://127.0.0.1:{worker_port}", aws_on_this_machine, tmp_path, creating_seconds=MINUTE
    )
    with served(build(settings)) as simulator:
        endpoint = Stage(simulator, aws_on_this_machine, worker).endpoint()
        endpoint.invoke(InferenceId="patient")
        eventually(lambda: "patient waiting again" in caplog.text)
        assert endpoint.stage.queues()["endpoints"][endpoint.name]["done"] == 0
        with served(worker.app(), worker_port):
            endpoint.stage.turn(RETRY_SECONDS)
            assert endpoint.messages(1)[0]["invocationStatus"] == "Completed"


def test_an_endpoint_still_in_creation_when_the_simulator_ends_comes_into_service_after_it_is_back(
    aws_on_this_machine: str, tmp_path: Path
) -> None:
    settings = SimulatorSettings("http://127.0.0.1:9", aws_on_this_machine, tmp_path, creating_seconds=MINUTE)
    with served(build(settings)) as simulator:
        stage = Stage(simulator, aws_on_this_machine, Worker())
        stage.sagemaker.create_model(ModelName="m", PrimaryContainer={"Image": IMAGE})
        stage.sagemaker.create_endpoint_config(
            EndpointConfigName="c", ProductionVariants=[{"VariantName": "all", "ModelName": "m"}]
        )
        stage.sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="c")
        assert stage.status("e") == "Creating"
    with served(build(settings)) as simulator:
        stage = Stage(simulator, aws_on_this_machine, Worker())
        assert stage.status("e") == "Creating"
        stage.turn()
        assert stage.status("e") == "InService"
