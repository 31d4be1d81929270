"""The stage that the simulator's contract tests play on: it, a worker that does what it is told, and a real
S3, SNS and SQS. The fixtures come to the other files by `pytest_plugins`.
"""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

import anyio
import boto3
import httpx
import pytest
import uvicorn
from botocore.config import Config
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.sagemaker.server import build
from local.sagemaker.settings import SimulatorSettings

if TYPE_CHECKING:
    from types_boto3_application_autoscaling import ApplicationAutoScalingClient
    from types_boto3_cloudwatch import CloudWatchClient
    from types_boto3_events import EventBridgeClient
    from types_boto3_s3 import S3Client
    from types_boto3_sagemaker import SageMakerClient
    from types_boto3_sagemaker_runtime import SageMakerRuntimeClient
    from types_boto3_sns import SNSClient
    from types_boto3_sqs import SQSClient

IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/worker:1"
MINUTE = 60.0
"""How long endpoints of these tests take to come, to change and to go. No test waits for it: see `Stage.turn`."""
T = TypeVar("T")
ROOT = Path(__file__).parents[2]


def eventually(look: Callable[[], T], seconds: float = 10) -> T:
    """What `look` returns as soon as it is truthy."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return found


@contextmanager
def served(app: Starlette, port: int = 0) -> Iterator[str]:
    """An application on a free port of this process, as its base URL."""
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    eventually(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


@contextmanager
def process(*command: str, health: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is up when its health page answers, and is killed at the end if it still runs."""
    started = subprocess.Popen(  # noqa: S603 - commands of this file
        command, env=os.environ | environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        eventually(lambda: _answers(health), 20)
        yield started
    finally:
        started.kill()
        started.wait(10)


@cache
def http() -> httpx.Client:
    """One client for all: each new one loads the certificates anew."""
    return httpx.Client(trust_env=False)


def _answers(url: str) -> bool:
    try:
        return http().get(url).is_success
    except httpx.TransportError:
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Worker:
    """A worker that does what the body tells: `{"status": …, "answer": …, "seconds": …}`."""

    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    running: int = 0
    most_at_once: int = 0
    _holding: bool = False

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Nobody is answered inside it, so that a test that counts what runs does not race with what ends."""
        self._holding = True
        try:
            yield
        finally:
            self._holding = False

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/invocations", self._work, methods=["POST"])])

    async def _work(self, request: Request) -> Response:
        body = await request.body()
        self.requests.append((dict(request.headers), body))
        told = json.loads(body)
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        try:
            await anyio.sleep(told.get("seconds", 0))
            while self._holding:
                await anyio.sleep(0.01)
        finally:
            self.running -= 1
        return Response(told.get("answer", '{"images": []}'), told.get("status", 200), None, "application/json")


@cache
def _session() -> boto3.Session:
    return boto3.Session("test", "test", region_name="us-east-1")


def client(service: str, url: str) -> Any:
    """A real client of a service, which sends what it is given without looking at it."""
    config = Config(
        parameter_validation=False, retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, proxies={}
    )
    return _session().client(service, endpoint_url=url, config=config)  # type: ignore[call-overload]


@dataclass
class Stage:
    """Clients of one simulator and of the S3, SNS and SQS behind it."""

    simulator: str
    aws: str
    worker: Worker

    @cached_property
    def sagemaker(self) -> "SageMakerClient":
        return client("sagemaker", self.simulator)  # type: ignore[no-any-return]

    @cached_property
    def runtime(self) -> "SageMakerRuntimeClient":
        return client("sagemaker-runtime", self.simulator)  # type: ignore[no-any-return]

    @cached_property
    def s3(self) -> "S3Client":
        return client("s3", self.aws)  # type: ignore[no-any-return]

    @cached_property
    def sns(self) -> "SNSClient":
        return client("sns", self.aws)  # type: ignore[no-any-return]

    @cached_property
    def sqs(self) -> "SQSClient":
        return client("sqs", self.aws)  # type: ignore[no-any-return]

    @cached_property
    def autoscaling(self) -> "ApplicationAutoScalingClient":
        return client("application-autoscaling", self.simulator)  # type: ignore[no-any-return]

    @cached_property
    def cloudwatch(self) -> "CloudWatchClient":
        return client("cloudwatch", self.aws)  # type: ignore[no-any-return]

    @cached_property
    def events(self) -> "EventBridgeClient":
        return client("events", self.aws)  # type: ignore[no-any-return]

    def knobs(self, **knobs: Any) -> None:
        http().put(f"{self.simulator}/_simulator/knobs", json=knobs).raise_for_status()

    def queues(self) -> dict[str, Any]:
        return dict(http().get(f"{self.simulator}/_simulator/queues").json())

    def now(self) -> float:
        """The time on the simulator's clock, in epoch seconds."""
        return float(http().get(f"{self.simulator}/_simulator/clock").json()["now"])

    def turn(self, seconds: float = MINUTE) -> None:
        """Turn the simulator's clock ahead by so many seconds and a little more. When this returns it has looked at
        every endpoint both before and after."""
        http().post(f"{self.simulator}/_simulator/clock", json=seconds + 1).raise_for_status()

    def look(self) -> None:
        """Return when the simulator has looked at every endpoint: what it did not do by now it does not do."""
        http().post(f"{self.simulator}/_simulator/clock", json=0).raise_for_status()

    def status(self, name: str) -> str | None:
        try:
            return self.sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"]
        except self.sagemaker.exceptions.ClientError:
            return None

    def endpoint(
        self, at_once: int = 4, name: str | None = None, include: bool = True, role: str | None = None
    ) -> "Endpoint":
        """A new asynchronous endpoint in service, with a bucket, two topics and a queue of its own."""
        name = name or f"e-{uuid4()}"
        self.s3.create_bucket(Bucket=name)
        queue = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        queue_arn = f"arn:aws:sqs:us-east-1:000000000000:{name}"
        topics = [self.sns.create_topic(Name=f"{name}-{end}")["TopicArn"] for end in ("success", "error")]
        for topic in topics:
            self.sns.subscribe(
                TopicArn=topic, Protocol="sqs", Endpoint=queue_arn, Attributes={"RawMessageDelivery": "true"}
            )
        both = ["SUCCESS_NOTIFICATION_TOPIC", "ERROR_NOTIFICATION_TOPIC"] if include else []
        notify = {"SuccessTopic": topics[0], "ErrorTopic": topics[1], "IncludeInferenceResponseIn": both}
        asynchronous: Any = {
            "ClientConfig": {"MaxConcurrentInvocationsPerInstance": at_once},
            "OutputConfig": {
                "S3OutputPath": f"s3://{name}/out/",
                "S3FailurePath": f"s3://{name}/failed",
                "NotificationConfig": notify,
            },
        }
        acting: Any = {"ExecutionRoleArn": role} if role else {}
        self.sagemaker.create_model(ModelName=name, PrimaryContainer={"Image": IMAGE}, **acting)
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=name,
            ProductionVariants=[
                {"VariantName": "all", "ModelName": name, "InstanceType": "ml.g5.xlarge", "InitialInstanceCount": 1}
            ],
            AsyncInferenceConfig=asynchronous,
        )
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
        self.turn()
        assert self.status(name) == "InService"
        return Endpoint(self, name, queue)


@dataclass
class Endpoint:
    """One endpoint and what it leaves behind."""

    stage: Stage
    name: str
    queue: str

    def invoke(self, told: dict[str, Any] | None = None, **parameters: Any) -> Any:
        """Invoke with an inline body that tells the worker what to do."""
        body: Any = {} if "InputLocation" in parameters else {"Body": json.dumps(told or {}).encode()}
        return self.stage.runtime.invoke_endpoint_async(EndpointName=self.name, **body, **parameters)

    def messages(self, number: int, seconds: float = 10) -> list[dict[str, Any]]:
        """The next `number` messages in the order they arrive."""
        found: list[dict[str, Any]] = []
        deadline = time.monotonic() + seconds
        while len(found) < number:
            assert time.monotonic() < deadline, f"{len(found)} of {number} messages came"
            received = self.stage.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=1)
            for message in received.get("Messages", []):
                self.stage.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
                found.append(json.loads(message["Body"]))
            if "Messages" not in received:
                time.sleep(0.02)
        return found

    def silent(self, done: int) -> bool:
        """That `done` invocations are done and no message came or will come."""
        eventually(lambda: self.stage.queues()["endpoints"][self.name]["done"] == done)
        eventually(lambda: self.stage.queues()["unsent_notices"] == 0)
        return "Messages" not in self.stage.sqs.receive_message(QueueUrl=self.queue)

    def read(self, location: str) -> bytes:
        bucket, _, key = location.removeprefix("s3://").partition("/")
        return bytes(self.stage.s3.get_object(Bucket=bucket, Key=key)["Body"].read())


@pytest.fixture(scope="session")
def aws_on_this_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """MiniStack on a free port, as its base URL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with process(
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
    """A simulator in this process with a worker that does what it is told."""
    worker = Worker()
    with served(worker.app()) as worker_url:
        state = tmp_path_factory.mktemp("sagemaker")
        settings = SimulatorSettings(worker_url, aws_on_this_machine, state, creating_seconds=MINUTE)
        with served(build(settings)) as simulator:
            yield Stage(simulator, aws_on_this_machine, worker)


def test_the_simulator_is_healthy_and_has_nothing_to_do(sagemaker_stage: Stage) -> None:
    assert http().get(f"{sagemaker_stage.simulator}/_simulator/health").json() == {"status": "ok"}
    assert sagemaker_stage.queues()["unsent_notices"] == 0
