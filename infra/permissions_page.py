"""`python -m infra.permissions_page` prints docs/permissions.md, which is made from the templates of a stage `prod`."""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any, cast

from aws_cdk import CfnElement, Stack
from aws_cdk.assertions import Template

from infra.functions import FUNCTIONS
from infra.grants import Grant
from infra.service_stack import ServiceStack
from infra.stacks import described
from infra.stage import NO_PACKAGE, Stage

_HEAD = """# Permissions

What each function and the worker may do in a stage called `prod`. `make permissions` writes this page from the
CloudFormation templates; the source is `infra/permissions.py`. AWS fills in the names in angle brackets. Where a
resource has a `*`, the last column says why. These reasons are in `infra/resources.py`, and cdk-nag reads them there.
"""
_PSEUDO = re.compile(r"\$\{AWS::(\w+)\}")
_ASSET = re.compile(r"[0-9a-f]{64}\.zip")
_EXPORT = re.compile(r"^.*:ExportsOutput(?:Ref|FnGetAtt)")
_HASH = re.compile(r"[0-9A-F]{8}(?:Arn|Id)?(?:[0-9A-F]{8})?$")


def text() -> str:
    """The whole page."""
    with described(Stage(name="prod", worker_package=NO_PACKAGE)) as (_, service):
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
            *_of_the_page(service, resources),
        ]
    )


def _of_the_page(service: ServiceStack, resources: Mapping[str, Any]) -> list[str]:
    """What the policy of the page's bucket allows, and to whom."""
    page = service.page
    if page is None:
        return []
    policy = resources[service.get_logical_id(cast(CfnElement, page.bucket.policy.node.default_child))]  # type: ignore[union-attr]
    allowed = [s for s in policy["Properties"]["PolicyDocument"]["Statement"] if s["Effect"] == "Allow"]
    everything = service.resolve(page.bucket.arn_for_objects("*"))
    reasons = _reasons(service, page.grants) | {str(_plain(everything)): "Every file of the page is served."}
    sections = {
        "CloudFront, by the policy of the page's bucket": [s for s in allowed if "Service" in s["Principal"]],
        "unpack_asset, by the policy of the page's bucket": [s for s in allowed if "Service" not in s["Principal"]],
    }
    return [
        _section(name, {"Policies": [{"PolicyDocument": {"Statement": statements}}]}, reasons)
        for name, statements in sections.items()
    ]


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
        return _ASSET.sub("<asset>.zip", value) if isinstance(value, str) else value
    if "Fn::Join" in value:
        separator, parts = value["Fn::Join"]
        return separator.join(_plain(part) for part in parts)
    if "Fn::ImportValue" in value:
        return f"<{_short(_EXPORT.sub('', value['Fn::ImportValue']))}>"
    if "Fn::Sub" in value:
        return _PSEUDO.sub(r"<\1>", value["Fn::Sub"])
    if "Fn::GetAtt" in value:
        return f"<{_short(value['Fn::GetAtt'][0])}>"
    if "Ref" in value:
        return f"<{_short(value['Ref'].removeprefix('AWS::'))}>"
    return {key: _plain(one) for key, one in value.items()}


def _short(name: str) -> str:
    return _HASH.sub("", name)


if __name__ == "__main__":
    sys.stdout.write(text())
