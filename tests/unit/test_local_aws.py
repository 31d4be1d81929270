"""What the local AWS knows of the account for which SageMaker uses a role."""

from typing import Any

import pytest
from ministack.core.iam_evaluator import EvalContext

from local.aws import trusts

ACCOUNT, OTHER = "000000000000", "111111111111"
CALLER = f"arn:aws:iam::{ACCOUNT}:root"


def policy(condition: dict[str, Any]) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [{**statement, **condition}]}


def of_account(account: str) -> dict[str, Any]:
    return {"Condition": {"StringEquals": {"aws:SourceAccount": account}}}


@pytest.mark.parametrize(
    ("condition", "session", "trusted"),
    [
        ({}, "SageMaker", True),
        (of_account(ACCOUNT), "SageMaker", True),
        (of_account(OTHER), "SageMaker", False),
        (of_account(ACCOUNT), "somebody", False),
    ],
)
def test_sagemaker_uses_a_role_for_its_own_account(condition: dict[str, Any], session: str, trusted: bool) -> None:
    request = EvalContext(
        principal_arn=CALLER,
        principal_type="Root",
        principal_account=ACCOUNT,
        action="sts:AssumeRole",
        resource_arn=f"arn:aws:iam::{ACCOUNT}:role/worker",
        region="us-east-1",
        service_context={"sts:rolesessionname": session},
    )
    assert trusts(policy(condition), CALLER, request) is trusted
