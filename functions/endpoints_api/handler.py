"""The stage's endpoints."""

from typing import Any

from darkroom import wiring
from darkroom.edge.http import Api
from darkroom.endpoints.api import EndpointList, EndpointOut

app = Api(origins=lambda: wiring.settings().origins, pace=wiring.pace)


@app.get("/endpoints", summary="SageMaker endpoints of this stage", tags=["endpoints"])
def get_endpoints() -> EndpointList:
    """Newest first; at most seconds old."""
    return EndpointList(endpoints=[EndpointOut.of(endpoint) for endpoint in wiring.endpoints().all()])


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answer one request."""
    return app.handle(event, context)
