"""Old versions of functions go, and all functions go back together or not at all."""

from typing import Any

import pytest

from infra import versions
from infra.versions import CannotGoBack

STACK = "Darkroom-dev-service"
ARN = "arn:aws:lambda:us-east-1:1:function"


class Lambda:
    """Functions with versions and an alias, as Lambda and CloudFormation tell them."""

    def __init__(self, **functions: dict[int, str]) -> None:
        """Each function has its versions, and the release that made each; the newest is live, and is what the template
        names."""
        self.releases = functions
        self.live = {name: max(made) for name, made in functions.items()}
        self.template = dict(self.live)
        self._asked = ""

    def get_alias(self, FunctionName: str, Name: str) -> dict[str, str]:  # noqa: N803 - boto3's names
        assert Name == "live"
        return {"FunctionVersion": str(self.live[FunctionName])}

    def update_alias(self, FunctionName: str, Name: str, FunctionVersion: str) -> None:  # noqa: N803
        assert Name == "live"
        assert int(FunctionVersion) in self.releases[FunctionName]
        self.live[FunctionName] = int(FunctionVersion)

    def delete_function(self, FunctionName: str, Qualifier: str) -> None:  # noqa: N803
        assert int(Qualifier) != self.live[FunctionName]
        del self.releases[FunctionName][int(Qualifier)]

    def get_paginator(self, name: str) -> "Lambda":
        self._asked = name
        return self

    def paginate(self, FunctionName: str = "", StackName: str = "") -> list[dict[str, Any]]:  # noqa: N803
        if self._asked == "list_versions_by_function":
            made = self.releases[FunctionName]
            told = [
                {"Version": str(number), "Environment": {"Variables": {"DARKROOM_RELEASE": release}}}
                for number, release in made.items()
            ]
            return [{"Versions": [{"Version": "$LATEST"}, *told[:1]]}, {"Versions": told[1:]}]
        assert StackName == STACK
        aliases = [("AWS::Lambda::Alias", f"{ARN}:{name}:live") for name in self.releases]
        named = [("AWS::Lambda::Version", f"{ARN}:{name}:{number}") for name, number in self.template.items()]
        return [
            {"StackResourceSummaries": [{"ResourceType": kind, "PhysicalResourceId": arn} for kind, arn in page]}
            for page in (aliases, named)
        ]


def settled(aws: Lambda) -> list[str]:
    said: list[str] = []
    versions.settle(aws, aws, STACK, said.append)
    return said


def rolled_back(aws: Lambda) -> str:
    said: list[str] = []
    versions.rollback(aws, aws, STACK, said.append)
    return "\n".join(said)


def test_the_last_three_versions_of_each_function_are_kept() -> None:
    aws = Lambda(api={n: f"r{n}" for n in (1, 2, 3, 4, 5)}, sweeper={1: "r4", 2: "r5"})
    assert settled(aws) == ["2 old versions of functions removed; the last 3 of each are kept."]
    assert {name: list(made) for name, made in aws.releases.items()} == {"api": [3, 4, 5], "sweeper": [1, 2]}
    assert settled(aws) == []


def test_all_functions_go_back_together_and_the_next_deploy_moves_them_on() -> None:
    aws = Lambda(api={1: "r1", 2: "r2", 3: "r3"}, sweeper={7: "r2", 8: "r3"})
    said = rolled_back(aws)
    assert "2 functions went back from r3 to r2." in said
    assert "Routes, roles, queues, alarms, tables" in said
    assert "the page" in said
    assert aws.live == {"api": 2, "sweeper": 7}
    # A deploy of the same sources changes no template, so CloudFormation would leave the aliases where they are.
    assert settled(aws) == ["2 functions moved on to the version of this deploy."]
    assert aws.live == {"api": 3, "sweeper": 8}


def test_a_function_that_the_last_deploy_made_stays() -> None:
    aws = Lambda(api={1: "r1", 2: "r2"}, exports={1: "r2"})
    assert "exports is new in the last deploy, and stays." in rolled_back(aws)
    assert aws.live == {"api": 1, "exports": 1}


def test_without_an_earlier_version_nothing_goes_back() -> None:
    with pytest.raises(CannotGoBack, match="no version before"):
        rolled_back(Lambda(api={4: "r1"}))


def test_functions_of_different_releases_stay_where_they_are() -> None:
    aws = Lambda(api={1: "r1", 2: "r2"}, sweeper={1: "r0", 2: "r2"})
    with pytest.raises(CannotGoBack, match="do not all run the same release"):
        rolled_back(aws)
    assert aws.live == {"api": 2, "sweeper": 2}
    aws = Lambda(api={1: "r1", 2: "r2"}, sweeper={1: "r1", 2: "r2"})
    aws.live["sweeper"] = 1
    with pytest.raises(CannotGoBack, match="Deploy again"):
        rolled_back(aws)
