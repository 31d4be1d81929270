"""The SageMaker endpoints that jobs run on."""

from typing import Any

from darkroom_client.answers import Endpoint, EndpointList
from darkroom_client.client import Darkroom, expect
from darkroom_client.errors import Refused


def create(darkroom: Darkroom, body: dict[str, Any]) -> Endpoint:
    """Make an endpoint; `body` is that of `POST /endpoints`. Returns the endpoint, which is not in service yet."""
    return expect(Endpoint, darkroom.request("POST", "/endpoints", json=body))


def listed(darkroom: Darkroom) -> list[Endpoint]:
    """All endpoints, newest first."""
    return expect(EndpointList, darkroom.request("GET", "/endpoints"))["endpoints"]


def find(darkroom: Darkroom, name: str) -> Endpoint | None:
    """The endpoint of that name, with or without the stage's prefix; None when there is none."""
    try:
        return expect(Endpoint, darkroom.request("GET", f"/endpoints/{name}"))
    except Refused as refused:
        if refused.code == "endpoint_not_found":
            return None
        raise


def scale(darkroom: Darkroom, name: str, bounds: dict[str, int]) -> Endpoint:
    """Change `min_instances`, `max_instances`, or both; returns the endpoint."""
    return expect(Endpoint, darkroom.request("PATCH", f"/endpoints/{name}", json=bounds))


def delete(darkroom: Darkroom, name: str) -> None:
    """Delete an endpoint with all that was made for it."""
    darkroom.request("DELETE", f"/endpoints/{name}")
