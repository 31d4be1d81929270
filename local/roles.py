"""Teaches MiniStack the condition keys of IAM that say which boundary a role has, and which policy is attached.

A request that makes a role, or sets its boundary, has that boundary; any other one has the role's own (Service
Authorization Reference, "Condition keys for AWS Identity and Access Management"). MiniStack gives conditions neither
key, so a policy that asks for a boundary would allow nothing.
"""

from collections.abc import Callable
from typing import Any

from ministack.core import iam_actions
from ministack.services import iam

_context_of: Callable[..., dict[str, Any]] = iam_actions.request_tag_context
_SETTING = {"iam:CreateRole", "iam:PutRolePermissionsBoundary"}


def install() -> None:
    """Change MiniStack in this process."""
    iam_actions.request_tag_context = context


def context(service: str, action: str, body: bytes, parameters: dict[str, Any]) -> dict[str, Any]:
    """What MiniStack tells conditions about a request, and these two keys for calls of IAM."""
    found = _context_of(service, action, body, parameters)
    if service != "iam":
        return found
    role = iam._roles.get(_one(parameters, "RoleName")) or {}
    boundary = _one(parameters, "PermissionsBoundary") if action in _SETTING else role.get("PermissionsBoundary")
    told = {"iam:permissionsboundary": boundary, "iam:policyarn": _one(parameters, "PolicyArn")}
    return found | {key: value for key, value in told.items() if value}


def _one(parameters: dict[str, Any], name: str) -> str:
    value = parameters.get(name, "")
    return str(value[0] if isinstance(value, list) and value else value or "")
