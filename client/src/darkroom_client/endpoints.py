"""The SageMaker endpoints that jobs run on."""

from typing import Any

from darkroom_client.answers import Endpoint, EndpointList, EndpointShown, Warm
from darkroom_client.client import Darkroom, expect
from darkroom_client.errors import Refused


def create(darkroom: Darkroom, body: dict[str, Any]) -> Endpoint:
    """Make an endpoint; `body` is that of `POST /endpoints`. Returns the endpoint, which is not in service yet."""
    return expect(Endpoint, darkroom.request("POST", "/endpoints", json=body))


def listed(darkroom: Darkroom) -> list[Endpoint]:
    """All endpoints, newest first."""
    return expect(EndpointList, darkroom.request("GET", "/endpoints"))["endpoints"]


def find(darkroom: Darkroom, name: str) -> EndpointShown | None:
    """The endpoint of that name, with or without the stage's prefix; None when there is none."""
    try:
        return expect(EndpointShown, darkroom.request("GET", f"/endpoints/{name}"))
    except Refused as refused:
        if refused.code == "endpoint_not_found":
            return None
        raise


def scale(darkroom: Darkroom, name: str, changes: dict[str, Any]) -> Endpoint:
    """Change `min_instances`, `max_instances` or `hours`, as the body of `PATCH` has them; returns the endpoint."""
    return expect(Endpoint, darkroom.request("PATCH", f"/endpoints/{name}", json=changes))


def warm(darkroom: Darkroom, name: str, duration: str) -> Warm:
    """Keep an endpoint awake for a duration as in `30m` or `2h`; returns until when, and what it costs."""
    return expect(Warm, darkroom.request("POST", f"/endpoints/{name}/warm", params={"for": duration}))


def end_warm(darkroom: Darkroom, name: str) -> Endpoint:
    """Keep an endpoint awake no longer; returns it."""
    return expect(Endpoint, darkroom.request("DELETE", f"/endpoints/{name}/warm"))


def delete(darkroom: Darkroom, name: str) -> None:
    """Delete an endpoint with all that was made for it."""
    darkroom.request("DELETE", f"/endpoints/{name}")
