"""The sweeper: a schedule calls it, and it repairs what no message will repair."""

from typing import Any

from darkroom import wiring
from darkroom.edge import rounds


def handler(event: dict[str, Any], context: object) -> None:
    """Call every round; raises RoundsFailed after the last one when some failed."""
    rounds.run(wiring.stage().rounds, context, wiring.stage().settings.stage)
