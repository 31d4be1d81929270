"""What the schedule calls: one round of everything that heals by itself."""

from typing import Any

from darkroom import wiring
from darkroom.edge import rounds


def handler(event: dict[str, Any], context: object) -> None:
    """Carry out every round; raises when one of them failed, once all have had their turn."""
    rounds.run(wiring.stage().rounds, context, wiring.stage().settings.stage)
