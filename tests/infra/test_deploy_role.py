"""The role that deploys: it can make all that the stacks have, and cannot become more. The known ways of becoming more
are tried with the evaluator of the local stack, which the end-to-end tests enforce with."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document

from infra import deploy_role, deploy_types, deploying
from tests.infra.conftest import Installations, Synthesized
from tests.infra.test_permissions import listed

ACCOUNT = "111122223333"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/{deploying.BOUNDARY}"
OURS = f"arn:aws:iam::{ACCOUNT}:role/Darkroom-dev-service-JobsApiRole-x"
BOUND = {"iam:PermissionsBoundary": BOUNDARY}
ADMIN = f"arn:aws:iam::{ACCOUNT}:role/admin"
DEPLOYER = f"arn:aws:iam::{ACCOUNT}:role/cdk-hnb659fds-cfn-exec-role-{ACCOUNT}-us-east-1"


def parsed(document: dict[str, Any]) -> Any:
    text = json.dumps(document).replace("${AWS::AccountId}", ACCOUNT).replace("${AWS::Partition}", "aws")
    return parse_policy_document(text)


def may(action: str, resource: str, context: Mapping[str, str], document: dict[str, Any] | None = None) -> bool:
    """Whether a policy (that of the deploy role) allows a call; `context` are the condition keys of IAM."""
    # The evaluator reads keys in lower case.
    keys = {key.lower(): value for key, value in context.items()}
    asked = EvalContext(DEPLOYER, "AssumedRole", ACCOUNT, action, resource, "us-east-1", service_context=keys)
    policy = parsed(document or deploy_role.deploy_policy())
    # The policy is the role's own boundary as well: whatever somebody attached to it would add nothing.
    everything = parsed({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})
    return bool(evaluate(asked, [everything], [policy]).decision == "Allow")


def test_every_type_of_resource_in_the_stacks_can_be_deployed(installations: Installations) -> None:
    stages = (installations.prod, installations.dev, installations.local, installations.strict)
    templates = [template for stage in stages for template in (stage.data, stage.service)]
    found = {one["Type"] for template in templates for one in template["Resources"].values()}
    assert found - deploy_types.TYPES.keys() == set()


@pytest.mark.parametrize(
    ("action", "resource", "context"),
    [
        ("iam:CreateRole", OURS, BOUND),
        ("iam:PutRolePolicy", OURS, BOUND),
        ("iam:PassRole", OURS, {"iam:PassedToService": "lambda.amazonaws.com"}),
        ("lambda:CreateFunction", f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:Darkroom-dev-service-JobsApi-x", {}),
        ("dynamodb:CreateTable", f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/Darkroom-dev-data-Jobs-x", {}),
        ("s3:CreateBucket", "arn:aws:s3:::darkroom-dev-data-pictures-x", {}),
        ("apigateway:POST", "arn:aws:apigateway:us-east-1::/restapis", {}),
        ("s3:GetObject", f"arn:aws:s3:::cdk-hnb659fds-assets-{ACCOUNT}-us-east-1/x.zip", {}),
    ],
)
def test_it_can_deploy(action: str, resource: str, context: dict[str, str]) -> None:
    assert may(action, resource, context)


ESCALATIONS = {
    "a role without the boundary": ("iam:CreateRole", OURS, {}),
    "a role with another boundary": ("iam:CreateRole", OURS, {"iam:PermissionsBoundary": f"{BOUNDARY}Mine"}),
    "a role of another name": ("iam:CreateRole", ADMIN, BOUND),
    "a policy for a role without the boundary": ("iam:PutRolePolicy", OURS, {}),
    "a policy for itself": ("iam:PutRolePolicy", DEPLOYER, BOUND),
    "an administrator's policy for its own role": (
        "iam:AttachRolePolicy",
        DEPLOYER,
        {**BOUND, "iam:PolicyARN": "arn:aws:iam::aws:policy/AdministratorAccess"},
    ),
    "an administrator's policy for a role of the app": (
        "iam:AttachRolePolicy",
        OURS,
        {**BOUND, "iam:PolicyARN": "arn:aws:iam::aws:policy/AdministratorAccess"},
    ),
    "the boundary taken away": ("iam:DeleteRolePermissionsBoundary", OURS, BOUND),
    "its own boundary taken away": ("iam:DeleteRolePermissionsBoundary", DEPLOYER, {}),
    "another boundary for a role": ("iam:PutRolePermissionsBoundary", OURS, {"iam:PermissionsBoundary": "arn:x"}),
    "another text of the boundary": ("iam:CreatePolicyVersion", BOUNDARY, {}),
    "another version of the boundary": ("iam:SetDefaultPolicyVersion", BOUNDARY, {}),
    "another text of its own policy": (
        "iam:CreatePolicyVersion",
        f"arn:aws:iam::{ACCOUNT}:policy/{deploy_role.DEPLOY}",
        {},
    ),
    "an administrator's role for a function": (
        "iam:PassRole",
        ADMIN,
        {"iam:PassedToService": "lambda.amazonaws.com"},
    ),
    "a role for a machine of its own": ("iam:PassRole", OURS, {"iam:PassedToService": "ec2.amazonaws.com"}),
    "its own role for CloudFormation": (
        "iam:PassRole",
        DEPLOYER,
        {"iam:PassedToService": "cloudformation.amazonaws.com"},
    ),
    "an administrator's role, assumed": ("sts:AssumeRole", ADMIN, {}),
    "trust of an administrator's role": ("iam:UpdateAssumeRolePolicy", ADMIN, {}),
    "a user": ("iam:CreateUser", f"arn:aws:iam::{ACCOUNT}:user/mallory", {}),
    "an access key of somebody": ("iam:CreateAccessKey", f"arn:aws:iam::{ACCOUNT}:user/anna", {}),
    "a password of somebody": ("iam:UpdateLoginProfile", f"arn:aws:iam::{ACCOUNT}:user/anna", {}),
    "a group's policy": ("iam:PutGroupPolicy", f"arn:aws:iam::{ACCOUNT}:group/everybody", {}),
    "code of another function": (
        "lambda:UpdateFunctionCode",
        f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:billing",
        {},
    ),
    "layers for another function": (
        "lambda:UpdateFunctionConfiguration",
        f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:billing",
        {},
    ),
    "a stack with another role": ("cloudformation:CreateStack", "arn:aws:cloudformation:us-east-1:1:stack/x/y", {}),
    "a machine": ("ec2:RunInstances", "*", {}),
    "a notebook with a role": ("sagemaker:CreateNotebookInstance", "*", {}),
    "rows of another table": ("dynamodb:GetItem", f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/payroll", {}),
    "the admin's key": (
        "secretsmanager:GetSecretValue",
        f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:Admin-x",
        {},
    ),
    "code of deploys changed": ("s3:PutObject", f"arn:aws:s3:::cdk-hnb659fds-assets-{ACCOUNT}-us-east-1/x.zip", {}),
}


@pytest.mark.parametrize("way", ESCALATIONS)
def test_it_cannot_become_more(way: str) -> None:
    action, resource, context = ESCALATIONS[way]
    assert not may(action, resource, context)


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("iam:CreateRole", OURS),
        ("iam:PassRole", OURS),
        ("lambda:UpdateFunctionCode", f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:Darkroom-dev-service-x"),
        ("sts:AssumeRole", ADMIN),
        ("dynamodb:GetItem", f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/payroll"),
    ],
)
def test_a_role_of_the_app_stays_within_its_boundary(action: str, resource: str) -> None:
    assert not may(action, resource, {}, deploy_role.boundary())


OF_THE_APP = {
    "iam:PassedToService": "sagemaker.amazonaws.com",
    "iam:AWSServiceName": "sagemaker.application-autoscaling.amazonaws.com",
    "kms:ViaService": "s3.us-east-1.amazonaws.com",
}
"""What the calls of the app tell IAM."""


def test_the_boundary_lets_every_role_do_what_its_policy_allows(prod: Synthesized) -> None:
    """Of each statement of each role, with the names that AWS would make."""
    for role in prod.resources("AWS::IAM::Role").values():
        for policy in role.get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                for action in listed(statement["Action"]):
                    for resource in listed(statement["Resource"]):
                        arn = physical(resource)
                        assert may(action, arn, OF_THE_APP, deploy_role.boundary()), f"{action} on {arn}"


def physical(value: Any) -> str:
    """An ARN of the template with names as CloudFormation makes them."""
    if isinstance(value, str):
        return value
    if "Fn::Join" in value:
        return str(value["Fn::Join"][0]).join(physical(part) for part in value["Fn::Join"][1])
    known = {"AWS::AccountId": ACCOUNT, "AWS::Region": "us-east-1", "AWS::Partition": "aws"}
    if "Fn::Sub" in value:
        return re.sub(r"\$\{([\w:]+)\}", lambda found: known[found[1]], value["Fn::Sub"])
    if value.get("Ref") in known:
        return known[value["Ref"]]
    name = str(value.get("Ref") or value.get("Fn::ImportValue") or value["Fn::GetAtt"][0])
    beginning = f"arn:aws:{{}}:us-east-1:{ACCOUNT}:"
    for kind, arn in {
        "Secret|Admin": beginning.format("secretsmanager") + "secret:Admin-x",
        "Pictures[0-9A-F]{8}|ModelFiles": "arn:aws:s3:::darkroom-prod-data-x",
        "Role": OURS,
        "Log": beginning.format("logs") + "log-group:Darkroom-prod-service-x",
        "Results": beginning.format("sns") + "Darkroom-prod-service-x",
        "Queue|DeadLetters|Undelivered": beginning.format("sqs") + "Darkroom-prod-service-x",
        "": beginning.format("dynamodb") + "table/Darkroom-prod-data-x",
    }.items():
        if re.search(kind, name):
            return arn
    raise AssertionError(name)


def test_the_policies_fit_into_what_iam_takes() -> None:
    """6,144 characters without white space (IAM quotas), with an account's number filled in."""
    for document in (deploy_role.deploy_policy(), deploy_role.boundary()):
        text = json.dumps(document, separators=(",", ":")).replace("${AWS::AccountId}", ACCOUNT)
        assert len(text) < 6144


def test_a_stage_with_the_setting_gives_all_its_roles_the_boundary(strict: Synthesized) -> None:
    roles = strict.resources("AWS::IAM::Role")
    assert roles
    assert all(deploying.BOUNDARY in json.dumps(role["PermissionsBoundary"]) for role in roles.values())
