"""`python -m infra.permissions_page` prints docs/permissions.md, which is made from the templates of a stage called `prod`."""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import App, Stack
from aws_cdk.assertions import Template

from infra.functions import FUNCTIONS
from infra.grants import Grant
from infra.stacks import add_stacks
from infra.stage import NO_PACKAGE, Stage

_HEAD = """# Permissions

What each function and the worker may do in a stage called `prod`. `make permissions` writes this page from the
CloudFormation templates; the source is `infra/permissions.py`. AWS fills in the names in angle brackets. Where a
resource has a `*`, the last column says why. These reasons are in `infra/resources.py`, and cdk-nag reads them there.
"""
_EXPORT = re.compile(r"^.*:ExportsOutput(?:Ref|FnGetAtt)")
_HASH = re.compile(r"[0-9A-F]{8}(?:Arn|Id)?(?:[0-9A-F]{8})?$")


def text() -> str:
    """The whole page."""
    _, service = add_stacks(App(analytics_reporting=False), Stage(name="prod", worker_package=NO_PACKAGE))
    resources: dict[str, Any] = Template.from_stack(service).to_json()["Resources"]
    functions = {
        found["Properties"]["Handler"].split(".")[1]: found["Properties"]["Role"]["Fn::GetAtt"][0]
        for found in resources.values()
        if found["Type"] == "AWS::Lambda::Function"
    }
    (worker,) = (key for key, found in resources.items() if found["Type"] == "AWS::IAM::Role" and key[:6] == "Worker")
    roles = {name: functions[name] for name in FUNCTIONS} | {"the worker": worker}
    grants = {name: function.grants for name, function in service.functions.items()}
    grants["the worker"] = service.worker_grants
    return "\n".join(
        [
            _HEAD,
            *(
                _section(name, resources[key]["Properties"], _reasons(service, grants[name]))
                for name, key in roles.items()
            ),
        ]
    )


def _reasons(stack: Stack, grants: Sequence[Grant]) -> dict[str, str]:
    """The reason for each wildcard, by the resource as this page writes it."""
    patterns = [pattern for grant in grants for pattern in grant.patterns()]
    return {str(_plain(stack.resolve(pattern.arn))): pattern.reason for pattern in patterns}


def _section(name: str, role: Mapping[str, Any], reasons: Mapping[str, str]) -> str:
    lines = [f"## {name}", "", "| actions | resources | condition | why a wildcard |", "| --- | --- | --- | --- |"]
    for policy in role["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            resources = [_plain(resource) for resource in _listed(statement["Resource"])]
            cells = (
                ", ".join(f"`{action}`" for action in _listed(statement["Action"])),
                ", ".join(f"`{resource}`" for resource in resources),
                f"`{json.dumps(_plain(statement['Condition']))}`" if "Condition" in statement else "",
                " ".join(dict.fromkeys(reasons[resource] for resource in resources if "*" in resource)),
            )
            lines.append(f"| {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |"))
    return "\n".join([*lines, ""])


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _plain(value: Any) -> Any:
    """A template's value as text for people: a reference becomes the name of its resource."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if not isinstance(value, dict):
        return value
    if "Fn::Join" in value:
        separator, parts = value["Fn::Join"]
        return separator.join(_plain(part) for part in parts)
    if "Fn::ImportValue" in value:
        return f"<{_short(_EXPORT.sub('', value['Fn::ImportValue']))}>"
    if "Fn::GetAtt" in value:
        return f"<{_short(value['Fn::GetAtt'][0])}>"
    if "Ref" in value:
        return f"<{_short(value['Ref'].removeprefix('AWS::'))}>"
    return {key: _plain(one) for key, one in value.items()}


def _short(name: str) -> str:
    return _HASH.sub("", name)


if __name__ == "__main__":
    sys.stdout.write(text())
