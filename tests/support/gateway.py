"""API Gateway with our authorizer behind it: who is let in, what the policy says, and then the function."""

import json
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

from functions.authorizer.handler import handler as authorize
from infra.problems import PROBLEMS, template
from tests.support.http import Context, Reply, call

STAGE = "arn:aws:execute-api:us-east-1:123456789012:abcdefghij/v1"


def send(method: str, path: str, body: Any = None, *, key: str | None, **more: Any) -> Reply:
    """One request with this key (None: without the header), as the gateway carries it out, its cache left aside."""
    if key is None:
        return _refusal("UNAUTHORIZED")
    arn = f"{STAGE}/{method}{urlsplit(path).path}"
    try:
        answer = authorize({"methodArn": arn, "headers": {"Authorization": f"Bearer {key}"}}, Context())
    except Exception as error:
        return _refusal("UNAUTHORIZED" if str(error) == "Unauthorized" else "AUTHORIZER_FAILURE")
    if not _allowed(answer["policyDocument"]["Statement"], arn):
        return _refusal("ACCESS_DENIED")
    return call(method, path, body, told=as_text(answer["context"]), **more)


def as_text(context: dict[str, Any]) -> dict[str, str]:
    """What a function gets of the authorizer's context: API Gateway makes text of numbers and booleans."""
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in context.items()}


def _allowed(statements: list[dict[str, Any]], arn: str) -> bool:
    """IAM: a Deny wins, and a `*` spans slashes."""
    effects = {s["Effect"] for s in statements if any(fnmatchcase(arn, resource) for resource in s["Resource"])}
    return effects == {"Allow"}


def _refusal(kind: str) -> Reply:
    problem = PROBLEMS[kind]
    return Reply(problem.status, template(problem), {"Content-Type": "application/problem+json"})
