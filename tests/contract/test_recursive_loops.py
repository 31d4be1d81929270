"""The local AWS ends a chain of messages that a function sends itself, as Lambda does, unless its template says
`RecursiveLoop: Allow`."""

import json
import os
import sys
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from local.loops import RUNS, next_header, runs
from tests.contract.serving import free_port, running_process, wait_until

STEPS = 200
CODE = f"""
import json, os, boto3

sqs = boto3.client("sqs")

def handler(event, context):
    for record in event["Records"]:
        step = json.loads(record["body"]) + 1
        queue = os.environ["DONE" if step == {STEPS} else "QUEUE"]
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(step))
"""
PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[boto3.Session]:
    """The local AWS on a port of its own; its functions call it too."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with (
        pytest.MonkeyPatch.context() as environment,
        running_process(
            sys.executable,
            "-m",
            "local.aws",
            health=f"{url}/_ministack/health",
            BIND_HOST="127.0.0.1",
            EDGE_PORT=str(port),
            IOT_MTLS_ENABLED="0",
            STATE_DIR=str(tmp_path_factory.mktemp("loops")),
            AWS_ENDPOINT_URL=url,
            AWS_CONFIG_FILE=os.devnull,
            AWS_ACCESS_KEY_ID="test",
            AWS_SECRET_ACCESS_KEY="test",
            AWS_DEFAULT_REGION="us-east-1",
        ),
    ):
        environment.setenv("AWS_ENDPOINT_URL", url)
        yield boto3.Session("test", "test", region_name="us-east-1")


def chain(aws: boto3.Session, **loop: str) -> dict[str, str]:
    """Deploy a function that sends itself messages, and send it the first; returns the outputs of its stack."""

    def arn(queue: str) -> dict[str, Any]:
        return {"Fn::GetAtt": [queue, "Arn"]}

    trusted = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    sent = {"Variables": {"QUEUE": {"Ref": "Queue"}, "DONE": {"Ref": "Done"}}}
    function = {
        "Runtime": PYTHON,
        "Handler": "index.handler",
        "Code": {"ZipFile": CODE},
        "Role": arn("Role"),
        "Timeout": 30,
        "Environment": sent,
        **loop,
    }
    redrive = {"deadLetterTargetArn": arn("DeadLetters"), "maxReceiveCount": 5}
    resources = {
        "Role": ("AWS::IAM::Role", {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trusted]}}),
        "DeadLetters": ("AWS::SQS::Queue", {}),
        "Done": ("AWS::SQS::Queue", {}),
        "Queue": ("AWS::SQS::Queue", {"RedrivePolicy": redrive, "VisibilityTimeout": 180}),
        "Function": ("AWS::Lambda::Function", function),
        "Feed": (
            "AWS::Lambda::EventSourceMapping",
            {"FunctionName": {"Ref": "Function"}, "EventSourceArn": arn("Queue"), "BatchSize": 1},
        ),
    }
    outputs = {name: {"Value": {"Ref": name}} for name in ("DeadLetters", "Done", "Queue", "Function")}
    template = {
        "Resources": {name: {"Type": kind, "Properties": told} for name, (kind, told) in resources.items()},
        "Outputs": outputs,
    }
    stacks: Any = aws.client("cloudformation")
    name = "-".join(["chain", *loop.values()])
    stacks.create_stack(StackName=name, TemplateBody=json.dumps(template))
    stacks.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    (stack,) = stacks.describe_stacks(StackName=name)["Stacks"]
    told = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    aws.client("sqs").send_message(QueueUrl=told["Queue"], MessageBody="0")
    return told


def arrived(aws: boto3.Session, url: str, seconds: float = 60) -> Any:
    """The next message of a queue, as its number."""
    sqs: Any = aws.client("sqs")
    answer = wait_until(lambda: sqs.receive_message(QueueUrl=url).get("Messages"), seconds)
    return json.loads(answer[0]["Body"])


def test_a_chain_ends_after_16_runs_and_its_message_is_a_dead_letter(aws: boto3.Session) -> None:
    told = chain(aws)
    assert arrived(aws, told["DeadLetters"]) == RUNS == 16
    sqs: Any = aws.client("sqs")
    assert "Messages" not in sqs.receive_message(QueueUrl=told["Done"])
    # A message that somebody else sends begins a chain of its own.
    sqs.send_message(QueueUrl=told["Queue"], MessageBody=json.dumps(STEPS - 3))
    assert arrived(aws, told["Done"]) == STEPS


def test_a_function_that_may_call_itself_goes_on_as_long_as_it_likes(aws: boto3.Session) -> None:
    told = chain(aws, RecursiveLoop="Allow")
    config: Any = aws.client("lambda")
    assert config.get_function_recursion_config(FunctionName=told["Function"])["RecursiveLoop"] == "Allow"
    assert arrived(aws, told["Done"], 120) == STEPS
    sqs: Any = aws.client("sqs")
    assert "Messages" not in sqs.receive_message(QueueUrl=told["DeadLetters"])


def test_each_function_of_a_chain_is_counted_by_itself() -> None:
    header = next_header([None], "a")
    for _ in range(3):
        header = next_header([None, header], "b")
    assert (runs(header, "a"), runs(header, "b"), runs(header, "c")) == (1, 3, 0)
    assert header.count("Lineage=") == header.count("Root=") == 1
