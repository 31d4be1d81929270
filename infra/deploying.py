"""`python -m infra.stage deploy | rollback`: deploys a stage with the CDK, and moves its functions.

Whoever wants to deploy calls `make deploy STAGE=…`, which also says whom uv and npm may trust.
"""

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from infra import cdk, versions
from infra.deployed import resources, stack_names
from infra.stage import Stage

POLICIES = "DarkroomDeployPolicies"
"""The stack that `bootstrap` makes (`infra/deploy_role.py`)."""
BOUNDARY = "DarkroomBoundary"


class Refused(Exception):
    """A deploy is not begun, because it would lose something; the text says what to do instead."""


def deploy(session: Any, stage: Stage, arguments: Sequence[str], say: Callable[[str], None]) -> int:
    """Deploy both stacks, let all functions run what was deployed, and remove old versions. Returns the CDK's exit
    code. `arguments` are more arguments for `cdk deploy`. Raises Refused."""
    cloudformation = session.client("cloudformation")
    refuse_to_lose_a_key(cloudformation, stage)
    words = ["deploy", "--all", "--require-approval", "never", "-c", f"stage={stage.name}", *arguments]
    if not stage.permissions_boundary and kinds(cloudformation, POLICIES):
        # The account was prepared by `bootstrap`: no role can be made without the boundary.
        words += ["-c", f"permissions_boundary={BOUNDARY}"]
    code = run_cdk(words, session)
    if code == 0:
        _, service = stack_names(stage.name)
        versions.settle(cloudformation, session.client("lambda"), service, say)
    return code


def rollback(session: Any, stage: str, say: Callable[[str], None]) -> None:
    """Let all functions of a stage run the release before. Raises `versions.CannotGoBack`."""
    _, service = stack_names(stage)
    versions.rollback(session.client("cloudformation"), session.client("lambda"), service, say)


def refuse_to_lose_a_key(cloudformation: Any, stage: Stage) -> None:
    """Raises Refused where the stage has a customer's key and its settings do not any more: what is encrypted with it
    could not be read."""
    data, _ = stack_names(stage.name)
    if not stage.customer_key and "AWS::KMS::Key" in kinds(cloudformation, data):
        raise Refused(
            f"The stage {stage.name} has stored things that are encrypted with its own key, and without customer_key "
            'the functions could not read them any more. Write "customer_key": "kept": then nothing more is encrypted '
            "with the key, and what it encrypted can still be read."
        )


def kinds(cloudformation: Any, stack: str) -> set[str]:
    """The types of a deployed stack's resources; none without the stack."""
    try:
        return {one["ResourceType"] for one in resources(cloudformation, stack)}
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        return set()


def run_cdk(arguments: Sequence[str], session: Any, folder: Path = cdk.ROOT) -> int:
    """Run the CDK CLI in a folder (this checkout), with this environment and the region and profile of a session;
    returns its exit code."""
    environment = cdk.environment(os.environ)
    if session.region_name:
        environment |= {"AWS_REGION": session.region_name, "AWS_DEFAULT_REGION": session.region_name}
    if session.profile_name != "default":
        environment["AWS_PROFILE"] = session.profile_name
    return subprocess.run(cdk.command(arguments), cwd=folder, env=environment, check=False).returncode  # noqa: S603 - our own words
