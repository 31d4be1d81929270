"""The routes of the stage's endpoints."""

from typing import Annotated, Any

from darkroom import wiring
from darkroom.edge.http import Api, IdempotencyKey, Path, Response, answers, created
from darkroom.endpoints.api import EndpointIn, EndpointList, EndpointOut, EndpointPatch

app = Api(origins=lambda: wiring.stage().settings.origins, rate_limiter=lambda: wiring.stage().rate_limiter)
Name = Annotated[str, Path(description="an endpoint's name, with or without the stage's prefix", max_length=63)]


@app.get("/endpoints", summary="SageMaker endpoints of this stage", tags=["endpoints"])
def get_endpoints() -> EndpointList:
    """Newest first. The list may be some seconds old."""
    return EndpointList(endpoints=[EndpointOut.of(view) for view in wiring.stage().endpoints.views()])


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
    return created(EndpointOut.of(wiring.stage().endpoints.view(name)), new)


@app.get("/endpoints/<name>", summary="One endpoint", tags=["endpoints"])
def get_endpoint(name: Name) -> EndpointOut:
    """Read from SageMaker now."""
    return EndpointOut.of(wiring.stage().endpoints.view(name))


@app.patch("/endpoints/<name>", summary="Change how many instances it may have", tags=["endpoints"])
def patch_endpoint(name: Name, bounds: EndpointPatch) -> EndpointOut:
    """With `min_instances` 0 it sleeps when it has no jobs."""
    return EndpointOut.of(wiring.stage().endpoints.view(wiring.stage().fleet.scale(name, bounds)))


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
    return Response(202, content_type="application/json", body=EndpointOut.of(wiring.stage().endpoints.view(name)))


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answer one request."""
    return app.handle(event, context)
