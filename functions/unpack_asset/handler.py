"""CloudFormation calls it in a deploy: it puts the files of an asset under a prefix of a bucket."""

from typing import Any

from darkroom import wiring
from darkroom.edge import custom_resources


def handler(event: dict[str, Any], context: object) -> None:
    """Carry out one request of CloudFormation, and answer it."""
    custom_resources.handle(event, context, wiring.stage().assets.carry_out)
