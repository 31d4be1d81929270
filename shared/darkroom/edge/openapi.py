"""The OpenAPI document of all route groups together."""

from typing import Any

from aws_lambda_powertools.event_handler.openapi.merge import OpenAPIMerge

from darkroom.edge.http import Api
from darkroom.edge.problems import CONTENT_TYPE, Problem
from darkroom.keys.routes import permission_of, roles_with

_REF = "#/components/schemas/"
_ALWAYS = {
    400: "A query parameter that is unknown or cannot be read",
    401: "No key, or a wrong one",
    403: "The key's role may not do that",
    429: "Too many requests; `Retry-After` says when to come back",
    500: "Something broke on our side",
    503: "AWS is busy; `Retry-After` says when to come back",
}
_CHANGING = {409: "The state of something stands against it"}
_WITH_BODY = {
    400: "The body is no JSON object in UTF-8, or a query parameter is unknown",
    413: "Too large",
    415: "Not application/json in UTF-8",
    422: "Not valid; `errors` says which field and why",
}
_RETRY_AFTER = {
    "Retry-After": {
        "description": "seconds after which the same request is worth sending again",
        "schema": {"type": "integer"},
    }
}
_REPEATABLE = (429, 500, 503)
"""The statuses that may come with `Retry-After`; 500 has it when API Gateway answers."""
_WITH_PATH = {404: "Not there"}
_WITH_IDEMPOTENCY_KEY = {422: "Not valid, or the `Idempotency-Key` came with another request before"}


def document(apis: list[Api]) -> dict[str, Any]:
    """The document with every route and every problem that it may answer.

    Raises ValueError for different models with one name, and Powertools' own error for a route in two groups.
    """
    merge = OpenAPIMerge(
        title="Darkroom",
        version="1",
        description="Jobs, images, checkpoints and endpoints of one stage. Send your key as `Authorization: Bearer …`. "
        "On AWS every answer has the id of its request in the header `x-amzn-RequestId`.",
        on_conflict="error",
        security_schemes={"key": {"type": "http", "scheme": "bearer"}},  # type: ignore[dict-item]
        security=[{"key": []}],
    )
    schemas_by_name: dict[str, Any] = {}
    for api in apis:
        part = api.get_openapi_schema().model_dump(mode="json", by_alias=True, exclude_none=True)
        for name, schema in part.get("components", {}).get("schemas", {}).items():
            if schemas_by_name.setdefault(name, schema) != schema:
                raise ValueError(f"two groups of routes have different models called {name}")
        merge.add_schema(part)
    merged: dict[str, Any] = merge.get_openapi_schema()
    merged["servers"] = [{"url": "/"}]
    schemas = merged["components"]["schemas"]
    schemas |= _problem_schemas()
    for name in ("HTTPValidationError", "ValidationError", "ResponseValidationError"):
        schemas.pop(name, None)
    for path, item in merged["paths"].items():
        for method, operation in item.items():
            operation["operationId"] = f"{method}_{path.strip('/').replace('/', '_').replace('{', '').replace('}', '')}"
            operation["responses"] = _responses(method, path, operation)
            if permission := permission_of(method, path):
                operation["x-permission"] = permission
                note = f"Takes the permission `{permission}`: role {' or '.join(roles_with(permission))}."
                operation["description"] = " ".join(filter(None, (operation.get("description"), note)))
    return merged


def _problem_schemas() -> dict[str, Any]:
    schema = Problem.model_json_schema(ref_template=_REF + "{model}", mode="serialization")
    parts: dict[str, Any] = schema.pop("$defs")
    return {**parts, "Problem": schema}


def _responses(method: str, path: str, operation: dict[str, Any]) -> dict[str, Any]:
    problems = dict(_ALWAYS)
    if method != "get":
        problems |= _CHANGING
    if any(parameter["name"].lower() == "idempotency-key" for parameter in operation.get("parameters", ())):
        problems |= _WITH_IDEMPOTENCY_KEY
    if "{" in path:
        problems |= _WITH_PATH
    if "requestBody" in operation:
        problems |= _WITH_BODY
    responses = operation["responses"]
    problems |= {int(code): response["description"] for code, response in responses.items() if code == "404"}
    successes = {code: dict(response) for code, response in responses.items() if int(code) < 300}
    successes.get("204", {}).pop("content", None)
    refusals = {
        str(code): {
            "description": text,
            **({"headers": _RETRY_AFTER} if code in _REPEATABLE else {}),
            "content": {CONTENT_TYPE: {"schema": {"$ref": _REF + "Problem"}}},
        }
        for code, text in sorted(problems.items())
    }
    return {**successes, **refusals}
