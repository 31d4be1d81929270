"""Who may do what: the templates grant what `infra/permissions.py` says, and nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App
from aws_cdk.assertions import Template
from cdk_nag import AwsSolutionsChecks

from infra import permissions_page
from infra.bundling import ROOT
from infra.functions import FUNCTIONS, ROUTES
from infra.grants import Grant, Pattern, UnexplainedWildcard, allow
from infra.permissions import Permissions
from infra.stacks import add_stacks
from infra.stage import NO_PACKAGE, Stage
from tests.infra.conftest import Installations, Synthesized

WITHOUT_RESOURCE = {
    "application-autoscaling:DescribeScalableTargets",
    "application-autoscaling:DescribeScalingActivities",
    "application-autoscaling:DescribeScalingPolicies",
    "cloudwatch:PutMetricData",
    "ecr:GetAuthorizationToken",
    "sagemaker:ListEndpointConfigs",
    "sagemaker:ListEndpoints",
    "sagemaker:ListModels",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}
BASICS = {
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}
KEEPING_ENDPOINTS = {
    "application-autoscaling:DeleteScalingPolicy",
    "application-autoscaling:DeregisterScalableTarget",
    "application-autoscaling:PutScalingPolicy",
    "application-autoscaling:RegisterScalableTarget",
    "cloudwatch:DeleteAlarms",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:PutMetricAlarm",
    "dynamodb:GetItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
    "iam:CreateServiceLinkedRole",
    "s3:GetObject",
    "s3:ListBucket",
    "sagemaker:DeleteEndpoint",
    "sagemaker:DeleteEndpointConfig",
    "sagemaker:DeleteModel",
    "sagemaker:DescribeEndpoint",
    "sagemaker:DescribeEndpointConfig",
    "sagemaker:ListEndpointConfigs",
    "sagemaker:ListEndpoints",
    "sagemaker:ListModels",
    "sagemaker:ListTags",
    "sagemaker:UpdateEndpointWeightsAndCapacities",
}
SCALING_ENDPOINTS = {
    "application-autoscaling:DescribeScalableTargets",
    "application-autoscaling:DescribeScalingPolicies",
    "sagemaker:AddTags",
}
EXPECTED = {
    "authorizer": {"dynamodb:GetItem", "dynamodb:UpdateItem", "secretsmanager:GetSecretValue"},
    "jobs_api": {
        "dynamodb:BatchGetItem",
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
        "application-autoscaling:DescribeScalingActivities",
        "application-autoscaling:RegisterScalableTarget",
        "sagemaker:DescribeEndpoint",
        "sagemaker:DescribeEndpointConfig",
        "sagemaker:InvokeEndpointAsync",
        "sagemaker:ListEndpoints",
        "sagemaker:ListTags",
        "sagemaker:UpdateEndpointWeightsAndCapacities",
        "sqs:SendMessage",
    },
    "job_deletions": {
        "dynamodb:DeleteItem",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
        "s3:DeleteObject",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:PutObject",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
        "sqs:SendMessage",
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
        "dynamodb:UpdateItem",
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:ListMultipartUploadParts",
        "s3:PutObject",
        "sqs:SendMessage",
    },
    "endpoint_events": KEEPING_ENDPOINTS
    | {"dynamodb:PutItem", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"},
    "endpoints_api": KEEPING_ENDPOINTS
    | SCALING_ENDPOINTS
    | {"iam:PassRole", "sagemaker:CreateEndpoint", "sagemaker:CreateEndpointConfig", "sagemaker:CreateModel"}
    | {"dynamodb:PutItem"},
    "dead_letters_api": {
        "dynamodb:UpdateItem",
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
        "sqs:SendMessage",
    },
    "scaler": {
        "application-autoscaling:DescribeScalableTargets",
        "application-autoscaling:DescribeScalingActivities",
        "application-autoscaling:RegisterScalableTarget",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
        "sagemaker:DescribeEndpoint",
        "sagemaker:DescribeEndpointConfig",
        "sagemaker:ListEndpoints",
        "sagemaker:ListTags",
        "sagemaker:UpdateEndpointWeightsAndCapacities",
    },
    "sweeper": KEEPING_ENDPOINTS
    | SCALING_ENDPOINTS
    | {
        "dynamodb:BatchGetItem",
        "dynamodb:BatchWriteItem",
        "dynamodb:DeleteItem",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:PutObject",
        "sagemaker:InvokeEndpointAsync",
        "sqs:SendMessage",
    },
    "unpack_asset": {
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:PutObject",
    },
    "costs_api": {
        "dynamodb:DeleteItem",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
    },
    "keys_api": {
        "dynamodb:DeleteItem",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
    },
    "job_events": {
        "dynamodb:GetItem",
        "dynamodb:UpdateItem",
        "s3:DeleteObject",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:PutObject",
        "sagemaker:InvokeEndpointAsync",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
    },
    "job_progress": {
        "dynamodb:UpdateItem",
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


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_function_may_do_exactly_what_is_listed(prod: Synthesized, name: str) -> None:
    granted = {action for s in statements(role_of(prod, name)) for action in listed(s["Action"])}
    assert granted == EXPECTED[name] | BASICS


def test_the_page_of_permissions_is_what_the_templates_say() -> None:
    assert permissions_page.text() == (ROOT / "docs" / "permissions.md").read_text(), "run `make permissions`"


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


def passes_too_much(statement: dict[str, Any]) -> bool:
    """Whether a statement passes another role than the worker's, or to another service than SageMaker, or does more."""
    condition = {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    resource = json.dumps(statement["Resource"])
    return (
        listed(statement["Action"]) != ["iam:PassRole"]
        or not resource.startswith('{"Fn::GetAtt": ["WorkerRole')
        or statement.get("Condition") != condition
    )


def test_one_role_can_be_passed_to_one_service_and_no_other(prod: Synthesized, strict: Synthesized) -> None:
    for stage in (prod, strict):
        for role in stage.resources("AWS::IAM::Role").values():
            passing = [s for s in statements(role) if any("PassRole" in action for action in listed(s["Action"]))]
            assert not [statement for statement in passing if passes_too_much(statement)]
    good = {
        "Action": "iam:PassRole",
        "Resource": {"Fn::GetAtt": ["WorkerRole1", "Arn"]},
        "Condition": {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
    }
    assert not passes_too_much(good)
    changes: tuple[dict[str, Any], ...] = (
        {"Resource": "*"},
        {"Resource": [good["Resource"], "*"]},
        {"Condition": {}},
        {"Condition": {"StringLike": {"iam:PassedToService": "*"}}},
        {"Action": ["iam:PassRole", "iam:CreateRole"]},
    )
    for change in changes:
        assert passes_too_much({**good, **change})


def test_only_this_stages_endpoints_can_be_invoked(prod: Synthesized) -> None:
    assert ":endpoint/darkroom-prod-*" in reach(role_of(prod, "jobs_api"), "sagemaker:InvokeEndpointAsync")


def test_endpoints_are_made_with_the_workers_role_and_it_is_passed_to_sagemaker_alone(prod: Synthesized) -> None:
    passing = [
        (name, statement)
        for name, role in prod.resources("AWS::IAM::Role").items()
        for statement in statements(role)
        if "iam:PassRole" in listed(statement["Action"])
    ]
    ((name, statement),) = passing
    assert name.startswith("EndpointsApi")
    assert statement["Action"] == "iam:PassRole"
    (role,) = (key for key in prod.resources("AWS::IAM::Role") if key.startswith("WorkerRole"))
    assert statement["Resource"] == {"Fn::GetAtt": [role, "Arn"]}
    assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}


def test_nobody_scales_or_deletes_an_endpoint_of_another_stage(prod: Synthesized) -> None:
    for name in ("endpoints_api", "endpoint_events"):
        for action in ("sagemaker:DeleteEndpoint", "sagemaker:UpdateEndpointWeightsAndCapacities"):
            assert reach(role_of(prod, name), action).count("endpoint/darkroom-prod-*") == 1


def test_uploads_can_be_written_but_never_deleted_by_the_api(prod: Synthesized) -> None:
    jobs_api = role_of(prod, "jobs_api")
    assert "/images/*" in reach(jobs_api, "s3:PutObject")
    assert "/images/*" not in reach(jobs_api, "s3:DeleteObject")
    assert "/images/*" not in reach(role_of(prod, "job_events"), "s3:PutObject")


def test_the_sweeper_deletes_objects_and_uses_of_pictures_and_never_a_job(prod: Synthesized) -> None:
    sweeper = role_of(prod, "sweeper")
    for prefix in ("/jobs/*", "/images/*"):
        assert prefix in reach(sweeper, "s3:DeleteObject")
    for action in ("dynamodb:DeleteItem", "dynamodb:BatchWriteItem"):
        assert "PictureUses" in reach(sweeper, action)
        assert "AttJobs" not in reach(sweeper, action)


def test_nobody_but_the_sweeper_deletes_an_upload(prod: Synthesized) -> None:
    able = [name for name in FUNCTIONS if "/images/*" in reach(role_of(prod, name), "s3:DeleteObject")]
    assert able == ["sweeper"]


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
    assert "ProgressQueue" in reach(role, "sqs:SendMessage")
    assert "EventsQueue" not in reach(role, "sqs:SendMessage")


def test_what_reads_progress_can_end_no_job(prod: Synthesized) -> None:
    role = role_of(prod, "job_progress")
    (statement,) = (s for s in statements(role) if "dynamodb:UpdateItem" in listed(s["Action"]))
    written = set(statement["Condition"]["ForAllValues:StringEquals"]["dynamodb:Attributes"])
    of_an_end = {"completed_at", "settled_by", "error", "error_code", "images", "open_shard", "status_shard", "owner"}
    assert {"progress", "started_at"} <= written
    assert not written & of_an_end
    assert "EventsQueue" not in reach(role, "sqs:ReceiveMessage")


def test_cdk_nag_finds_nothing_that_is_not_acknowledged(installations: Installations) -> None:
    assert installations.findings == []


def plant(monkeypatch: pytest.MonkeyPatch, *planted: Grant) -> None:
    """Give the function keys_api more grants than it needs."""
    kept = Permissions.keys_api
    monkeypatch.setattr(Permissions, "keys_api", lambda self: [*kept(self), *planted])


def test_a_wildcard_without_a_reason_stops_the_synthesis(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(UnexplainedWildcard, match=r"s3:GetObject on arn:aws:s3:::anything/\*: write it as a Pattern"):
        plant(monkeypatch, allow(["s3:GetObject"], "arn:aws:s3:::anything/*"))
    # One that comes past `allow` is found by cdk-nag, and the one with a reason beside it is not.
    explained = Pattern("arn:aws:s3:::explained/*", "Planted by a test.")
    plant(monkeypatch, Grant(("s3:GetObject",), ("arn:aws:s3:::anything/*", explained)))
    app = App(analytics_reporting=False, outdir=str(tmp_path))
    add_stacks(app, Stage(name="prod", worker_package=NO_PACKAGE, page=False))
    app.synth()
    report = AwsSolutionsChecks(app).validate_scope(app)
    assert [violation.rule_name for violation in report.violations] == [
        "AwsSolutions-IAM5[Resource::arn:aws:s3:::anything/*]"
    ]


def test_every_reason_is_that_of_a_wildcard(prod: Synthesized) -> None:
    service = prod.service_stack
    given = [*service.worker_grants, *(grant for function in service.functions.values() for grant in function.grants)]
    patterns = [pattern for grant in given for pattern in grant.patterns()]
    assert patterns
    assert [pattern for pattern in patterns if "*" not in pattern.arn or not pattern.reason] == []


def test_imports_read_those_buckets_alone_that_the_stage_names(prod: Synthesized) -> None:
    assert "s3:::" not in reach(role_of(prod, "checkpoint_imports"), "s3:GetObject")
    app = App()
    stage = Stage(name="prod", worker_package=NO_PACKAGE, page=False, import_buckets=("my-models",))
    _, service = add_stacks(app, stage)
    found = json.dumps(Template.from_stack(service).to_json()["Resources"])
    assert '":s3:::my-models/*"' in found


def test_the_authorizer_notes_a_use_and_changes_nothing_else_about_a_key(prod: Synthesized) -> None:
    (note,) = (s for s in statements(role_of(prod, "authorizer")) if s["Action"] == "dynamodb:UpdateItem")
    assert note["Condition"] == {"ForAllValues:StringEquals": {"dynamodb:Attributes": ["hash", "last_used"]}}


@pytest.mark.parametrize("name", sorted(set(ROUTES.values())))
def test_a_function_behind_the_api_writes_counts_into_the_table_of_keys_and_only_one_writes_keys(
    prod: Synthesized, name: str
) -> None:
    of_keys = [s for s in statements(role_of(prod, name)) if "ExportsOutputFnGetAttKeys" in json.dumps(s["Resource"])]
    count = [s for s in of_keys if "Condition" in s]
    rows = ["pace#*", "claim#*"] if name in ("endpoints_api", "checkpoints_api") else ["pace#*"]
    assert [(s["Action"], s["Condition"]) for s in count] == [
        ("dynamodb:UpdateItem", {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": rows}})
    ]
    assert (len(of_keys) > 1) == (name == "keys_api")
    assert "/index/*" not in json.dumps(of_keys)
