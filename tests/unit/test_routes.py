"""The table of routes: every route has its line, and the gateway's policy says what the table says."""

import importlib
import json
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from darkroom.edge.http import Api
from darkroom.keys.routes import ROLES, ROUTES, allows, permission_of, withheld
from infra.functions import ROUTES as FUNCTIONS
from infra.problems import PROBLEMS
from local.home import ROOT

STAGE = "arn:aws:execute-api:eu-central-1:123456789012:abcdefghij/v1"


def shape(method: str, route: str) -> tuple[str, str]:
    return method, re.sub(r"\{[^}]*\}", "{}", route)


def apis() -> dict[str, Api]:
    handlers = (ROOT / "functions").glob("*/handler.py")
    modules = {path.parent.name: importlib.import_module(f"functions.{path.parent.name}.handler") for path in handlers}
    return {name: module.app for name, module in modules.items() if hasattr(module, "app")}


def routes() -> set[tuple[str, str]]:
    return {
        shape(route.method, route.openapi_path)
        for api in apis().values()
        for route in api._static_routes + api._dynamic_routes
    }


def test_every_route_has_a_line_and_every_line_a_route() -> None:
    lines = {shape(*line) for line in ROUTES}
    assert routes() == lines, "a route without a line is refused to everybody: add it to darkroom/keys/routes.py"


def test_a_route_without_a_line_is_refused_to_everybody() -> None:
    assert permission_of("GET", "/nothing") is None
    for role in [*ROLES, "king", ""]:
        assert not allows(role, "GET", "/nothing")
    assert not allows("king", "GET", "/jobs")


def test_every_function_behind_the_api_keeps_the_rate_limiter() -> None:
    assert set(apis()) == set(FUNCTIONS.values())
    assert [name for name, api in apis().items() if api._rate_limiter is None] == []


def test_the_openapi_says_each_permission() -> None:
    paths = json.loads((ROOT / "docs" / "openapi.json").read_text())["paths"]
    for path, item in paths.items():
        for method, said in item.items():
            permission = permission_of(method, path)
            assert permission is not None
            assert said["x-permission"] == permission
            assert f"`{permission}`" in said["description"]
            assert "403" in said["responses"]


def decision(role: str, method: str, path: str) -> bool:
    """What IAM makes of the authorizer's policy: a `*` spans slashes, and a Deny wins."""
    return not any(fnmatchcase(f"{method}{path}", pattern) for pattern in withheld(role))


@pytest.mark.parametrize("role", ROLES)
def test_the_policy_of_a_role_is_the_table(role: str) -> None:
    for method, route in ROUTES:
        path = re.sub(r"\{[^}]*\}", "01900000-0000-7000-8000-000000000000", route)
        assert decision(role, method, path) == allows(role, method, route), (method, route)
    for path in ("/", "/nothing", "/jobsx", "/pings/a"):
        for method in ("GET", "POST", "HEAD", "PUT"):
            assert decision(role, method, path)


def test_a_role_that_is_none_is_denied_every_line() -> None:
    assert len(withheld("king")) == len(ROUTES)
    assert withheld("admin") == []


def test_the_policy_stays_far_below_what_the_gateway_takes() -> None:
    """8 KB, and 512 characters a resource (API Gateway Developer Guide, output of a Lambda authorizer)."""
    lines = [f"{STAGE}/{line}" for line in withheld("viewer")]
    assert len(json.dumps(lines)) < 6_000
    assert max(map(len, lines)) < 512


def test_the_gateway_and_the_functions_refuse_with_one_code() -> None:
    source = Path(ROOT / "shared" / "darkroom" / "edge" / "http.py").read_text()
    found: Any = PROBLEMS["ACCESS_DENIED"]
    assert (found.status, found.code) == (403, "not_permitted")
    assert '"not_permitted"' in source
