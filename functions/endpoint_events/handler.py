"""Handles SageMaker's events about endpoints whose state changed, which come from a queue."""

from typing import Any

from darkroom import wiring
from darkroom.edge import events
from darkroom.endpoints.events import endpoint_in


def handler(event: dict[str, Any], context: object) -> Any:
    """Handle one batch of events; answers which messages failed."""
    return events.handle(event, context, receive)


def receive(body: str) -> str:
    """Do what the endpoint of an event needs now (see `Fleet.reconcile`); returns a text for the log."""
    name = endpoint_in(body)
    return f"{name}: {wiring.stage().fleet.reconcile(name)}"
