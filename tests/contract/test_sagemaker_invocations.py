"""Asynchronous invocations from the call to S3 and to the queue behind the topics."""

import base64
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.utils import ContainerMetadataFetcher

from local.sagemaker.execution import GARBAGE
from local.sagemaker.server import build
from local.sagemaker.settings import SimulatorSettings
from tests.contract.serving import http, served, wait_until
from tests.contract.stage import MINUTE, Stage

OF_A_JOB = {"S3OutputPathExtension": "jobs/1/output", "Filename": "response.json", "InferenceId": "job-1"}


@pytest.fixture(autouse=True)
def default_knobs(sagemaker_stage: Stage) -> None:
    sagemaker_stage.knobs()


def test_an_inline_invocation_ends_in_s3_and_on_the_success_topic(sagemaker_stage: Stage) -> None:
    endpoint = sagemaker_stage.endpoint()
    answer = endpoint.invoke({"answer": '{"done": 1}'}, ContentType="application/json", **OF_A_JOB)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    location = f"s3://{endpoint.name}/out/jobs/1/output/response.json"
    assert answer["InferenceId"] == "job-1"
    assert answer["OutputLocation"] == location
    assert answer["FailureLocation"] == f"s3://{endpoint.name}/failed/job-1-error.out"
    message = endpoint.messages(1)[0]
    assert datetime.fromisoformat(message.pop("receivedTime")) <= datetime.fromisoformat(message.pop("eventTime"))
    assert message == {
        "awsRegion": "us-east-1",
        "invocationStatus": "Completed",
        "requestParameters": {"contentType": "application/json", "endpointName": endpoint.name},
        "responseParameters": {"contentType": "application/json", "outputLocation": location},
        "responseBody": {
            "content": base64.b64encode(b'{"done": 1}').decode(),
            "message": "",
            "encoding": "BASE64",
        },
        "inferenceId": "job-1",
        "eventVersion": "1.0",
        "eventSource": "aws:sagemaker",
        "eventName": "InferenceResult",
    }
    assert endpoint.read(location) == b'{"done": 1}'


def test_the_body_of_an_invocation_may_come_from_s3(sagemaker_stage: Stage) -> None:
    endpoint = sagemaker_stage.endpoint()
    body = json.dumps({"answer": "x", "padding": "x" * 200_000}).encode()
    sagemaker_stage.s3.put_object(Bucket=endpoint.name, Key="in/1.json", Body=body)
    location = f"s3://{endpoint.name}/in/1.json"
    answer = endpoint.invoke(InputLocation=location, ContentType="application/json", CustomAttributes="trace=7")
    message = endpoint.messages(1)[0]
    assert message["requestParameters"]["inputLocation"] == location
    headers, received = sagemaker_stage.worker.requests[-1]
    assert received == body
    assert headers["content-type"] == "application/json"
    assert headers["x-amzn-sagemaker-custom-attributes"] == "trace=7"
    assert message["inferenceId"] == answer["InferenceId"] != ""
    assert answer["OutputLocation"].startswith(f"s3://{endpoint.name}/out/")
    assert endpoint.read(answer["OutputLocation"]) == b"x"


def test_an_input_that_is_not_in_s3_fails_the_invocation(sagemaker_stage: Stage) -> None:
    endpoint = sagemaker_stage.endpoint()
    endpoint.invoke(InputLocation=f"s3://{endpoint.name}/nothing")
    assert "NoSuchKey" in endpoint.messages(1)[0]["failureReason"]


@pytest.mark.parametrize("with_response_parameters", [False, True])
def test_an_error_of_the_worker_ends_in_the_failure_file_and_on_the_error_topic(
    sagemaker_stage: Stage, with_response_parameters: bool
) -> None:
    endpoint = sagemaker_stage.endpoint()
    sagemaker_stage.knobs(failure_has_response_parameters=with_response_parameters)
    answer = endpoint.invoke({"status": 500, "answer": "out of memory"}, **OF_A_JOB)
    message = endpoint.messages(1)[0]
    assert message["invocationStatus"] == "Failed"
    assert message["failureReason"].startswith("ClientError: Received server error (500) from model.")
    assert message["responseBody"]["content"] == "out of memory"
    expected = {"contentType": "application/json", "outputLocation": answer["FailureLocation"]}
    assert message.get("responseParameters") == (expected if with_response_parameters else None)
    assert endpoint.read(answer["FailureLocation"]) == b"out of memory"
    with pytest.raises(ClientError, match="NoSuchKey"):
        endpoint.read(answer["OutputLocation"])


def test_an_invocation_that_takes_too_long_fails(sagemaker_stage: Stage) -> None:
    endpoint = sagemaker_stage.endpoint()
    with sagemaker_stage.worker.holding():
        answer = endpoint.invoke(InvocationTimeoutSeconds=1)
        message = endpoint.messages(1)[0]
    assert "timed out" in message["failureReason"]
    assert "responseBody" not in message
    assert b"timed out" in endpoint.read(answer["FailureLocation"])
    wait_until(lambda: sagemaker_stage.worker.running == 0)


@pytest.mark.parametrize(
    ("knobs", "include", "size", "expected"),
    [
        ({}, True, 128 * 1024, True),
        ({}, True, 128 * 1024 + 1, False),
        ({}, False, 1, False),
        ({"include_response": False}, True, 1, False),
    ],
)
def test_a_response_is_included_if_asked_for_and_small(
    sagemaker_stage: Stage, knobs: dict[str, Any], include: bool, size: int, expected: bool
) -> None:
    sagemaker_stage.knobs(**knobs)
    endpoint = sagemaker_stage.endpoint(include=include)
    body = json.dumps({"answer": "x" * size}).encode()
    sagemaker_stage.s3.put_object(Bucket=endpoint.name, Key="in", Body=body)
    endpoint.invoke(InputLocation=f"s3://{endpoint.name}/in")
    assert ("responseBody" in endpoint.messages(1)[0]) is expected


def test_a_response_may_be_included_as_text(sagemaker_stage: Stage) -> None:
    sagemaker_stage.knobs(response_as_text=True)
    endpoint = sagemaker_stage.endpoint()
    endpoint.invoke({"answer": "plain"})
    assert endpoint.messages(1)[0]["responseBody"] == {"content": "plain", "message": ""}


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"Body": b"{}", "InputLocation": "s3://b/k"}, "mutually exclusive"),
        ({}, "Provide exactly one"),
        ({"Body": b"x" * 128_001}, "'body' failed to satisfy constraint: Member must have length less than"),
        ({"Body": b"{}", "Filename": "a.b.c"}, "'filename'"),
        ({"Body": b"{}", "Filename": "a" * 33}, "length less than or equal to 32"),
        ({"Body": b"{}", "S3OutputPathExtension": "s3://b"}, "'s3OutputPathExtension'"),
        ({"Body": b"{}", "RequestTTLSeconds": 59}, "min value: 60"),
        ({"Body": b"{}", "RequestTTLSeconds": "soon"}, "Invalid type for parameter RequestTTLSeconds"),
        ({"Body": b"{}", "InvocationTimeoutSeconds": 3601}, "value less than or equal to 3600"),
        ({"Body": b"{}", "InferenceId": "i" * 65}, "length less than or equal to 64"),
        ({"InputLocation": "ftp://b/k"}, "'inputLocation'"),
    ],
)
def test_an_invocation_that_the_service_model_forbids_is_refused(
    sagemaker_stage: Stage, parameters: dict[str, Any], words: str
) -> None:
    with pytest.raises(sagemaker_stage.runtime.exceptions.ValidationError) as refused:
        sagemaker_stage.runtime.invoke_endpoint_async(EndpointName="any", **parameters)
    assert words in refused.value.response["Error"]["Message"]


def test_the_longest_inline_body_is_taken(sagemaker_stage: Stage) -> None:
    endpoint = sagemaker_stage.endpoint()
    body = b'{"answer": "ok"}'.ljust(128_000)
    sagemaker_stage.runtime.invoke_endpoint_async(EndpointName=endpoint.name, Body=body)
    assert endpoint.messages(1)[0]["invocationStatus"] == "Completed"


def test_an_endpoint_that_is_not_in_service_is_not_found(sagemaker_stage: Stage) -> None:
    endpoint = sagemaker_stage.endpoint()
    sagemaker_stage.sagemaker.delete_endpoint(EndpointName=endpoint.name)
    for name in ("missing", endpoint.name):
        with pytest.raises(sagemaker_stage.runtime.exceptions.ValidationError) as refused:
            sagemaker_stage.runtime.invoke_endpoint_async(EndpointName=name, Body=b"{}")
        message = refused.value.response["Error"]["Message"]
        assert message == f"Endpoint {name} of account 000000000000 not found."


def test_an_endpoint_runs_as_many_invocations_at_once_as_its_configuration_says(sagemaker_stage: Stage) -> None:
    endpoint = sagemaker_stage.endpoint(at_once=2)
    worker = sagemaker_stage.worker
    worker.most_at_once = 0
    with worker.holding():
        for _ in range(5):
            endpoint.invoke()
        wait_until(lambda: worker.running == 2)
        assert sagemaker_stage.queues()["endpoints"][endpoint.name] == {"waiting": 3, "running": 2, "done": 0}
    endpoint.messages(5)
    assert worker.most_at_once == 2


def test_a_lost_message_leaves_only_the_file_in_s3(sagemaker_stage: Stage) -> None:
    endpoint = sagemaker_stage.endpoint()
    sagemaker_stage.knobs(lose_rate=1)
    answer = endpoint.invoke()
    assert endpoint.no_more_messages(done=1)
    assert endpoint.read(answer["OutputLocation"])


def test_a_request_whose_time_in_line_is_over_expires(sagemaker_stage: Stage) -> None:
    endpoint = sagemaker_stage.endpoint(at_once=1)
    with sagemaker_stage.worker.holding():
        endpoint.invoke(InferenceId="first")
        endpoint.invoke(InferenceId="second", RequestTTLSeconds=60)
        sagemaker_stage.turn()
    found = {message["inferenceId"]: message for message in endpoint.messages(2)}
    assert found["first"]["invocationStatus"] == "Completed"
    assert found["second"]["invocationStatus"] == "Expired"
    assert "failureReason" not in found["second"]


def test_an_answer_goes_elsewhere_when_the_knob_says_so(sagemaker_stage: Stage) -> None:
    endpoint = sagemaker_stage.endpoint()
    sagemaker_stage.knobs(output_elsewhere="jobs/elsewhere")
    location = endpoint.invoke({"answer": "x"}, **OF_A_JOB)["OutputLocation"]
    assert location.startswith(f"s3://{endpoint.name}/jobs/elsewhere/")
    assert endpoint.messages(1)[0]["responseParameters"]["outputLocation"] == location
    assert endpoint.read(location) == b"x"


def test_a_doubled_message_arrives_twice(sagemaker_stage: Stage) -> None:
    endpoint = sagemaker_stage.endpoint()
    sagemaker_stage.knobs(duplicate_rate=1)
    endpoint.invoke()
    first, second = endpoint.messages(2)
    assert first == second


def test_a_late_message_arrives_after_its_delay(sagemaker_stage: Stage) -> None:
    endpoint = sagemaker_stage.endpoint()
    sagemaker_stage.knobs(late_rate=1, late_seconds=MINUTE)
    endpoint.invoke()
    wait_until(lambda: sagemaker_stage.queues()["endpoints"][endpoint.name]["done"] == 1)
    assert sagemaker_stage.queues()["unsent_notices"] == 1
    sagemaker_stage.turn()
    endpoint.messages(1)


def test_reordered_messages_overtake_each_other(sagemaker_stage: Stage) -> None:
    endpoint = sagemaker_stage.endpoint(at_once=1)
    sagemaker_stage.knobs(reorder_rate=1, reorder_seconds=60 * MINUTE)
    for first, second in (("0", "1"), ("2", "3")):
        endpoint.invoke(InferenceId=first)
        wait_until(lambda: sagemaker_stage.queues()["unsent_notices"] == 1)
        endpoint.invoke(InferenceId=second)
        wait_until(lambda: sagemaker_stage.queues()["unsent_notices"] == 0)
    assert [message["inferenceId"] for message in endpoint.messages(4)] == ["1", "0", "3", "2"]


def test_garbage_replaces_the_answer(sagemaker_stage: Stage) -> None:
    endpoint = sagemaker_stage.endpoint()
    sagemaker_stage.knobs(garbage_rate=1)
    answer = endpoint.invoke()
    message = endpoint.messages(1)[0]
    assert message["invocationStatus"] == "Completed"
    assert base64.b64decode(message["responseBody"]["content"]) == GARBAGE
    assert endpoint.read(answer["OutputLocation"]) == GARBAGE


def test_as_many_invocations_as_the_knob_says_fail_before_they_reach_the_worker(sagemaker_stage: Stage) -> None:
    endpoint = sagemaker_stage.endpoint(at_once=1)
    sagemaker_stage.knobs(fail_next=2)
    requests = len(sagemaker_stage.worker.requests)
    for _ in range(3):
        endpoint.invoke()
    statuses = [message["invocationStatus"] for message in endpoint.messages(3)]
    assert statuses == ["Failed", "Failed", "Completed"]
    assert len(sagemaker_stage.worker.requests) == requests + 1


def test_latency_is_added_before_the_worker_gets_the_request(sagemaker_stage: Stage) -> None:
    endpoint = sagemaker_stage.endpoint()
    sagemaker_stage.knobs(latency_seconds=MINUTE)
    requests = len(sagemaker_stage.worker.requests)
    endpoint.invoke()
    wait_until(lambda: sagemaker_stage.queues()["endpoints"][endpoint.name]["running"] == 1)
    assert len(sagemaker_stage.worker.requests) == requests
    sagemaker_stage.turn()
    endpoint.messages(1)


def test_the_same_seed_fails_the_same_invocations(sagemaker_stage: Stage) -> None:
    endpoint = sagemaker_stage.endpoint()
    runs = []
    for _ in range(2):
        sagemaker_stage.knobs(failure_rate=0.5, seed=4)
        for number in range(8):
            endpoint.invoke(InferenceId=str(number))
        runs.append({message["inferenceId"]: message["invocationStatus"] for message in endpoint.messages(8)})
    assert runs[0] == runs[1]
    assert set(runs[0].values()) == {"Completed", "Failed"}


@pytest.mark.parametrize("knobs", [{"unknown": 1}, {"lose_rate": 1.5}, {"fail_next": -1}])
def test_an_invalid_knob_is_refused_and_changes_nothing(sagemaker_stage: Stage, knobs: dict[str, Any]) -> None:
    url = f"{sagemaker_stage.simulator}/_simulator/knobs"
    before = http().get(url).json()
    refused = http().put(url, json=knobs | {"late_rate": 1})
    assert (refused.status_code, http().get(url).json()) == (400, before)
    assert refused.json()["errors"][0]["loc"] == list(knobs)


def test_a_container_has_no_credentials_before_an_endpoint_has_a_role(sagemaker_stage: Stage, tmp_path: Path) -> None:
    settings = SimulatorSettings("http://127.0.0.1:9", sagemaker_stage.aws, tmp_path, creating_seconds=MINUTE)
    with served(build(settings)) as simulator:
        Stage(simulator, sagemaker_stage.aws, sagemaker_stage.worker).endpoint()
        assert http().get(f"{simulator}/_simulator/credentials").status_code == 404


def test_a_container_gets_the_credentials_of_the_newest_endpoints_role(sagemaker_stage: Stage) -> None:
    address = f"{sagemaker_stage.simulator}/_simulator/credentials"
    endpoint = sagemaker_stage.endpoint(role="arn:aws:iam::000000000000:role/Worker")
    fetcher = ContainerMetadataFetcher(sleep=lambda _: None)
    credentials = fetcher.retrieve_full_uri(address)
    assert set(credentials) == {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"}
    session = boto3.Session(
        credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["Token"], "us-east-1"
    )
    sts = session.client("sts", endpoint_url=sagemaker_stage.aws)
    assert sts.get_caller_identity()["Arn"] == "arn:aws:sts::000000000000:assumed-role/Worker/SageMaker"
    endpoint.invoke({"answer": "{}"}, **OF_A_JOB)
    assert endpoint.messages(1)[0]["invocationStatus"] == "Completed"
