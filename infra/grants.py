"""Grants: actions that are allowed on resources, and the reason for every wildcard in a resource.

cdk-nag's acknowledgements (`nag.py`) and the page `docs/permissions.md` are made from these reasons.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from aws_cdk import aws_iam as iam


class UnexplainedWildcard(Exception):
    """A resource has a `*` and no reason for it; the text names the actions and the resource."""


@dataclass(frozen=True)
class Pattern:
    """Resources that cannot be listed one by one: an ARN with a `*`, and the reason for it."""

    arn: str
    reason: str


@dataclass(frozen=True)
class Grant:
    """Actions on exact ARNs and on patterns of them, under a policy's `Condition` if there is one."""

    actions: tuple[str, ...]
    resources: tuple[str | Pattern, ...]
    conditions: dict[str, Any] | None = None

    def arns(self) -> list[str]:
        """The resources as a policy names them."""
        return [one.arn if isinstance(one, Pattern) else one for one in self.resources]

    def patterns(self) -> list[Pattern]:
        """The resources that have a wildcard."""
        return [one for one in self.resources if isinstance(one, Pattern)]


def allow(actions: Iterable[str], *resources: str | Pattern, conditions: dict[str, Any] | None = None) -> Grant:
    """A grant. Raises UnexplainedWildcard for a resource with a `*` that is no Pattern."""
    grant = Grant(tuple(actions), resources, conditions)
    for resource in resources:
        if isinstance(resource, str) and "*" in resource:
            named = ", ".join(grant.actions)
            raise UnexplainedWildcard(
                f"{named} on {resource}: write it as a Pattern, which says why it has a wildcard."
            )
    return grant


def policy(grants: Iterable[Grant]) -> dict[str, iam.PolicyDocument]:
    """The grants as the inline policy of a role, which is created together with the role."""
    statements = [
        iam.PolicyStatement(actions=list(grant.actions), resources=grant.arns(), conditions=grant.conditions)
        for grant in grants
    ]
    return {"darkroom": iam.PolicyDocument(statements=statements)}
