"""The document of the bridge's API (OpenAPI), made from its routes and its tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.routing import BaseRoute, Route

from darkroom_bridge.facts import VERSION, fields, table

_TYPES: Mapping[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "whole": {"type": "integer"},
    "real": {"type": "number"},
    "truth": {"type": "boolean"},
    "list": {"type": "array", "items": {}},
    "map": {"type": "object"},
}
_PREFIX = "/sdapi/v1/"


def document(routes: Sequence[BaseRoute]) -> dict[str, Any]:
    """The document of these routes. Bodies of the calls that Darkroom knows have their fields and defaults."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        if isinstance(route, Route):
            for method in sorted((route.methods or set()) - {"HEAD"}):
                paths.setdefault(route.path, {})[method.lower()] = _operation(route)
    schemas = {name: _schema(name) for name in table("webui")["calls"]}
    about = {"title": "Darkroom bridge", "version": VERSION}
    return {"openapi": "3.1.0", "info": about, "paths": paths, "components": {"schemas": schemas}}


def _operation(route: Route) -> dict[str, Any]:
    told: dict[str, Any] = {
        "summary": (route.endpoint.__doc__ or "").strip().split("\n")[0],
        "responses": {"200": {"description": "Successful Response", "content": {"application/json": {"schema": {}}}}},
    }
    call = route.path.removeprefix(_PREFIX)
    if call in table("webui")["calls"]:
        schema = {"$ref": f"#/components/schemas/{call}"}
        told["requestBody"] = {"content": {"application/json": {"schema": schema}}, "required": True}
    return told


def _schema(call: str) -> dict[str, Any]:
    properties = {
        name: {**_TYPES[field["type"]], **({"default": field["default"]} if field["default"] is not None else {})}
        for name, field in fields(call).items()
    }
    return {"type": "object", "properties": properties}
