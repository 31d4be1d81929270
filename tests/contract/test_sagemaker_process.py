"""The simulator as a process: it starts, ends, is killed and is started again."""

import os
import signal
from pathlib import Path

import pytest

from local.sagemaker.queue import RETRY_SECONDS
from local.sagemaker.server import build
from local.sagemaker.settings import SimulatorSettings
from tests.contract.serving import free_port, http, served, wait_until
from tests.contract.stage import MINUTE, Stage, Worker, simulator_process


def test_the_simulator_is_healthy(sagemaker_stage: Stage) -> None:
    assert http().get(f"{sagemaker_stage.simulator}/_simulator/health").json() == {"status": "ok"}


def test_running_and_waiting_invocations_are_done_after_a_kill(aws_on_this_machine: str, tmp_path: Path) -> None:
    worker, port = Worker(), free_port()
    stage = Stage(f"http://127.0.0.1:{port}", aws_on_this_machine, worker)
    with served(worker.app()) as worker_url:
        with simulator_process(aws_on_this_machine, worker_url, tmp_path, port) as process, worker.holding():
            endpoint = stage.endpoint(at_once=1)
            stage.knobs(seed=7)
            invocations = {endpoint.invoke()["InferenceId"] for _ in range(2)}
            wait_until(lambda: worker.running == 1)
            os.kill(process.pid, signal.SIGKILL)
            process.wait(5)
        with simulator_process(aws_on_this_machine, worker_url, tmp_path, port):
            assert stage.status(endpoint.name) == "InService"
            assert http().get(f"{stage.simulator}/_simulator/knobs").json()["seed"] == 7
            assert {message["inferenceId"] for message in endpoint.messages(2)} == invocations
            assert stage.queues()["endpoints"][endpoint.name] == {"waiting": 0, "running": 0, "done": 2}
    assert len(worker.requests) == 3, "the invocation that ran when the simulator was killed runs twice"


def test_a_sigterm_ends_the_simulator_and_its_running_work_runs_again_after_a_restart(
    aws_on_this_machine: str, tmp_path: Path
) -> None:
    worker, port = Worker(), free_port()
    stage = Stage(f"http://127.0.0.1:{port}", aws_on_this_machine, worker)
    with served(worker.app()) as worker_url:
        with simulator_process(aws_on_this_machine, worker_url, tmp_path, port) as process:
            endpoint = stage.endpoint()
            stage.knobs(latency_seconds=30)
            endpoint.invoke()
            wait_until(lambda: stage.queues()["endpoints"][endpoint.name]["running"] == 1)
            process.terminate()
            assert process.wait(3) == 0
        with simulator_process(aws_on_this_machine, worker_url, tmp_path, port):
            wait_until(lambda: stage.queues()["endpoints"][endpoint.name]["running"] == 1)


def test_an_invocation_waits_while_there_is_no_worker(
    aws_on_this_machine: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    worker, worker_port = Worker(), free_port()
    settings = SimulatorSettings(
        f"http://127.0.0.1:{worker_port}", aws_on_this_machine, tmp_path, creating_seconds=MINUTE
    )
    with served(build(settings)) as simulator:
        endpoint = Stage(simulator, aws_on_this_machine, worker).endpoint()
        endpoint.invoke(InferenceId="waiting-job")
        wait_until(lambda: "waiting-job waiting again" in caplog.text)
        assert endpoint.stage.queues()["endpoints"][endpoint.name]["done"] == 0
        with served(worker.app(), worker_port):
            endpoint.stage.turn(RETRY_SECONDS)
            assert endpoint.messages(1)[0]["invocationStatus"] == "Completed"


def test_an_endpoint_in_creation_comes_into_service_after_a_restart_of_the_simulator(
    aws_on_this_machine: str, tmp_path: Path
) -> None:
    settings = SimulatorSettings("http://127.0.0.1:9", aws_on_this_machine, tmp_path, creating_seconds=MINUTE)
    with served(build(settings)) as simulator:
        stage = Stage(simulator, aws_on_this_machine, Worker())
        stage.sagemaker.create_endpoint(EndpointName="e", EndpointConfigName=stage.configuration())
        assert stage.status("e") == "Creating"
    with served(build(settings)) as simulator:
        stage = Stage(simulator, aws_on_this_machine, Worker())
        assert stage.status("e") == "Creating"
        stage.turn()
        assert stage.status("e") == "InService"
