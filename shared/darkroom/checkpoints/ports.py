"""What the shelf needs from the outside."""

from typing import Protocol

from darkroom.checkpoints.model import Checkpoint, Kind, ModelKey


class Shelf(Protocol):
    """The models table."""

    def of_kind(self, kind: Kind) -> list[Checkpoint]:
        """Every row of a kind, by name."""

    def not_active(self, models: tuple[ModelKey, ...]) -> tuple[ModelKey, ...]:
        """Those of the given that are missing or not active."""
