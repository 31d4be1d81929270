"""The request authorizer of the API: it allows or refuses each request by its key."""

from typing import Any

from darkroom import wiring
from darkroom.keys.routes import withheld


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answer a policy for the caller's key, and the caller as its context.

    API Gateway turns an exception with the message `Unauthorized` into a 401 (API Gateway Developer Guide, Lambda
    authorizers). It caches the policy by key, so the policy must be right for every route. Routes that the role may not
    use are denied one by one; a path that is no route is allowed, and reaches the function that answers 404.
    """
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    caller = wiring.stage().authenticator.caller(headers.get("authorization"))
    if caller is None:
        raise Exception("Unauthorized")
    settings = wiring.stage().settings
    # arn:…:<api>/<stage>/<method>/<path>
    stage = "/".join(event["methodArn"].split("/")[:2])
    statements = [_statement("Allow", [f"{stage}/*"])]
    if denied := withheld(caller.role):
        statements.append(_statement("Deny", [f"{stage}/{line}" for line in denied]))
    caller_context = {
        "owner": caller.owner,
        "role": caller.role,
        "key": caller.key,
        "shared_history": settings.shared_history,
        "requests_per_minute": caller.limits.requests_per_minute or settings.requests_per_minute,
    }
    if caller.limits.open_jobs is not None:
        caller_context["open_jobs"] = caller.limits.open_jobs
    return {
        "principalId": caller.owner,
        "policyDocument": {"Version": "2012-10-17", "Statement": statements},
        "context": caller_context,
    }


def _statement(effect: str, resources: list[str]) -> dict[str, Any]:
    return {"Effect": effect, "Action": "execute-api:Invoke", "Resource": resources}
