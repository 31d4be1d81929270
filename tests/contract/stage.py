"""The SageMaker simulator as the contract tests use it: a worker that follows instructions, real clients of the
simulator and of the S3, SNS and SQS behind it, and endpoints that are ready to be invoked.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import anyio
import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.contract.serving import http, running_process, wait_until

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
TEST = {"eventVersion": "1.0", "eventSource": "aws:sagemaker", "eventName": "TestNotification"}
"""What SageMaker sends to the topics of an endpoint that is made or changed."""
MINUTE = 60.0
"""How many seconds endpoints of these tests take to be created, changed and deleted. No test waits so long: see
`Stage.turn`."""


@dataclass
class Worker:
    """A worker that does what the request says: `{"status": …, "answer": …, "seconds": …}`, each optional."""

    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    running: int = 0
    most_at_once: int = 0
    _holding: bool = False

    @contextmanager
    def holding(self) -> Iterator[None]:
        """No request is answered inside this block, so that a test can count what runs before any of it ends."""
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
        instructions = json.loads(body)
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        try:
            await anyio.sleep(instructions.get("seconds", 0))
            while self._holding:
                await anyio.sleep(0.01)
        finally:
            self.running -= 1
        content = instructions.get("answer", '{"images": []}')
        return Response(content, instructions.get("status", 200), None, "application/json")


@cache
def _session() -> boto3.Session:
    return boto3.Session("test", "test", region_name="us-east-1")


def client(service: str, url: str) -> Any:
    """A real client of a service. It sends its parameters without checking them, so that the simulator has to."""
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
        """Set these knobs of the simulator, and all others to their defaults."""
        http().put(f"{self.simulator}/_simulator/knobs", json=knobs).raise_for_status()

    def queues(self) -> dict[str, Any]:
        """What waits, runs and is done by endpoint, and what is not sent yet."""
        return dict(http().get(f"{self.simulator}/_simulator/queues").json())

    def now(self) -> float:
        """The time on the simulator's clock, in epoch seconds."""
        return float(http().get(f"{self.simulator}/_simulator/clock").json()["now"])

    def turn(self, seconds: float = MINUTE) -> None:
        """Turn the simulator's clock ahead by so many seconds and one more. When this returns, the simulator has
        checked every endpoint both before and after."""
        http().post(f"{self.simulator}/_simulator/clock", json=seconds + 1).raise_for_status()

    def wait_for_check(self) -> None:
        """Return when the simulator has checked every endpoint. What it has not done by then, it will not do before the
        clock moves on."""
        http().post(f"{self.simulator}/_simulator/clock", json=0).raise_for_status()

    def received(self, queue: str, number: int, tests: bool = False) -> list[dict[str, Any]]:
        """The next `number` messages of a queue in the order they arrive, taken out of it; without the test messages
        of endpoints that are made and changed, or only those."""
        messages: list[dict[str, Any]] = []

        def receive() -> bool:
            answer = self.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=1)
            for message in answer.get("Messages", []):
                self.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
                if ((content := json.loads(message["Body"])) == TEST) == tests:
                    messages.append(content)
            return "Messages" in answer

        while len(messages) < number:
            wait_until(receive)
        return messages

    def status(self, name: str) -> str | None:
        """The status of an endpoint, None when there is none of this name."""
        try:
            return self.sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"]
        except self.sagemaker.exceptions.ClientError:
            return None

    def configuration(
        self,
        name: str | None = None,
        image: str = IMAGE,
        instances: int = 1,
        instance_type: str = "ml.g5.xlarge",
        asynchronous: Any = None,
        role: str | None = None,
    ) -> str:
        """A new model and a new configuration of one name, with one variant `all`; returns the name."""
        name = name or f"c-{uuid4()}"
        execution_role: Any = {"ExecutionRoleArn": role} if role else {}
        self.sagemaker.create_model(ModelName=name, PrimaryContainer={"Image": image}, **execution_role)
        variant: Any = {
            "VariantName": "all",
            "ModelName": name,
            "InstanceType": instance_type,
            "InitialInstanceCount": instances,
        }
        inference: Any = {"AsyncInferenceConfig": asynchronous} if asynchronous else {}
        self.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant], **inference)
        return name

    def endpoint(self, at_once: int = 4, include: bool = True, role: str | None = None) -> "Endpoint":
        """A new asynchronous endpoint in service, with a bucket, two topics and a queue of its own. It runs `at_once`
        invocations on an instance; messages include the response unless `include` is false."""
        name = f"e-{uuid4()}"
        self.s3.create_bucket(Bucket=name)
        queue = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        queue_arn = f"arn:aws:sqs:us-east-1:000000000000:{name}"
        success, error = [self.sns.create_topic(Name=f"{name}-{end}")["TopicArn"] for end in ("success", "error")]
        for topic in (success, error):
            self.sns.subscribe(
                TopicArn=topic, Protocol="sqs", Endpoint=queue_arn, Attributes={"RawMessageDelivery": "true"}
            )
        responses = ["SUCCESS_NOTIFICATION_TOPIC", "ERROR_NOTIFICATION_TOPIC"] if include else []
        notification = {"SuccessTopic": success, "ErrorTopic": error, "IncludeInferenceResponseIn": responses}
        asynchronous = {
            "ClientConfig": {"MaxConcurrentInvocationsPerInstance": at_once},
            "OutputConfig": {
                "S3OutputPath": f"s3://{name}/out/",
                "S3FailurePath": f"s3://{name}/failed",
                "NotificationConfig": notification,
            },
        }
        self.configuration(name, asynchronous=asynchronous, role=role)
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
        self.turn()
        assert self.status(name) == "InService"
        assert self.received(queue, 2, tests=True) == [TEST, TEST]
        return Endpoint(self, name, queue)


@dataclass
class Endpoint:
    """One endpoint, its invocations and the queue that gets their messages."""

    stage: Stage
    name: str
    queue: str

    def invoke(self, instructions: dict[str, Any] | None = None, **parameters: Any) -> Any:
        """Invoke with an inline body that says what the worker should do, or with `InputLocation`."""
        inline: Any = {} if "InputLocation" in parameters else {"Body": json.dumps(instructions or {}).encode()}
        return self.stage.runtime.invoke_endpoint_async(EndpointName=self.name, **inline, **parameters)

    def messages(self, number: int) -> list[dict[str, Any]]:
        """The next `number` messages in the order they arrive."""
        return self.stage.received(self.queue, number)

    def no_more_messages(self, done: int) -> bool:
        """Wait until `done` invocations are done; true when no message arrived and none is on its way."""
        wait_until(lambda: self.stage.queues()["endpoints"][self.name]["done"] == done)
        wait_until(lambda: self.stage.queues()["unsent_notices"] == 0)
        while found := self.stage.sqs.receive_message(QueueUrl=self.queue).get("Messages"):
            if json.loads(found[0]["Body"]) != TEST:
                return False
            self.stage.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=found[0]["ReceiptHandle"])
        return True

    def tests(self, number: int) -> list[dict[str, Any]]:
        """The next `number` test messages."""
        return self.stage.received(self.queue, number, tests=True)

    def read(self, location: str) -> bytes:
        """The object at an S3 URI."""
        bucket, _, key = location.removeprefix("s3://").partition("/")
        return bytes(self.stage.s3.get_object(Bucket=bucket, Key=key)["Body"].read())


@contextmanager
def simulator_process(
    aws: str, worker: str, state: Path, port: int, *options: str
) -> Iterator[subprocess.Popen[bytes]]:
    """The simulator as a process of its own on `port`; `aws` and `worker` are base URLs, `state` is its directory."""
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "local.sagemaker", "--port", str(port), "--worker", worker]
    command += ["--aws", aws, "--state", str(state), "--creating-seconds", str(MINUTE), *options]
    with running_process(*command, health=f"{url}/_simulator/health") as process:
        yield process


def refusal(call: Any, code: str = "ValidationException", **parameters: Any) -> str:
    """The message with which a call of a client is refused under this error code."""
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    error = refused.value.response
    assert (error["Error"]["Code"], error["ResponseMetadata"]["HTTPStatusCode"]) == (code, 400)
    return error["Error"]["Message"]
