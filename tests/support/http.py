"""API Gateway proxy events, and a client that hands them to the handlers."""

import base64
import importlib
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit


class Context:
    """What Lambda hands to a handler beside the event."""

    function_name = "test"
    memory_limit_in_mb = 256
    invoked_function_arn = "arn:aws:lambda:us-east-1:1:function:test"
    aws_request_id = "r-1"

    def get_remaining_time_in_millis(self) -> int:
        return 200_000


@dataclass
class Reply:
    """A handler's answer."""

    status: int
    body: str
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The problem's code; proves on the way that it is a problem."""
        assert self.headers["Content-Type"] == "application/problem+json", self.body
        problem = self.json
        assert {"type", "title", "status", "detail", "code", "request_id"} <= set(problem)
        assert problem["status"] == self.status
        return str(problem["code"])


ROUTES = {
    "endpoints": "endpoints_api",
    "checkpoints": "checkpoints_api",
    "keys": "keys_api",
    "costs": "costs_api",
    "budgets": "costs_api",
    "dead-letters": "dead_letters_api",
}


def call(
    method: str,
    path: str,
    body: Any = None,
    *,
    raw: str | bytes | None = None,
    headers: dict[str, str] | None = None,
    owner: str = "alice",
    role: str = "admin",
    told: dict[str, str] | None = None,
    binary: bool = False,
    request_id: str = "req-1",
) -> Reply:
    """Send one request to the function behind its path, as API Gateway would; `told` is what the authorizer told
    besides owner and role, `binary` whether the gateway takes the body for binary and hands it over in base64."""
    parts = urlsplit(path)
    query = parse_qsl(parts.query, keep_blank_values=True)
    text = raw if raw is not None else (json.dumps(body) if body is not None else None)
    if text is not None:
        content = text.encode(errors="surrogatepass") if isinstance(text, str) else text
        # Of bytes that are no UTF-8 API Gateway makes replacement characters.
        text = base64.b64encode(content).decode() if binary else content.decode(errors="replace")
    sent = {"Content-Type": "application/json", **(headers or {})}
    multi: dict[str, list[str]] = {}
    for name, value in query:
        multi.setdefault(name, []).append(value)
    event = {
        "resource": parts.path,
        "path": parts.path,
        "httpMethod": method,
        "headers": sent,
        "multiValueHeaders": {name: [value] for name, value in sent.items()},
        "queryStringParameters": dict(query) or None,
        "multiValueQueryStringParameters": multi or None,
        "requestContext": {
            "requestId": request_id,
            "stage": "v1",
            "path": f"/v1{parts.path}",
            "authorizer": {
                "owner": owner,
                "role": role,
                "key": f"key-of-{owner}",
                "requests_per_minute": "600",
                "shared_history": "false",
                **(told or {}),
            },
        },
        "body": text,
        "isBase64Encoded": binary,
    }
    name = ROUTES.get(parts.path.split("/")[1], "jobs_api")
    answer = importlib.import_module(f"functions.{name}.handler").handler(event, Context())
    answered = {**{k: v[0] for k, v in answer.get("multiValueHeaders", {}).items()}, **answer.get("headers", {})}
    return Reply(answer["statusCode"], answer.get("body") or "", answered)
