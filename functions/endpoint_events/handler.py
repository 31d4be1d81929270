"""What SageMaker tells of endpoints whose state changed, from the queue."""

from typing import Any

from darkroom import wiring
from darkroom.edge import events
from darkroom.endpoints.events import endpoint_in


def handler(event: dict[str, Any], context: object) -> Any:
    """See to each endpoint of one batch; answers which messages failed."""
    return events.handle(event, context, receive)


def receive(body: str) -> str:
    """Set up the scaling of an endpoint that came into service, or delete one that was to go."""
    name = endpoint_in(body)
    return f"{name}: {wiring.stage().fleet.reconcile(name)}"
