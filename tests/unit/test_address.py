"""The address of a stage: what it cannot be is said before a key is sent anywhere."""

import json

import httpx
import pytest

from darkroom_client import Darkroom, NotDarkroom, Refused, WrongAddress
from darkroom_client.address import ROUTES, checked
from local.home import ROOT

GATEWAY = "https://a1b2.execute-api.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        (f"{GATEWAY}/v1", f"{GATEWAY}/v1"),
        (f"  {GATEWAY}/v1//\n", f"{GATEWAY}/v1"),
        (f"\ufeff{GATEWAY}/v1", f"{GATEWAY}/v1"),
        # A domain of one's own may be mapped to the stage without a path.
        ("https://darkroom.example.com", "https://darkroom.example.com"),
        ("https://darkroom.example.com/studio/one", "https://darkroom.example.com/studio/one"),
        ("http://127.0.0.1:4566/restapis/x/v1/_user_request_", "http://127.0.0.1:4566/restapis/x/v1/_user_request_"),
        ("http://[::1]:80/v1", "http://[::1]:80/v1"),
        ("http://10.0.0.3/v1", "http://10.0.0.3/v1"),
        ("http://ministack:4566/v1", "http://ministack:4566/v1"),
    ],
)
def test_an_address_is_taken_without_blanks_and_slashes_around_it(url: str, address: str) -> None:
    assert checked(url) == address


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (GATEWAY, f"lacks its stage: use {GATEWAY}/v1"),
        (f"{GATEWAY}/", f"lacks its stage: use {GATEWAY}/v1"),
        (f"{GATEWAY}/v1/jobs", f"/jobs is a route and not part of the address: use {GATEWAY}/v1"),
        (f"{GATEWAY}/v1/jobs/", f"/jobs is a route and not part of the address: use {GATEWAY}/v1"),
        (f"{GATEWAY}/v1/jobs/summary", f"/jobs/summary is a route and not part of the address: use {GATEWAY}/v1"),
        (f"{GATEWAY}/v1/dead-letters", f"use {GATEWAY}/v1"),
        (f"{GATEWAY}/jobs", f"use {GATEWAY}/v1"),
        ("https://darkroom.example.com/keys", "use https://darkroom.example.com"),
        (f"{GATEWAY}/v1/v1", f"goes on behind its stage: use {GATEWAY}/v1"),
        (f"{GATEWAY}/v1?limit=5", f"query or a fragment; leave off what follows {GATEWAY}/v1"),
        (f"{GATEWAY}/v1#top", "query or a fragment"),
        (f"{GATEWAY}/v1?", "query or a fragment"),
        (GATEWAY.replace("https", "http") + "/v1", f"use {GATEWAY}/v1"),
        ("http://darkroom.example.com", "use https://darkroom.example.com"),
        ("a1b2.execute-api.eu-west-1.amazonaws.com/v1", "begins with https://"),
        ("localhost:4566/v1", "begins with https://"),
        ("ftp://a.example.com/v1", "begins with https://"),
        ("https://", "begins with https://"),
        ("", "begins with https://"),
        ("https://me:secret@a.example.com/v1", "user's name"),
        ("https://a.example.com/v 1", "blanks"),
        ("https://a.example.com:99999/v1", "is no address"),
    ],
)
def test_what_cannot_be_an_address_is_refused_with_what_it_should_be(url: str, says: str) -> None:
    with pytest.raises(WrongAddress) as refused:
        Darkroom(url, "a-key")
    assert says in str(refused.value)
    assert "secret" not in str(refused.value)


def test_every_route_of_the_api_is_known() -> None:
    paths = json.loads((ROOT / "docs" / "openapi.json").read_text())["paths"]
    assert {path.split("/")[1] for path in paths} == ROUTES


def ping(answer: httpx.Response) -> None:
    with Darkroom(f"{GATEWAY}/v2", "a-key", transport=httpx.MockTransport(lambda _: answer)) as darkroom:
        darkroom.ping()


@pytest.mark.parametrize("message", ["Forbidden", "Missing Authentication Token"])
def test_the_answer_of_api_gateway_to_an_unknown_stage_is_explained(message: str) -> None:
    with pytest.raises(WrongAddress, match=r"no stage at .*/v2.*the address ends in it"):
        ping(httpx.Response(403, json={"message": message}))


def test_a_redirect_says_where_it_leads() -> None:
    with pytest.raises(WrongAddress, match="leads to https://elsewhere"):
        ping(httpx.Response(301, headers={"Location": "https://elsewhere.example.com"}))


def test_a_route_that_is_missing_asks_whether_the_address_is_right() -> None:
    problem = {"code": "route_not_found", "detail": "There is nothing under this path."}
    with pytest.raises(Refused, match="the address of the stage") as refused:
        ping(httpx.Response(404, json=problem))
    assert refused.value.code == "route_not_found"


def test_a_refusal_of_darkroom_itself_stays_one() -> None:
    with pytest.raises(Refused) as refused:
        ping(httpx.Response(403, json={"code": "not_permitted", "detail": "Not you.", "message": "Forbidden?"}))
    assert refused.value.code == "not_permitted"
    with pytest.raises(NotDarkroom):
        ping(httpx.Response(200, text="<html>"))
