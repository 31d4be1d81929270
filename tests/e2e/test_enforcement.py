"""The local AWS holds every caller to its permissions: what all other e2e tests do, they do with them alone."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from tests.e2e.conftest import Running, txt2img
from tests.support.waiting import eventually


@contextmanager
def without(darkroom: Running, role_arn: str, action: str) -> Iterator[None]:
    """A role's policy without one of its actions."""
    iam, role = darkroom.aws("iam"), role_arn.rpartition("/")[2]
    (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    whole: dict[str, Any] = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    kept = [
        {**statement, "Action": [one for one in listed(statement["Action"]) if one != action]}
        for statement in whole["Statement"]
    ]
    assert sum(len(listed(s["Action"])) for s in kept) < sum(len(listed(s["Action"])) for s in whole["Statement"])
    less = {**whole, "Statement": [statement for statement in kept if statement["Action"]]}
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(less))
    try:
        yield
    finally:
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(whole))


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def role_of(darkroom: Running, function: str) -> str:
    told = darkroom.aws("lambda").get_function_configuration(FunctionName=darkroom.function(function))
    return str(told["Role"])


def test_a_function_without_one_of_its_rights_is_refused_and_works_again_with_it(darkroom: Running) -> None:
    headers = {"Authorization": f"Bearer {darkroom.key}"}
    url = f"{darkroom.stack.api}/jobs"
    with without(darkroom, role_of(darkroom, "jobs_api"), "dynamodb:Query"):
        refused = httpx.get(url, headers=headers, timeout=30)
        assert refused.status_code == 500, refused.text
        assert refused.json()["code"] == "internal_error"
        assert "AccessDenied" not in refused.text
    assert httpx.get(url, headers=headers, timeout=30).status_code == 200


def test_a_presigned_link_can_do_no_more_than_the_function_that_signed_it(darkroom: Running) -> None:
    job = darkroom.client.settled(darkroom.client.submit(txt2img(width=64, height=64))["id"], 30)
    link = job["images"][0]["url"]
    assert httpx.get(link, timeout=30).status_code == 200
    with without(darkroom, role_of(darkroom, "jobs_api"), "s3:GetObject"):
        assert httpx.get(link, timeout=30).status_code == 403
    assert httpx.get(link, timeout=30).status_code == 200


def test_what_comes_without_tls_is_refused(darkroom: Running) -> None:
    job = darkroom.client.settled(darkroom.client.submit(txt2img(width=64, height=64))["id"], 30)
    link = job["images"][0]["url"]
    assert httpx.get(link, timeout=30).status_code == 200
    assert httpx.get(link, headers={"X-Forwarded-Proto": "http"}, timeout=30).status_code == 403
    outputs = darkroom.stack.outputs
    calls: list[tuple[str, str, dict[str, str]]] = [
        ("sqs", "send_message", {"QueueUrl": outputs["EventsQueueUrl"], "MessageBody": "{}"}),
        ("sns", "publish", {"TopicArn": outputs["ResultsTopicArn"], "Message": "{}"}),
    ]
    for service, operation, arguments in calls:
        client = darkroom.aws(service)
        client.meta.events.register("before-send", in_the_clear)
        try:
            with pytest.raises(ClientError) as refused:
                getattr(client, operation)(**arguments)
        finally:
            # Other tests use the same client.
            client.meta.events.unregister("before-send", in_the_clear)
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403, service


def in_the_clear(request: Any, **_: object) -> None:
    request.headers["X-Forwarded-Proto"] = "http"


def test_the_worker_paints_with_the_workers_role_and_nothing_else(darkroom: Running) -> None:
    role = darkroom.stack.outputs["WorkerRoleArn"]
    with without(darkroom, role, "s3:PutObject"):
        job = darkroom.client.settled(darkroom.client.submit(txt2img(width=64, height=64))["id"], 30)
        assert job["status"] == "fail"
        assert job["error"] is not None
        assert job["error"]["message"] == "The worker failed with AccessDenied."
    job = darkroom.client.settled(darkroom.client.submit(txt2img(width=64, height=64))["id"], 30)
    assert job["status"] == "succeed"


def test_sagemaker_tells_of_results_with_the_workers_role(darkroom: Running) -> None:
    role = darkroom.stack.outputs["WorkerRoleArn"]
    with without(darkroom, role, "sns:Publish"):
        job = darkroom.client.submit(txt2img(width=64, height=64))
        eventually(lambda: darkroom.objects(f"jobs/{job['id']}/output/response.json"))
        # The notice was sent, refused and given up.
        eventually(lambda: darkroom.on_its_way() == 0)
        assert darkroom.client.job(job["id"])["status"] == "in_progress"
    darkroom.client.request("DELETE", f"/jobs/{job['id']}")
