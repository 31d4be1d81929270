"""Steps of deletions, from their queue."""

from typing import Any

from darkroom import wiring
from darkroom.edge import events


def handler(event: dict[str, Any], context: object) -> Any:
    """Carry out one batch of steps; answers which messages failed."""
    return events.handle(event, context, wiring.stage().deletion_steps.step)
