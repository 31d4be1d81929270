"""The role that CloudFormation deploys Darkroom with: the least that can, and that cannot become more.

By itself `cdk bootstrap` makes that role an administrator. `python -m infra.stage bootstrap` makes two policies first:

- `DarkroomDeploy` is what the role may do, and its own boundary too, so that whatever is attached to it adds nothing.
- `DarkroomBoundary` is the most that a role of the app may do. The deploy role can make and change only roles that have
  it, and cannot take it away. Stages get it by the setting `permissions_boundary`.
"""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from infra.deploy_types import DYNAMODB, QUEUES, ROLES, SECRET, TOPICS, TYPES
from infra.deploying import BOUNDARY, POLICIES, run_cdk

DEPLOY = "DarkroomDeploy"
_BOUNDARY_ARN = "arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/" + BOUNDARY
_LOGS_POLICY = "arn:*:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"


def _statement(actions: list[str], resources: list[str], condition: Any = None) -> dict[str, Any]:
    more = {"Condition": condition} if condition else {}
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


def deploy_policy() -> dict[str, Any]:
    """What CloudFormation may do. Names in `${}` are CloudFormation's."""
    wanted = dict.fromkeys(one for needed in TYPES.values() for one in needed)
    bounded = {"StringEquals": {"iam:PermissionsBoundary": _BOUNDARY_ARN}}
    statements = [
        _statement([f"{service}:{action}" for action in actions], list(resources))
        for service, actions, resources in wanted
    ]
    statements += [
        # A role without the boundary could do anything. So no role is made, changed or given a policy without it.
        _statement(["iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"], [ROLES], bounded),
        _statement(["iam:AttachRolePolicy"], [ROLES], {**bounded, "ArnLike": {"iam:PolicyARN": _LOGS_POLICY}}),
        _statement(
            ["iam:PassRole"],
            [ROLES],
            {"StringEquals": {"iam:PassedToService": ["lambda.amazonaws.com", "apigateway.amazonaws.com"]}},
        ),
        _statement(
            ["iam:CreateServiceLinkedRole"],
            ["*"],
            {
                "StringEquals": {
                    "iam:AWSServiceName": ["replication.dynamodb.amazonaws.com", "ops.apigateway.amazonaws.com"]
                }
            },
        ),
        # Where the CDK puts the code of functions, and the version of its bootstrap.
        _statement(["s3:GetObject"], ["arn:*:s3:::cdk-*-assets-${AWS::AccountId}-*/*"]),
        _statement(["ssm:GetParameters"], ["arn:*:ssm:*:${AWS::AccountId}:parameter/cdk-bootstrap/*"]),
        _statement(["logs:DescribeLogGroups", "secretsmanager:GetRandomPassword"], ["*"]),
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def boundary() -> dict[str, Any]:
    """The most that a role of the app may do: data of Darkroom's names, and endpoints. Of IAM it may do nothing but
    give SageMaker the worker's role."""
    account = "${AWS::AccountId}"
    data = [
        *DYNAMODB[2],
        f"arn:*:dynamodb:*:{account}:table/Darkroom-*/index/*",
        *QUEUES[2],
        *TOPICS[2],
        *SECRET[2],
        *(f"arn:*:logs:*:{account}:log-group:{name}*" for name in ("Darkroom-", "/aws/sagemaker/Endpoints/darkroom-")),
        *(f"arn:*:cloudwatch:*:{account}:alarm:{name}darkroom-*" for name in ("", "TargetTracking-endpoint/")),
        f"arn:*:sagemaker:*:{account}:*/darkroom-*",
    ]
    services = ("dynamodb", "sqs", "sns", "secretsmanager", "logs", "cloudwatch", "sagemaker")
    statements = [
        _statement([f"{service}:*" for service in services], data),
        # Model files are imported from buckets of any name; the role's own policy says from which.
        _statement(["s3:*Object", "s3:*Multipart*", "s3:ListBucket*"], ["*"]),
        _statement(
            [
                "application-autoscaling:*",
                "cloudwatch:DescribeAlarms",
                "ecr:*Image",
                "ecr:BatchCheckLayerAvailability",
                "ecr:GetAuthorizationToken",
                "ecr:GetDownloadUrlForLayer",
                "sagemaker:List*",
                "xray:Put*",
                "cloudwatch:PutMetricData",
                "logs:CreateLog*",
                "logs:DescribeLog*",
                "logs:FilterLogEvents",
                "logs:GetLogEvents",
                "logs:PutLogEvents",
            ],
            ["*"],
        ),
        _statement(
            ["kms:*crypt*", "kms:DescribeKey", "kms:GenerateDataKey"], ["*"], {"StringLike": {"kms:ViaService": "*"}}
        ),
        _statement(["iam:PassRole"], [ROLES], {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}),
        _statement(
            ["iam:CreateServiceLinkedRole"],
            ["*"],
            {"StringEquals": {"iam:AWSServiceName": "sagemaker.application-autoscaling.amazonaws.com"}},
        ),
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def template() -> dict[str, Any]:
    """The stack of both policies. The texts hold names that CloudFormation fills in."""
    policies = {DEPLOY: deploy_policy(), BOUNDARY: boundary()}
    return {
        "Description": "Darkroom: what CloudFormation may do to deploy it, and the most that its roles may do",
        "Resources": {
            name: {
                "Type": "AWS::IAM::ManagedPolicy",
                "Properties": {"ManagedPolicyName": name, "PolicyDocument": _filled_in(document)},
            }
            for name, document in policies.items()
        },
    }


def _filled_in(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _filled_in(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled_in(one) for one in value]
    return {"Fn::Sub": value} if isinstance(value, str) and "${AWS::" in value else value


def bootstrap(session: Any, say: Callable[[str], None]) -> int:
    """Make both policies, and prepare account and region for the CDK with them; returns the exit code. It takes an
    administrator, once."""
    make_policies(session.client("cloudformation"))
    identity = session.client("sts").get_caller_identity()
    partition, account = identity["Arn"].split(":")[1], identity["Account"]
    policy = f"arn:{partition}:iam::{account}:policy/{DEPLOY}"
    arguments = ["--cloudformation-execution-policies", policy, "--custom-permissions-boundary", DEPLOY]
    # In a folder without a cdk.json, because the CDK would otherwise synthesize the app.
    with tempfile.TemporaryDirectory() as folder:
        code = run_cdk(["bootstrap", f"aws://{account}/{session.region_name}", *arguments], session, Path(folder))
    if code == 0:
        say(f"The account is prepared. `make deploy` gives all roles of a stage the boundary {BOUNDARY}.")
    return code


def make_policies(cloudformation: Any) -> None:
    """Make or change the stack of the policies."""
    call = {"StackName": POLICIES, "TemplateBody": json.dumps(template()), "Capabilities": ["CAPABILITY_NAMED_IAM"]}
    try:
        cloudformation.create_stack(**call)
        waiter = "stack_create_complete"
    except ClientError as error:
        if error.response["Error"]["Code"] != "AlreadyExistsException":
            raise
        try:
            cloudformation.update_stack(**call)
        except ClientError as unchanged:
            if "No updates" not in str(unchanged):
                raise
            return
        waiter = "stack_update_complete"
    cloudformation.get_waiter(waiter).wait(StackName=POLICIES, WaiterConfig={"Delay": 2})
