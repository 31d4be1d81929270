"""The versions of a stage's functions: after a deploy the last three are kept, and `rollback` goes back to the one
before.

`python -m infra.stage deploy` calls `settle`, `python -m infra.stage rollback` calls `rollback`. Both take clients of
boto3 and the service stack's name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from infra.deployed import resources
from infra.functions import ALIAS, RELEASE_VARIABLE

KEPT = 3
NOT_BACK = (
    "Only the functions went back. Routes, roles, queues, alarms, tables, the worker's package and the page are as the "
    "last deploy made them. The next deploy moves the functions on: python -m infra.stage deploy"
)


class CannotGoBack(Exception):
    """There is nothing that all functions can go back to; the text says why, and what to do."""


@dataclass(frozen=True)
class Released:
    """A version of a function, and the release that made it."""

    number: int
    release: str


@dataclass(frozen=True)
class Function:
    """A deployed function: its name, the version that its alias names, and all its versions, oldest first."""

    name: str
    live: int
    versions: tuple[Released, ...]

    def release(self, number: int) -> str:
        """The release of one of its versions."""
        return next((one.release for one in self.versions if one.number == number), "")

    def before(self) -> Released | None:
        """The version before the live one."""
        return max((one for one in self.versions if one.number < self.live), key=lambda one: one.number, default=None)


def settle(cloudformation: Any, lambda_: Any, stack: str, say: Callable[[str], None]) -> None:
    """Let each alias name the version that the last deploy made, also after a rollback, and remove all versions but the
    last three. CloudFormation moves an alias only when its template has changed since the deploy before."""
    wanted = _deployed(cloudformation, stack)
    moved = removed = 0
    for function in functions(cloudformation, lambda_, stack):
        live = wanted.get(function.name, function.live)
        if live != function.live:
            lambda_.update_alias(FunctionName=function.name, Name=ALIAS, FunctionVersion=str(live))
            moved += 1
        kept = {live, *sorted(one.number for one in function.versions)[-KEPT:]}
        for old in (one.number for one in function.versions if one.number not in kept):
            lambda_.delete_function(FunctionName=function.name, Qualifier=str(old))
            removed += 1
    if moved:
        say(f"{moved} functions moved on to the version of this deploy.")
    if removed:
        say(f"{removed} old versions of functions removed; the last {KEPT} of each are kept.")


def rollback(cloudformation: Any, lambda_: Any, stack: str, say: Callable[[str], None]) -> None:
    """Let every alias name the version before, all of one release. Raises CannotGoBack, and then nothing is changed.

    A function that the last deploy was the first to make stays as it is: what went back does not call it.
    """
    found = functions(cloudformation, lambda_, stack)
    earlier = {function.name: before for function in found if (before := function.before())}
    if not earlier:
        raise CannotGoBack("There is no version before the one that runs.")
    live, releases = {one.release(one.live) for one in found}, {one.release for one in earlier.values()}
    if len(live) > 1 or len(releases) > 1:
        raise CannotGoBack(
            f"The functions do not all run the same release: {', '.join(sorted(live))}; before it: "
            f"{', '.join(sorted(releases))}. A deploy or a rollback broke off. Deploy again: that puts it right."
        )
    for name, version in earlier.items():
        lambda_.update_alias(FunctionName=name, Name=ALIAS, FunctionVersion=str(version.number))
    say(f"{len(earlier)} functions went back from {live.pop()} to {releases.pop()}.")
    for name in sorted({one.name for one in found} - earlier.keys()):
        say(f"{name} is new in the last deploy, and stays.")
    say(NOT_BACK)


def publish(lambda_: Any, name: str) -> None:
    """Make a version of a function as it is now, and let the alias name it."""
    number = lambda_.publish_version(FunctionName=name)["Version"]
    lambda_.update_alias(FunctionName=name, Name=ALIAS, FunctionVersion=number)


def functions(cloudformation: Any, lambda_: Any, stack: str) -> list[Function]:
    """The functions of a stack that have an alias, in the order of their names."""
    names = sorted(arn.split(":")[6] for arn in _ids(cloudformation, stack, "AWS::Lambda::Alias"))
    return [_function(lambda_, name) for name in names]


def _function(lambda_: Any, name: str) -> Function:
    live = int(lambda_.get_alias(FunctionName=name, Name=ALIAS)["FunctionVersion"])
    pages = lambda_.get_paginator("list_versions_by_function").paginate(FunctionName=name)
    versions = [
        Released(int(one["Version"]), _release(one.get("Environment", {})))
        for page in pages
        for one in page["Versions"]
        if one["Version"] != "$LATEST"
    ]
    return Function(name, live, tuple(sorted(versions, key=lambda one: one.number)))


def _release(environment: Mapping[str, Any]) -> str:
    return str(environment.get("Variables", {}).get(RELEASE_VARIABLE, "a release without a name"))


def _deployed(cloudformation: Any, stack: str) -> dict[str, int]:
    """The number of each function's version that the stack's template names, by the function's name."""
    arns = _ids(cloudformation, stack, "AWS::Lambda::Version")
    return {arn.split(":")[6]: int(arn.split(":")[7]) for arn in arns}


def _ids(cloudformation: Any, stack: str, kind: str) -> list[str]:
    """The physical ids of a stack's resources of a type."""
    return [one["PhysicalResourceId"] for one in resources(cloudformation, stack) if one["ResourceType"] == kind]
