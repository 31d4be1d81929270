"""Which role may use which route: one table, read by the authorizer, the edge, the OpenAPI document and the tests.

A route without a line here is refused to everybody. Whose jobs and files a caller may see and change is decided by the
services, which compare owners.
"""

import re
from typing import Literal

Permission = Literal["read", "work", "admin"]
"""`read` allows reading, `work` making jobs, pictures and model files and changing one's own, `admin` all else."""

ROUTES: dict[tuple[str, str], Permission] = {
    ("GET", "/ping"): "read",
    ("POST", "/images"): "work",
    ("GET", "/jobs"): "read",
    ("GET", "/jobs/summary"): "read",
    ("GET", "/jobs/{job_id}"): "read",
    ("POST", "/jobs"): "work",
    ("POST", "/jobs/delete"): "work",
    ("GET", "/jobs/deletions/{deletion_id}"): "read",
    ("POST", "/jobs/deletions/{deletion_id}/stop"): "work",
    ("POST", "/jobs/{job_id}/cancel"): "work",
    ("POST", "/jobs/{job_id}/replay"): "work",
    ("PATCH", "/jobs/{job_id}"): "work",
    ("DELETE", "/jobs/{job_id}"): "work",
    ("GET", "/checkpoints"): "read",
    ("POST", "/checkpoints"): "work",
    ("POST", "/checkpoints/import"): "work",
    ("POST", "/checkpoints/parts"): "work",
    ("POST", "/checkpoints/complete"): "work",
    ("POST", "/checkpoints/rename"): "work",
    ("DELETE", "/checkpoints"): "work",
    ("GET", "/endpoints"): "read",
    ("GET", "/endpoints/{name}"): "read",
    ("POST", "/endpoints"): "admin",
    ("PATCH", "/endpoints/{name}"): "admin",
    ("DELETE", "/endpoints/{name}"): "admin",
    ("POST", "/endpoints/{name}/warm"): "admin",
    ("DELETE", "/endpoints/{name}/warm"): "admin",
    ("GET", "/costs"): "read",
    ("GET", "/budgets"): "admin",
    ("GET", "/budgets/{owner}"): "admin",
    ("PUT", "/budgets/{owner}"): "admin",
    ("DELETE", "/budgets/{owner}"): "admin",
    ("GET", "/dead-letters"): "admin",
    ("GET", "/dead-letters/{queue}"): "admin",
    ("POST", "/dead-letters/{queue}/redrive"): "admin",
    ("GET", "/keys"): "admin",
    ("POST", "/keys"): "admin",
    ("DELETE", "/keys/{key_id}"): "admin",
}
"""The permission that each method and path (as the OpenAPI document writes it) needs."""

ROLES: dict[str, frozenset[Permission]] = {
    "viewer": frozenset({"read"}),
    "artist": frozenset({"read", "work"}),
    "admin": frozenset({"read", "work", "admin"}),
}

_PARAMETER = re.compile(r"\{[^}]*\}")


def _shape(method: str, route: str) -> tuple[str, str]:
    return method.upper(), _PARAMETER.sub("{}", route)


_SHAPES = {_shape(*line): permission for line, permission in ROUTES.items()}


def permission_of(method: str, route: str) -> Permission | None:
    """The permission that a route needs; None when it has no line. The names of its parameters do not matter."""
    return _SHAPES.get(_shape(method, route))


def roles_with(permission: Permission) -> list[str]:
    """The roles that have a permission; the role with the fewest permissions comes first."""
    return [role for role, held in ROLES.items() if permission in held]


def allows(role: str, method: str, route: str) -> bool:
    """Whether a role may use a route; an unknown role may use none."""
    permission = permission_of(method, route)
    return permission is not None and permission in ROLES.get(role, frozenset())


def withheld(role: str) -> list[str]:
    """The routes that a role may not use, as API Gateway's policies write them: `DELETE/jobs/*`."""
    return [
        method + _PARAMETER.sub("*", route)
        for (method, route), permission in ROUTES.items()
        if permission not in ROLES.get(role, frozenset())
    ]
