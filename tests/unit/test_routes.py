"""The table of routes: every route has a line in it, and the policy of the gateway agrees with it."""

import importlib
import json
import re
from fnmatch import fnmatchcase
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from darkroom import wiring
from darkroom.edge.openapi import document
from darkroom.keys.rate_limiter import RateLimiter
from darkroom.keys.routes import ROLES, ROUTES, allows, permission_of, withheld
from infra.functions import ROUTES as FUNCTIONS
from infra.problems import PROBLEMS
from local.home import ROOT
from tests.support.http import Context


class NoCounts:
    """Counts that no other function shares."""

    def add(self, key: str, minute: int, count: int) -> int:
        return count


STAGE = "arn:aws:execute-api:eu-central-1:123456789012:abcdefghij/v1"


def shape(method: str, route: str) -> tuple[str, str]:
    return method, re.sub(r"\{[^}]*\}", "{}", route)


def handlers() -> dict[str, Any]:
    """The module of every function behind the API, by its name."""
    names = [path.parent.name for path in (ROOT / "functions").glob("*/handler.py")]
    modules = {name: importlib.import_module(f"functions.{name}.handler") for name in names}
    return {name: module for name, module in modules.items() if hasattr(module, "app")}


def routes() -> set[tuple[str, str]]:
    """Method and path of every route of every function."""
    paths = document([module.app for module in handlers().values()])["paths"]
    return {shape(method.upper(), path) for path, item in paths.items() for method in item}


def test_every_route_has_a_line_and_every_line_a_route() -> None:
    lines = {shape(*line) for line in ROUTES}
    assert routes() == lines, "a route without a line is refused to everybody: add it to darkroom/keys/routes.py"


def test_a_route_without_a_line_is_refused_to_everybody() -> None:
    assert permission_of("GET", "/nothing") is None
    for role in [*ROLES, "king", ""]:
        assert not allows(role, "GET", "/nothing")
    assert not allows("king", "GET", "/jobs")


def test_every_function_behind_the_api_is_in_the_table_of_the_gateway() -> None:
    assert set(handlers()) == set(FUNCTIONS.values())


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS.values())))
def test_every_function_behind_the_api_limits_the_requests_of_a_key(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    limiter = RateLimiter(NoCounts())
    monkeypatch.setattr(
        wiring, "stage", lambda: SimpleNamespace(rate_limiter=limiter, settings=SimpleNamespace(origins=()))
    )
    authorizer = {"owner": "ann", "role": "admin", "key": "k-1", "requests_per_minute": "1"}
    event = {
        "path": "/nothing",
        "resource": "/nothing",
        "httpMethod": "GET",
        "headers": {},
        "multiValueHeaders": {},
        "body": None,
        "requestContext": {"requestId": "r-1", "stage": "v1", "path": "/v1/nothing", "authorizer": authorizer},
    }
    handler = handlers()[name].handler
    assert [handler(event, Context())["statusCode"] for _ in range(2)] == [404, 429]


def test_the_openapi_document_names_each_permission() -> None:
    paths = json.loads((ROOT / "docs" / "openapi.json").read_text())["paths"]
    for path, item in paths.items():
        for method, operation in item.items():
            permission = permission_of(method, path)
            assert permission is not None
            assert operation["x-permission"] == permission
            assert f"`{permission}`" in operation["description"]
            assert "403" in operation["responses"]


def gateway_allows(role: str, method: str, path: str) -> bool:
    """What IAM decides by the policy of the authorizer: a `*` also matches slashes, and a Deny wins."""
    return not any(fnmatchcase(f"{method}{path}", pattern) for pattern in withheld(role))


@pytest.mark.parametrize("role", ROLES)
def test_the_policy_of_a_role_agrees_with_the_table(role: str) -> None:
    for method, route in ROUTES:
        path = re.sub(r"\{[^}]*\}", "01900000-0000-7000-8000-000000000000", route)
        assert gateway_allows(role, method, path) == allows(role, method, route), (method, route)
    for path in ("/", "/nothing", "/jobsx", "/pings/a"):
        for method in ("GET", "POST", "HEAD", "PUT"):
            assert gateway_allows(role, method, path)


def test_an_unknown_role_is_denied_every_line() -> None:
    assert len(withheld("king")) == len(ROUTES)
    assert withheld("admin") == []


def test_the_policy_is_far_smaller_than_the_limits_of_the_gateway() -> None:
    """They are 8 KB, and 512 characters for a resource (API Gateway Developer Guide, output of a Lambda authorizer)."""
    lines = [f"{STAGE}/{line}" for line in withheld("viewer")]
    assert len(json.dumps(lines)) < 6_000
    assert max(map(len, lines)) < 512


def test_the_gateway_and_the_functions_refuse_with_the_same_code() -> None:
    source = Path(ROOT / "shared" / "darkroom" / "edge" / "http.py").read_text()
    problem: Any = PROBLEMS["ACCESS_DENIED"]
    assert (problem.status, problem.code) == (403, "not_permitted")
    assert '"not_permitted"' in source
