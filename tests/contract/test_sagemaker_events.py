"""Events about an endpoint's status, from the change to the targets of a rule on the default event bus."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.sagemaker.eventbus import RETRY_SECONDS
from local.sagemaker.server import build
from local.sagemaker.settings import SimulatorSettings
from tests.contract.serving import free_port, served, wait_until
from tests.contract.stage import IMAGE, MINUTE, Stage, Worker, simulator_process


@pytest.fixture(autouse=True)
def default_knobs(sagemaker_stage: Stage) -> None:
    sagemaker_stage.knobs()


@dataclass
class Listener:
    """A queue that gets the events about one endpoint from a rule."""

    stage: Stage
    name: str
    queue: str

    def events(self, number: int) -> list[dict[str, Any]]:
        """The next `number` events in the order they arrive."""
        return self.stage.received(self.queue, number)

    def statuses(self, number: int) -> list[str]:
        return [event["detail"]["EndpointStatus"] for event in self.events(number)]

    def no_more_events(self) -> bool:
        """True when no event has arrived and none is on its way."""
        wait_until(lambda: self.stage.queues()["unsent_events"] == 0)
        return "Messages" not in self.stage.sqs.receive_message(QueueUrl=self.queue)


def listen(stage: Stage, **rule: Any) -> Listener:
    name = f"l-{uuid4()}"
    queue = stage.sqs.create_queue(QueueName=name)["QueueUrl"]
    pattern = {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Endpoint State Change"],
        "detail": {"EndpointName": [name]},
    }
    stage.events.put_rule(Name=name, EventPattern=json.dumps(pattern), **rule)
    target: Any = {"Id": "queue", "Arn": f"arn:aws:sqs:us-east-1:000000000000:{name}"}
    stage.events.put_targets(Rule=name, Targets=[target])
    return Listener(stage, name, queue)


def create(stage: Stage, name: str, image: str = IMAGE) -> None:
    tags: Any = [{"Key": "stage", "Value": "dev"}]
    stage.configuration(name, image=image)
    stage.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name, Tags=tags)


def test_each_change_of_an_endpoints_status_is_sent_once(sagemaker_stage: Stage) -> None:
    listener = listen(sagemaker_stage)
    create(sagemaker_stage, listener.name)
    sagemaker_stage.turn()
    assert listener.statuses(2) == ["CREATING", "IN_SERVICE"]
    sagemaker_stage.sagemaker.update_endpoint(EndpointName=listener.name, EndpointConfigName=listener.name)
    sagemaker_stage.turn()
    assert listener.statuses(2) == ["UPDATING", "IN_SERVICE"]
    sagemaker_stage.sagemaker.delete_endpoint(EndpointName=listener.name)
    sagemaker_stage.turn()
    assert listener.statuses(2) == ["DELETING", "DELETED"]
    assert listener.no_more_events()


def test_an_event_has_the_shape_of_the_real_one(sagemaker_stage: Stage) -> None:
    listener = listen(sagemaker_stage)
    create(sagemaker_stage, listener.name)
    sagemaker_stage.turn()
    event = listener.events(2)[1]
    described = sagemaker_stage.sagemaker.describe_endpoint(EndpointName=listener.name)
    arn = described["EndpointArn"]
    assert datetime.fromisoformat(event.pop("time")) == described["LastModifiedTime"].replace(microsecond=0)
    assert len(event.pop("id")) == 36
    assert event == {
        "version": "0",
        "detail-type": "SageMaker Endpoint State Change",
        "source": "aws.sagemaker",
        "account": "000000000000",
        "region": "us-east-1",
        "resources": [arn],
        "detail": {
            "EndpointName": listener.name,
            "EndpointArn": arn,
            "EndpointConfigName": listener.name,
            "ProductionVariants": [{"DesiredWeight": 1.0, "DesiredInstanceCount": 1.0}],
            "EndpointStatus": "IN_SERVICE",
            "CreationTime": round(described["CreationTime"].timestamp() * 1000),
            "LastModifiedTime": round(described["LastModifiedTime"].timestamp() * 1000),
            "Tags": {"stage": "dev"},
        },
    }


def test_the_event_of_a_failure_has_its_reason(sagemaker_stage: Stage) -> None:
    listener = listen(sagemaker_stage)
    create(sagemaker_stage, listener.name, image="registry/fail-create:1")
    sagemaker_stage.turn()
    failed = listener.events(2)[1]["detail"]
    assert failed["EndpointStatus"] == "FAILED"
    assert "ping health check" in failed["FailureReason"]


def test_a_disabled_rule_and_a_rule_for_another_endpoint_get_nothing(sagemaker_stage: Stage) -> None:
    disabled, other = listen(sagemaker_stage, State="DISABLED"), listen(sagemaker_stage)
    create(sagemaker_stage, disabled.name)
    sagemaker_stage.turn()
    assert disabled.no_more_events()
    assert other.no_more_events()


def test_events_are_doubled_and_lost_as_the_knobs_say(sagemaker_stage: Stage) -> None:
    listener = listen(sagemaker_stage)
    sagemaker_stage.knobs(duplicate_events_rate=1)
    create(sagemaker_stage, listener.name)
    sagemaker_stage.turn()
    doubled = listener.events(4)
    assert [event["detail"]["EndpointStatus"] for event in doubled] == ["CREATING"] * 2 + ["IN_SERVICE"] * 2
    assert doubled[0] == doubled[1]
    sagemaker_stage.knobs(lose_events_rate=1, duplicate_events_rate=1)
    sagemaker_stage.sagemaker.delete_endpoint(EndpointName=listener.name)
    sagemaker_stage.turn()
    assert sagemaker_stage.status(listener.name) is None
    assert listener.no_more_events()


@dataclass
class FakeAws:
    """EventBridge and Lambda with one rule and one function behind it. Remembers the requests; the first `refuses`
    calls of ListRules fail."""

    refuses: int = 0
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    @contextmanager
    def open(self, port: int) -> Iterator[str]:
        routes = [Route("/{path:path}", self._answer, methods=["GET", "POST", "PUT"])]
        with served(Starlette(routes=routes), port) as url:
            yield url

    async def _answer(self, request: Request) -> Response:
        operation = request.headers.get("x-amz-target", request.url.path).rpartition(".")[2]
        self.requests.append((operation, dict(request.headers), await request.body()))
        if operation == "ListRules" and self.refuses:
            self.refuses -= 1
            return JSONResponse({"__type": "InternalException", "message": "try later"}, 500)
        if request.method == "PUT":  # S3 answers a PutObject without a body
            return Response()
        function = "arn:aws:lambda:us-east-1:000000000000:function:watch"
        answers: dict[str, Any] = {
            "ListRules": {"Rules": [{"Name": "r", "State": "ENABLED", "EventPattern": "{}"}]},
            "TestEventPattern": {"Result": True},
            "ListTargetsByRule": {"Targets": [{"Id": "f", "Arn": function}]},
        }
        return JSONResponse(answers.get(operation, {}), 202 if "invocations" in operation else 200)

    def invocations(self) -> list[tuple[dict[str, str], dict[str, Any]]]:
        """Headers and event of every invocation of the function."""
        invocations = [request for request in self.requests if request[0].endswith("/invocations")]
        return [(headers, json.loads(body)) for _, headers, body in invocations]


def test_events_wait_for_eventbridge_and_reach_a_function_in_order(tmp_path: Path) -> None:
    aws, port = FakeAws(refuses=1), free_port()
    settings = SimulatorSettings("http://127.0.0.1:9", f"http://127.0.0.1:{port}", tmp_path, creating_seconds=MINUTE)
    with served(build(settings)) as simulator:
        stage = Stage(simulator, settings.aws, Worker())
        create(stage, "e")
        stage.turn()
        assert stage.queues()["unsent_events"] == 2
        with aws.open(port):
            stage.turn(RETRY_SECONDS)
            wait_until(lambda: aws.refuses == 0)
            stage.turn(RETRY_SECONDS)
            wait_until(lambda: stage.queues()["unsent_events"] == 0)
    invocations = aws.invocations()
    assert [event["detail"]["EndpointStatus"] for _, event in invocations] == ["CREATING", "IN_SERVICE"]
    assert [headers["x-amz-invocation-type"] for headers, _ in invocations] == ["Event"] * 2
    assert aws.refuses == 0


def test_a_killed_simulator_sends_its_unsent_events_after_a_restart(tmp_path: Path) -> None:
    aws, port, aws_port = FakeAws(), free_port(), free_port()
    aws_url = f"http://127.0.0.1:{aws_port}"
    stage = Stage(f"http://127.0.0.1:{port}", aws_url, Worker())
    with simulator_process(aws_url, "http://127.0.0.1:9", tmp_path, port) as process:
        create(stage, "e")
        os.kill(process.pid, signal.SIGKILL)
        process.wait(5)
    with aws.open(aws_port), simulator_process(aws_url, "http://127.0.0.1:9", tmp_path, port):
        stage.turn()
        wait_until(lambda: len(aws.invocations()) == 2)
    assert [event["detail"]["EndpointStatus"] for _, event in aws.invocations()] == ["CREATING", "IN_SERVICE"]
