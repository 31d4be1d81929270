"""Carries out the steps of imports, whose messages come from a queue."""

from typing import Any

from darkroom import wiring
from darkroom.edge import events


def handler(event: dict[str, Any], context: object) -> Any:
    """Carry out the steps of one batch of messages; answers which messages failed."""
    return events.handle(event, context, wiring.stage().imports.step)
