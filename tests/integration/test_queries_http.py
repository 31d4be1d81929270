"""Queries that a route does not know are refused, on every route, and never left out in silence."""

import json
import re
from typing import Any

import pytest

from functions.openapi import text
from tests.support.http import call
from tests.support.stage import Stage

JOB = "0198d4a6-2b00-7000-8000-000000000001"
OPERATIONS: list[tuple[str, str, set[str]]] = [
    (method.upper(), path, {each["name"] for each in operation.get("parameters", []) if each["in"] == "query"})
    for path, item in json.loads(text())["paths"].items()
    for method, operation in item.items()
]


@pytest.mark.parametrize(("method", "path", "taken"), OPERATIONS)
def test_every_route_refuses_a_parameter_it_does_not_know(
    stage: Stage, method: str, path: str, taken: set[str]
) -> None:
    address = re.sub(r"\{[^}]*\}", JOB, path)
    body: Any = {} if method in ("POST", "PATCH") else None
    reply = call(method, f"{address}?surprise=1", body)
    assert (reply.status, reply.code) == (400, "invalid_request")
    [error] = reply.json["errors"]
    assert error["loc"] == ["query", "surprise"]
    route = f"{method} {path}".replace("{", "<").replace("}", ">")
    assert error["msg"].replace("{", "<").replace("}", ">").startswith(f"is no query parameter of {route}; it takes ")
    assert {"none"} if not taken else taken == set(error["msg"].rpartition("it takes ")[2].split(", "))
    assert stage.rows() == []


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("Status", "status"),
        ("STATUS", "status"),
        ("states", "status"),
        ("checkpoints", "checkpoint"),
        ("endpoint_name", "endpoint"),
        ("from_", "from"),
        ("Limit", "limit"),
        ("types", "type"),
        ("loras", "lora"),
    ],
)
def test_the_nearest_parameter_is_named(stage: Stage, sent: str, meant: str) -> None:
    reply = call("GET", f"/jobs?{sent}=fail")
    assert reply.status == 400
    assert reply.json["errors"] == [
        {"loc": ["query", sent], "msg": f"is no query parameter of GET /jobs; did you mean `{meant}`?"}
    ]
    assert reply.json["detail"].startswith(f"`{sent}` is no query parameter")


@pytest.mark.parametrize("path", ["/jobs", "/jobs/summary", "/checkpoints", "/keys"])
def test_an_empty_value_is_refused_and_shows_nothing(stage: Stage, path: str) -> None:
    for name in next(taken for method, known, taken in OPERATIONS if (method, known) == ("GET", path)):
        for value in ("", "%20"):
            reply = call("GET", f"{path}?{name}={value}")
            assert (reply.status, reply.code) == (400, "invalid_request"), name
            assert reply.json["errors"][0]["loc"] == ["query", name]


def test_what_has_one_value_may_be_given_once_and_lists_several_times(stage: Stage) -> None:
    for query, name in (
        ("limit=1&limit=2", "limit"),
        ("q=a&q=b", "q"),
        ("owner=alice&owner=alice", "owner"),
        ("from=2026-01-01&from=2026-02-01", "from"),
    ):
        reply = call("GET", f"/jobs?{query}")
        assert reply.status == 400, query
        assert reply.json["errors"] == [{"loc": ["query", name], "msg": "is given several times, and takes one value"}]
    assert call("GET", "/jobs?status=fail&status=created&type=txt2img&type=img2img").status == 200


def test_all_wrong_parameters_are_named_at_once(stage: Stage) -> None:
    reply = call("GET", "/jobs?Status=fail&limit=&q=a&q=b")
    assert [error["loc"][1] for error in reply.json["errors"]] == ["Status", "limit", "q"]
    assert reply.json["detail"].endswith("(and 2 more).")
    many = "&".join(f"p{number}=1" for number in range(50))
    assert len(call("GET", f"/jobs?{many}").json["errors"]) == 20


def test_a_name_that_cannot_be_printed_is_still_refused(stage: Stage) -> None:
    assert call("GET", "/jobs?%ff%00=1").status == 400
    assert call("GET", f"/jobs?{'x' * 5000}=1").json["errors"][0]["loc"] == ["query", "x" * 64]


def test_a_role_is_refused_before_its_query_and_a_path_that_is_none_stays_not_found(stage: Stage) -> None:
    assert call("GET", "/keys?nothing=1", role="viewer").code == "not_permitted"
    assert call("GET", "/nothing?nothing=1").code == "route_not_found"
    assert call("PUT", "/jobs?nothing=1", {}).code == "method_not_allowed"
