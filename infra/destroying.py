"""`python -m infra.stage destroy NAME`: removes a stage, and says what is left of it and why.

In this order: endpoints, because they cost the most and belong to no stack; what is in buckets that go with the stack,
because CloudFormation deletes no bucket that holds something; the service stack; the data stack; and what SageMaker and
the CDK leave behind.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from darkroom.settings import endpoint_prefix
from infra import inventory
from infra.inventory import Inventory

PATIENCE = 1200
"""Seconds in which SageMaker must have let go of an endpoint that it was just changing."""
LONGEST_WAIT = 15


class NotDestroyed(Exception):
    """Something could not be removed; the text says what, why, and what to do."""


@dataclass(frozen=True)
class Left:
    """What remains of a stage, and why."""

    kind: str
    name: str
    why: str


def destroy(session: Any, stage: str, found: Inventory, say: Callable[[str], None]) -> list[Left]:
    """Remove the stage that `found` was seen of; returns what is left. Raises NotDestroyed."""
    sagemaker = session.client("sagemaker")
    _remove_endpoints(session, sagemaker, stage, say)
    for bucket in found.of("S3::Bucket"):
        if not bucket.stays:
            _empty(session.client("s3"), bucket.name, say)
    cloudformation = session.client("cloudformation")
    for stack in found.stacks:
        _delete_stack(cloudformation, stack, say)
    # Somebody may have made one while the API still answered.
    _remove_endpoints(session, sagemaker, stage, say)
    logs = session.client("logs")
    # A function that still ran while its log group went makes a new one where it may (MiniStack never forbids it).
    _remove_logs(logs, [one.name for one in found.of("Logs::LogGroup") if not one.stays], say)
    kept = any(one.stays for one in found.of("S3::Bucket"))
    if not kept:
        # SageMaker makes the logs of endpoints, and nobody else deletes them.
        _remove_logs(logs, list(inventory.log_groups(logs, stage)), say)
    return list(_left(session, found, kept))


def _remove_endpoints(session: Any, sagemaker: Any, stage: str, say: Callable[[str], None]) -> None:
    """All endpoints with their configurations, models, scaling and alarms."""
    began, wait = time.monotonic(), 1
    beginning = endpoint_prefix(stage)
    while waiting := list(inventory.endpoints(sagemaker, stage)):
        for one in waiting:
            if one.status != "Deleting" and _deleted(sagemaker, one.name):
                say(f"endpoint {one.name}: removed")
        if not (waiting := list(inventory.endpoints(sagemaker, stage))):
            break
        if time.monotonic() - began > PATIENCE:
            named = ", ".join(one.name for one in waiting)
            raise NotDestroyed(
                f"SageMaker does not let go of {named}. Each instance is paid. Try again in some minutes."
            )
        say(f"waiting for SageMaker to let go of {', '.join(one.name for one in waiting)}")
        time.sleep(wait)
        wait = min(2 * wait, LONGEST_WAIT)
    for operation, key, remove in (
        ("list_endpoint_configs", "EndpointConfig", sagemaker.delete_endpoint_config),
        ("list_models", "Model", sagemaker.delete_model),
    ):
        for page in sagemaker.get_paginator(operation).paginate(NameContains=beginning):
            for part in page[f"{key}s"]:
                if (name := part[f"{key}Name"]).lower().startswith(beginning):
                    remove(**{f"{key}Name": name})
    _remove_scaling(session.client("application-autoscaling"), beginning)
    cloudwatch = session.client("cloudwatch")
    if names := list(inventory.alarms(cloudwatch, stage)):
        cloudwatch.delete_alarms(AlarmNames=names)


def _remove_scaling(scaling: Any, beginning: str) -> None:
    where = {"ServiceNamespace": "sagemaker"}
    for page in scaling.get_paginator("describe_scalable_targets").paginate(**where):
        for target in page["ScalableTargets"]:
            if target["ResourceId"].startswith(f"endpoint/{beginning}"):
                chosen = {name: target[name] for name in ("ServiceNamespace", "ResourceId", "ScalableDimension")}
                scaling.deregister_scalable_target(**chosen)


def _deleted(sagemaker: Any, endpoint: str) -> bool:
    """Whether SageMaker takes the deletion of an endpoint; it does not while it makes or changes it."""
    try:
        sagemaker.delete_endpoint(EndpointName=endpoint)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationException":
            raise
        return False
    return True


def _empty(s3: Any, bucket: str, say: Callable[[str], None]) -> None:
    removed = 0
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        if keys := [{"Key": entry["Key"]} for entry in page.get("Contents", [])]:
            failed = s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True}).get("Errors", [])
            if failed:
                raise NotDestroyed(f"S3 does not delete {failed[0]['Key']} of {bucket}: {failed[0]['Message']}")
            removed += len(keys)
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
        for upload in page.get("Uploads", []):
            s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    say(f"bucket {bucket}: {removed} objects removed")


def _delete_stack(cloudformation: Any, stack: str, say: Callable[[str], None]) -> None:
    say(f"stack {stack}: deleting")
    cloudformation.update_termination_protection(StackName=stack, EnableTerminationProtection=False)
    arn = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackId"]
    cloudformation.delete_stack(StackName=stack)
    try:
        cloudformation.get_waiter("stack_delete_complete").wait(
            StackName=arn, WaiterConfig={"Delay": 5, "MaxAttempts": 360}
        )
    except WaiterError as problem:
        events = cloudformation.describe_stack_events(StackName=arn)["StackEvents"]
        failed = next((one for one in events if one["ResourceStatus"] == "DELETE_FAILED"), None)
        why = f"{failed['LogicalResourceId']}: {failed.get('ResourceStatusReason', '')}" if failed else str(problem)
        raise NotDestroyed(
            f"CloudFormation could not delete {stack}. {why}\nPut that right, and run this again."
        ) from None


def _remove_logs(logs: Any, groups: Iterable[str], say: Callable[[str], None]) -> None:
    """Remove the log groups of these names that are there."""
    for group in groups:
        try:
            logs.delete_log_group(logGroupName=group)
        except logs.exceptions.ResourceNotFoundException:
            continue
        say(f"log group {group}: removed")


def _left(session: Any, found: Inventory, kept: bool) -> Iterator[Left]:
    """What CloudFormation kept: data, and the one role that API Gateway writes logs with, unless nobody uses it."""
    reason = "the stage is not disposable: its data stays. `python -m infra.stage take-over` uses it again"
    roles = [one for one in found.of("IAM::Role") if one.stays and "CloudWatchRole" in one.logical]
    for one in found.resources:
        # A function is deleted with all its versions. The settings of API Gateway are those of the whole region.
        if one.stays and one.kind not in ("AWS::Lambda::Version", "AWS::ApiGateway::Account") and one not in roles:
            yield Left(one.kind, one.name, reason)
    if kept:
        for group in found.logs:
            yield Left("log group", group, "logs of endpoints of a stage whose data stays")
    for role in roles:
        if why := _remove_gateway_role(session, role.name):
            yield Left(role.kind, role.name, why)


def _remove_gateway_role(session: Any, role: str) -> str:
    """Remove the role that API Gateway writes logs with in the whole region; the reason where it must stay."""
    gateway = session.client("apigateway")
    if gateway.get_rest_apis(limit=1)["items"]:
        return "API Gateway writes the logs of other APIs in this region with it"
    arn = gateway.get_account().get("cloudwatchRoleArn", "")
    if arn.endswith(f"/{role}"):
        gateway.update_account(patchOperations=[{"op": "replace", "path": "/cloudwatchRoleArn", "value": ""}])
    iam = session.client("iam")
    for policy in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=role, PolicyArn=policy["PolicyArn"])
    iam.delete_role(RoleName=role)
    return ""
