"""`python -m infra.page`: docs/permissions.md, made from the templates of a stage called `prod`."""

import json
import re
import sys
from collections.abc import Mapping
from typing import Any

from aws_cdk import App
from aws_cdk.assertions import Template

from infra.service_stack import TIMEOUTS
from infra.stacks import add_stacks
from infra.stage import Stage

_HEAD = """# Permissions

What each function and the worker may do in a stage called `prod`: `infra/permissions.py` says it, and this page is
made from the templates (`make permissions`). Where a name stands in angle brackets, AWS fills it in.
"""
_EXPORT = re.compile(r"^.*:ExportsOutput(?:Ref|FnGetAtt)")
_HASH = re.compile(r"[0-9A-F]{8}(?:Arn|Id)?(?:[0-9A-F]{8})?$")


def text() -> str:
    """The whole page."""
    _, service = add_stacks(App(analytics_reporting=False), Stage(name="prod"))
    resources: dict[str, Any] = Template.from_stack(service).to_json()["Resources"]
    functions = {
        found["Properties"]["Handler"].split(".")[1]: found["Properties"]["Role"]["Fn::GetAtt"][0]
        for found in resources.values()
        if found["Type"] == "AWS::Lambda::Function"
    }
    (worker,) = (key for key, found in resources.items() if found["Type"] == "AWS::IAM::Role" and key[:6] == "Worker")
    roles = {name: functions[name] for name in TIMEOUTS} | {"the worker": worker}
    return "\n".join([_HEAD, *(_section(name, resources[key]["Properties"]) for name, key in roles.items())])


def _section(name: str, role: Mapping[str, Any]) -> str:
    lines = [f"## {name}", "", "| actions | resources | condition |", "| --- | --- | --- |"]
    for policy in role["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            cells = (
                ", ".join(f"`{action}`" for action in _listed(statement["Action"])),
                ", ".join(f"`{_plain(resource)}`" for resource in _listed(statement["Resource"])),
                f"`{json.dumps(_plain(statement['Condition']))}`" if "Condition" in statement else "",
            )
            lines.append(f"| {' | '.join(cells)} |".replace("|  |", "| |"))
    return "\n".join([*lines, ""])


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _plain(value: Any) -> Any:
    """A template's value as a person writes it: references by the name of what they refer to."""
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
