"""Lets a request in or not: the request authorizer of the API."""

from typing import Any

from darkroom import wiring


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answer with a policy for the whole stage and the caller as context.

    API Gateway turns an exception with the message `Unauthorized` into a 401 (its guide on Lambda authorizers).
    """
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    caller = wiring.gate().caller(headers.get("authorization"))
    if caller is None:
        raise Exception("Unauthorized")
    # The answer is cached per key, so it must hold for every route: arn:…:<api>/<stage>/*
    api, stage = event["methodArn"].split("/")[:2]
    return {
        "principalId": caller.owner,
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": f"{api}/{stage}/*"}],
        },
        "context": {"owner": caller.owner, "role": caller.role},
    }
