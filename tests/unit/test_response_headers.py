"""The headers of answers: what a page in a browser may read of them, and what docs/openapi.json says about them."""

import json
from typing import Any

import pytest

from darkroom.edge.http import EXPOSED_HEADERS, Api, Response
from local.home import ROOT
from tests.support.http import Context

PAGE = "https://panel.example.com"
OPERATIONS = [
    (f"{method} {path}", operation["responses"])
    for path, item in json.loads((ROOT / "docs" / "openapi.json").read_text())["paths"].items()
    for method, operation in item.items()
]


def headers_for(origin: str | None) -> dict[str, str]:
    """The headers of an answer to a page from `origin`; only `PAGE` is an origin of the stage."""
    api = Api(origins=lambda: (PAGE,))

    def ping() -> Response[str]:
        return Response(200, content_type="text/plain", body="pong")

    api.get("/ping")(ping)
    event: dict[str, Any] = {
        "path": "/ping",
        "httpMethod": "GET",
        "headers": {"Origin": origin} if origin else {},
        "requestContext": {"requestId": "r", "path": "/ping", "authorizer": {"owner": "alice", "role": "admin"}},
    }
    answer = api.handle(event, Context())
    found: dict[str, str] = answer.get("headers", {})
    return found


def test_a_page_of_a_stated_origin_may_read_every_header_that_it_needs() -> None:
    headers = headers_for(PAGE)
    assert headers["Access-Control-Allow-Origin"] == PAGE
    assert headers["Vary"] == "Origin"
    exposed = set(headers["Access-Control-Expose-Headers"].split(", "))
    assert exposed == {"Content-Disposition", "Link", "Retry-After", "x-amzn-RequestId"}


@pytest.mark.parametrize("origin", [None, "https://elsewhere.example.com"])
def test_any_other_page_may_read_nothing(origin: str | None) -> None:
    assert not [name for name in headers_for(origin) if name.startswith("Access-Control-")]


def test_every_header_of_the_document_can_be_read_in_a_browser() -> None:
    named = {name for _, responses in OPERATIONS for said in responses.values() for name in said.get("headers", {})}
    # Cache-Control is one of the few that every page may read.
    assert named == (set(EXPOSED_HEADERS) | {"Cache-Control"}) - {"x-amzn-RequestId"}


@pytest.mark.parametrize(("name", "responses"), OPERATIONS, ids=[name for name, _ in OPERATIONS])
def test_every_refusal_that_is_worth_repeating_names_retry_after(name: str, responses: dict[str, Any]) -> None:
    # A job that waits in line says when to ask again.
    others = {"200"} if name == "get /jobs/{job_id}" else set()
    assert {code for code, said in responses.items() if "Retry-After" in said.get("headers", {})} == {
        "429",
        "500",
        "503",
        *others,
    }


def test_the_document_names_the_headers_of_files_and_of_secrets() -> None:
    responses = dict(OPERATIONS)
    assert set(responses["get /jobs"]["200"]["headers"]) == {"Link", "Content-Disposition"}
    assert all("Cache-Control" in responses["post /keys"][code]["headers"] for code in ("200", "201"))
