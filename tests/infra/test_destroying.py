"""Removing a stage: what tests/release, which removes a whole one, cannot bring about when it wants."""

import boto3
from moto import mock_aws

from infra import destroying
from infra.inventory import Inventory, Resource


@mock_aws
def test_a_log_group_that_a_running_function_made_again_goes_too() -> None:
    session = boto3.session.Session("key", "secret", region_name="us-east-1")
    logs = session.client("logs")
    names = ("Darkroom-dev-service-SweeperLog1", "Darkroom-dev-service-ApiLog2", "Darkroom-dev-data-KeptLog3")
    for name in (names[0], names[2]):
        logs.create_log_group(logGroupName=name)
    groups = [Resource(f"Log{at}", "AWS::Logs::LogGroup", name, stays=at == 2) for at, name in enumerate(names)]
    said: list[str] = []
    # CloudFormation has deleted the stacks, and with them all three; the first came back.
    destroying.destroy(session, "dev", Inventory(resources=tuple(groups)), said.append)
    assert [one["logGroupName"] for one in logs.describe_log_groups()["logGroups"]] == [names[2]]
    assert said == [f"log group {names[0]}: removed"]
