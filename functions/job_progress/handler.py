"""Writes the progress that workers report, which comes from a queue of its own; it can end no job."""

from typing import Any

from darkroom import wiring
from darkroom.edge import events


def handler(event: dict[str, Any], context: object) -> Any:
    """Handle one batch of messages; answers which of them failed."""
    return events.handle(event, context, wiring.stage().progress.receive)
