"""What SageMaker and the workers report, from the queue."""

from typing import Any

from darkroom import wiring
from darkroom.edge import events


def handler(event: dict[str, Any], context: object) -> Any:
    """Take in one batch; answers which messages failed."""
    return events.handle(event, context, wiring.stage().events.receive)
