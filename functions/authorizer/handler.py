"""Lets a request in or not: the request authorizer of the API."""

from typing import Any

from darkroom import wiring
from darkroom.keys.routes import withheld


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answer with what the caller may do, and the caller as context.

    API Gateway turns an exception with the message `Unauthorized` into a 401 (its guide on Lambda authorizers).
    The answer is cached per key, so it holds for every route. What the role may not do is denied line by line: a path
    that is in no line goes through to the function that answers 404.
    """
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    caller = wiring.stage().authenticator.caller(headers.get("authorization"))
    if caller is None:
        raise Exception("Unauthorized")
    current = wiring.stage().settings
    # arn:…:<api>/<stage>/<method>/<path>
    stage = "/".join(event["methodArn"].split("/")[:2])
    statements = [_statement("Allow", [f"{stage}/*"])]
    if denied := withheld(caller.role):
        statements.append(_statement("Deny", [f"{stage}/{line}" for line in denied]))
    knows = {
        "owner": caller.owner,
        "role": caller.role,
        "key": caller.key,
        "shared_history": current.shared_history,
        "requests_per_minute": caller.limits.requests_per_minute or current.requests_per_minute,
    }
    if caller.limits.open_jobs is not None:
        knows["open_jobs"] = caller.limits.open_jobs
    return {
        "principalId": caller.owner,
        "policyDocument": {"Version": "2012-10-17", "Statement": statements},
        "context": knows,
    }


def _statement(effect: str, resources: list[str]) -> dict[str, Any]:
    return {"Effect": effect, "Action": "execute-api:Invoke", "Resource": resources}
