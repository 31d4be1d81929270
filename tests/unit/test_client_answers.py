"""The types of the client's answers are those of docs/openapi.json."""

import json
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

import pytest

from darkroom_cli.filters import FILTERS
from darkroom_client import answers
from local.home import ROOT

DOCUMENT = json.loads((ROOT / "docs" / "openapi.json").read_text())
SCHEMAS = DOCUMENT["components"]["schemas"]
PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean"}
TYPES = {name: kind for name, kind in vars(answers).items() if is_typeddict(kind)}
READ_BY_THE_CLIENT_ITSELF = {"Problem", "ProblemField"}
"""They become the exception Refused."""


def schema_name(name: str) -> str:
    """The document's name for a type of the client: the same, or with `Out` behind it."""
    return name if name in SCHEMAS else f"{name}Out"


def schema_of(kind: Any) -> Any:
    """A type of Python as the document would describe it."""
    origin, inside = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return {"anyOf": [schema_of(one) for one in inside]}
    if origin is Literal:
        return {"type": "string", "enum": list(inside)}
    if origin is list:
        return {"type": "array", "items": schema_of(inside[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": True if inside[1] is Any else schema_of(inside[1])}
    if kind is NoneType:
        return {"type": "null"}
    return (
        {"$ref": f"#/components/schemas/{schema_name(kind.__name__)}"} if is_typeddict(kind) else {"type": PLAIN[kind]}
    )


def without_texts(schema: dict[str, Any]) -> dict[str, Any]:
    """A field's schema without title, description and default."""
    kept = {name: value for name, value in schema.items() if name in ("type", "enum", "anyOf", "items", "$ref")}
    if "anyOf" in kept:
        kept["anyOf"] = [without_texts(one) for one in kept["anyOf"]]
    if "items" in kept:
        kept["items"] = without_texts(kept["items"])
    more = schema.get("additionalProperties")
    return kept if more is None else {**kept, "additionalProperties": more if more is True else without_texts(more)}


def schemas_of_answers() -> set[str]:
    """The names of all schemas that occur in an answer of the API."""
    found: set[str] = set()
    unread = [operation["responses"] for item in DOCUMENT["paths"].values() for operation in item.values()]
    while unread:
        part = unread.pop()
        for name, value in part.items() if isinstance(part, dict) else enumerate(part):
            if name == "$ref":
                schema = value.rpartition("/")[2]
                if schema not in found:
                    found.add(schema)
                    unread.append(SCHEMAS[schema])
            elif isinstance(value, dict | list):
                unread.append(value)
    return found


def test_every_answer_has_a_type_and_every_type_is_an_answer() -> None:
    assert {schema_name(name) for name in TYPES} == schemas_of_answers() - READ_BY_THE_CLIENT_ITSELF


@pytest.mark.parametrize("name", TYPES)
def test_a_type_has_the_fields_of_its_schema(name: str) -> None:
    schema = SCHEMAS[schema_name(name)]
    hints = get_type_hints(TYPES[name])
    assert {field: schema_of(kind) for field, kind in hints.items()} == {
        field: without_texts(part) for field, part in schema["properties"].items()
    }
    assert set(schema.get("required", ())) <= TYPES[name].__required_keys__


def test_the_command_line_has_every_filter_of_the_history() -> None:
    [parameters] = [item["get"]["parameters"] for path, item in DOCUMENT["paths"].items() if path == "/jobs"]
    assert {one["name"] for one in parameters} == {*FILTERS, "limit", "before"}
    repeated = {one["name"] for one in parameters if "array" in json.dumps(one["schema"])}
    assert {name for name, (kind, _) in FILTERS.items() if get_origin(kind) in (Literal, list)} == repeated
