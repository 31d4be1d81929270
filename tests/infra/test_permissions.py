"""Who may do what: the templates grant what `infra/permissions.py` says, and nothing else."""

import json
from typing import Any

import pytest
from aws_cdk import App
from aws_cdk.assertions import Template

from infra.service_stack import TIMEOUTS
from infra.stacks import add_stacks
from infra.stage import Stage
from tests.infra.conftest import Installations, Synthesized

WITHOUT_RESOURCE = {
    "cloudwatch:PutMetricData",
    "ecr:GetAuthorizationToken",
    "sagemaker:ListEndpoints",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}
BASICS = {
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}
EXPECTED = {
    "authorizer": {"dynamodb:GetItem", "secretsmanager:GetSecretValue"},
    "jobs_api": {
        "dynamodb:ConditionCheckItem",
        "dynamodb:DeleteItem",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
        "s3:DeleteObject",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:PutObject",
        "sagemaker:InvokeEndpointAsync",
        "sagemaker:ListEndpoints",
    },
    "checkpoint_imports": {
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:ListMultipartUploadParts",
        "s3:PutObject",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
        "sqs:SendMessage",
    },
    "checkpoints_api": {
        "dynamodb:DeleteItem",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:ListMultipartUploadParts",
        "s3:PutObject",
        "sqs:SendMessage",
    },
    "endpoints_api": {"sagemaker:ListEndpoints"},
    "dead_letters_api": {
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
        "sqs:SendMessage",
    },
    "sweeper": {
        "dynamodb:BatchGetItem",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
        "s3:DeleteObject",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:PutObject",
        "sagemaker:InvokeEndpointAsync",
        "sagemaker:ListEndpoints",
        "sqs:SendMessage",
    },
    "job_events": {
        "dynamodb:GetItem",
        "dynamodb:UpdateItem",
        "s3:DeleteObject",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:PutObject",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
    },
}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements(role: dict[str, Any]) -> list[dict[str, Any]]:
    return [s for policy in role.get("Policies", []) for s in policy["PolicyDocument"]["Statement"]]


def role_of(stage: Synthesized, name: str) -> dict[str, Any]:
    return stage.resources("AWS::IAM::Role")[stage.function(name)["Role"]["Fn::GetAtt"][0]]


def worker_role(stage: Synthesized) -> dict[str, Any]:
    (role,) = (r for key, r in stage.resources("AWS::IAM::Role").items() if key.startswith("WorkerRole"))
    return role


def reach(role: dict[str, Any], action: str) -> str:
    """The resources on which a role may do `action`, as text."""
    return json.dumps([s["Resource"] for s in statements(role) if action in listed(s["Action"])])


@pytest.mark.parametrize("name", sorted(TIMEOUTS))
def test_a_function_may_do_exactly_what_is_listed(prod: Synthesized, name: str) -> None:
    granted = {action for s in statements(role_of(prod, name)) for action in listed(s["Action"])}
    assert granted == EXPECTED[name] | BASICS


def test_nothing_grants_beside_the_table(prod: Synthesized) -> None:
    assert not prod.resources("AWS::IAM::Policy")
    assert not prod.resources("AWS::IAM::ManagedPolicy")
    managed = {key for key, role in prod.resources("AWS::IAM::Role").items() if role.get("ManagedPolicyArns")}
    assert [key for key in managed if "CloudWatchRole" not in key] == []


def test_no_role_has_a_wildcard_for_an_action_or_for_a_resource_that_has_a_name(prod: Synthesized) -> None:
    for name, role in prod.resources("AWS::IAM::Role").items():
        for statement in statements(role):
            actions = set(listed(statement["Action"]))
            assert not [action for action in actions if "*" in action], name
            if "*" in listed(statement["Resource"]):
                assert actions <= WITHOUT_RESOURCE, name


def test_only_this_stages_endpoints_can_be_invoked(prod: Synthesized) -> None:
    assert ":endpoint/darkroom-prod-*" in reach(role_of(prod, "jobs_api"), "sagemaker:InvokeEndpointAsync")


def test_uploads_can_be_written_but_never_deleted_by_the_api(prod: Synthesized) -> None:
    jobs_api = role_of(prod, "jobs_api")
    assert "/images/*" in reach(jobs_api, "s3:PutObject")
    assert "/images/*" not in reach(jobs_api, "s3:DeleteObject")
    assert "/images/*" not in reach(role_of(prod, "job_events"), "s3:PutObject")


def test_the_sweeper_deletes_what_jobs_left_and_never_an_upload_or_a_job(prod: Synthesized) -> None:
    sweeper = role_of(prod, "sweeper")
    assert "/jobs/*" in reach(sweeper, "s3:DeleteObject")
    assert "/images/*" not in reach(sweeper, "s3:DeleteObject")
    assert "dynamodb:DeleteItem" not in json.dumps(statements(sweeper))


def test_dead_letters_are_sent_to_the_queues_they_came_from_and_nowhere_else(prod: Synthesized) -> None:
    sends = reach(role_of(prod, "dead_letters_api"), "sqs:SendMessage")
    assert "EventsQueue" in sends
    assert "ImportsQueue" in sends
    assert "DeadLetters" not in sends


def test_lists_read_indexes_only_so_none_can_query_or_scan_the_table(prod: Synthesized) -> None:
    assert "/index/*" in reach(role_of(prod, "jobs_api"), "dynamodb:Query")
    assert "dynamodb:Scan" not in json.dumps(prod.service)


def test_the_worker_writes_results_and_nothing_else(prod: Synthesized) -> None:
    role = worker_role(prod)
    (trusted,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trusted["Principal"] == {"Service": "sagemaker.amazonaws.com"}
    written = reach(role, "s3:PutObject")
    assert "/jobs/*" in written
    assert "/failures/*" in written
    assert "/images/*" not in written
    assert "/models/*" in reach(role, "s3:GetObject")
    actions = {action for s in statements(role) for action in listed(s["Action"])}
    assert not [action for action in actions if action.startswith(("dynamodb:", "secretsmanager:"))]
    assert {"sns:Publish", "sqs:SendMessage"} <= actions


def test_cdk_nag_finds_nothing_that_is_not_acknowledged(installations: Installations) -> None:
    assert installations.findings == []


def test_imports_read_those_buckets_alone_that_the_stage_names(prod: Synthesized) -> None:
    assert "s3:::" not in reach(role_of(prod, "checkpoint_imports"), "s3:GetObject")
    app = App()
    stage = Stage(name="prod", import_buckets=("my-models",))
    _, service = add_stacks(app, stage)
    found = json.dumps(Template.from_stack(service).to_json()["Resources"])
    assert '":s3:::my-models/*"' in found
