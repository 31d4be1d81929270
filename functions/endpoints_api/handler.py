"""The stage's endpoints."""

from typing import Annotated, Any

from darkroom import wiring
from darkroom.edge.http import Api, IdempotencyKey, Path, Response, answers, created
from darkroom.endpoints.api import EndpointIn, EndpointList, EndpointOut, EndpointPatch

app = Api(origins=lambda: wiring.stage().settings.origins, rate_limiter=lambda: wiring.stage().rate_limiter)
Name = Annotated[str, Path(description="an endpoint's name, with or without the stage's prefix", max_length=63)]


@app.get("/endpoints", summary="SageMaker endpoints of this stage", tags=["endpoints"])
def get_endpoints() -> EndpointList:
    """Newest first; at most seconds old."""
    return EndpointList(endpoints=[EndpointOut.of(view) for view in wiring.stage().endpoints.views()])


@app.post(
    "/endpoints",
    summary="Make an endpoint",
    tags=["endpoints"],
    responses=answers(EndpointOut, _200="It is there already", _201="It is being made; wait until it is InService"),
)
def post_endpoint(endpoint: EndpointIn, idempotency_key: IdempotencyKey = None) -> Response[EndpointOut]:
    """Model, configuration and endpoint at once. The same request again goes on where one broke off."""
    wiring.stage().claims.claim(app.owner, idempotency_key, endpoint)
    name, new = wiring.stage().fleet.create(app.owner, endpoint)
    return created(EndpointOut.of(wiring.stage().endpoints.view(name)), new)


@app.get("/endpoints/<name>", summary="One endpoint", tags=["endpoints"])
def get_endpoint(name: Name) -> EndpointOut:
    """As it is now."""
    return EndpointOut.of(wiring.stage().endpoints.view(name))


@app.patch("/endpoints/<name>", summary="Change between how many instances it scales", tags=["endpoints"])
def patch_endpoint(name: Name, bounds: EndpointPatch) -> EndpointOut:
    """With `min_instances` 0 it sleeps when it has nothing to do."""
    return EndpointOut.of(wiring.stage().endpoints.view(wiring.stage().fleet.scale(name, bounds)))


@app.delete(
    "/endpoints/<name>",
    summary="Delete an endpoint with all that was made for it",
    tags=["endpoints"],
    responses=answers(EndpointOut, _202="SageMaker is at work on it; it goes as soon as that is done")
    | {204: {"description": "Gone, or going"}},
)
def delete_endpoint(name: Name) -> Response[EndpointOut | None]:
    """Its open jobs fail with `endpoint_deleted`. Deleting what is gone is fine."""
    if wiring.stage().fleet.delete(name):
        return Response(204)
    return Response(202, content_type="application/json", body=EndpointOut.of(wiring.stage().endpoints.view(name)))


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answer one request."""
    return app.handle(event, context)
