"""The model shelf."""

from typing import Annotated, Any

from darkroom import wiring
from darkroom.checkpoints.api import CheckpointList, list_checkpoints
from darkroom.checkpoints.model import Kind
from darkroom.edge.http import Api, Query

app = Api(origins=lambda: wiring.settings().origins)


@app.get("/checkpoints", summary="Model files", tags=["checkpoints"])
def get_checkpoints(
    kind: Annotated[Kind | None, Query(description="one kind only")] = None,
) -> CheckpointList:
    """Model files by kind and name."""
    return list_checkpoints(wiring.shelf(), kind)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answer one request."""
    return app.handle(event, context)
