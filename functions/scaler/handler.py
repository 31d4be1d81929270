"""The scaler: a schedule calls it every minute, and it wakes endpoints and puts them to sleep."""

from typing import Any

from darkroom import wiring
from darkroom.edge import rounds


def handler(event: dict[str, Any], context: object) -> None:
    """Call every round; raises RoundsFailed after the last one when some failed."""
    rounds.run(wiring.stage().minute_rounds, context, wiring.stage().settings.stage)
