"""The routes of the stage's endpoints."""

from collections.abc import Mapping
from typing import Annotated, Any

from darkroom import wiring
from darkroom.edge.http import Api, IdempotencyKey, Path, Query, Response, answers, created
from darkroom.endpoints.api import (
    EndpointIn,
    EndpointList,
    EndpointOut,
    EndpointPatch,
    EndpointShown,
    Warm,
    WarmOut,
    seconds_of,
)

app = Api(origins=lambda: wiring.stage().settings.origins, rate_limiter=lambda: wiring.stage().rate_limiter)
Name = Annotated[str, Path(description="an endpoint's name, with or without the stage's prefix", max_length=63)]


@app.get("/endpoints", summary="SageMaker endpoints of this stage", tags=["endpoints"])
def get_endpoints() -> EndpointList:
    """Newest first. The list may be some seconds old."""
    return EndpointList(endpoints=[EndpointOut.of(view, _prices()) for view in wiring.stage().endpoints.views()])


@app.post(
    "/endpoints",
    summary="Make an endpoint",
    tags=["endpoints"],
    responses=answers(EndpointOut, _200="It exists already", _201="It is being made; wait until it is InService"),
)
def post_endpoint(endpoint: EndpointIn, idempotency_key: IdempotencyKey = None) -> Response[EndpointOut]:
    """Makes model, configuration and endpoint. The same request again finishes what was interrupted."""
    wiring.stage().claims.claim(app.owner, idempotency_key, endpoint)
    name, new = wiring.stage().fleet.create(app.owner, endpoint)
    return created(_out(name), new)


@app.get("/endpoints/<name>", summary="One endpoint", tags=["endpoints"])
def get_endpoint(name: Name) -> EndpointShown:
    """Read from SageMaker now."""
    endpoints = wiring.stage().endpoints
    view = endpoints.view(name)
    return EndpointShown.shown(view, _prices(), endpoints.last_wake_ups(view.endpoint.name, fresh=True))


@app.patch("/endpoints/<name>", summary="Change how many instances it may have, and its hours", tags=["endpoints"])
def patch_endpoint(name: Name, bounds: EndpointPatch) -> EndpointOut:
    """With `min_instances` 0 it sleeps when it has no jobs, outside of its working hours."""
    return _out(wiring.stage().fleet.scale(name, bounds))


@app.delete(
    "/endpoints/<name>",
    summary="Delete an endpoint with all that was made for it",
    tags=["endpoints"],
    responses=answers(EndpointOut, _202="SageMaker is changing it; it is deleted as soon as that is done")
    | {204: {"description": "Gone, or being deleted"}},
)
def delete_endpoint(name: Name) -> Response[EndpointOut | None]:
    """Its open jobs fail with `endpoint_deleted`. To delete an endpoint that is gone is no error."""
    if wiring.stage().fleet.delete(name):
        return Response(204)
    return Response(202, content_type="application/json", body=_out(name))


@app.post("/endpoints/<name>/warm", summary="Keep it awake for a while", tags=["endpoints"])
def post_warm(name: Name, for_: Annotated[Warm, Query(alias="for")]) -> WarmOut:
    """It has at least one instance until then; one that sleeps wakes now. Sent again, the later end counts."""
    full = wiring.stage().warmth.warm(name, seconds_of(for_))
    return WarmOut.of(wiring.stage().endpoints.view(full), _prices(), wiring.stage().adapters.clock())


@app.delete("/endpoints/<name>/warm", summary="Keep it awake no longer", tags=["endpoints"])
def delete_warm(name: Name) -> EndpointOut:
    """It sleeps when it has no jobs. To end what was not begun is no error."""
    return _out(wiring.stage().warmth.end(name))


def _out(name: str) -> EndpointOut:
    """An endpoint as it is now."""
    return EndpointOut.of(wiring.stage().endpoints.view(name), _prices())


def _prices() -> Mapping[str, float]:
    return wiring.stage().settings.prices


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answer one request."""
    return app.handle(event, context)
