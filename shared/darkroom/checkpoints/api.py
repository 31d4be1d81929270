"""What `/checkpoints` answers."""

from pydantic import BaseModel

from darkroom.checkpoints.model import KINDS, Checkpoint, Kind, ModelStatus
from darkroom.checkpoints.ports import Shelf


class CheckpointOut(BaseModel):
    """A model file: `size` in bytes, `created_at` ISO 8601 in UTC."""

    kind: Kind
    name: str
    status: ModelStatus
    size: int | None
    sha256: str | None
    owner: str | None
    created_at: str | None

    @classmethod
    def of(cls, row: Checkpoint) -> "CheckpointOut":
        """The row as the API shows it."""
        return cls(
            kind=row.key.kind,
            name=row.key.name,
            status=row.status,
            size=row.size,
            sha256=row.sha256,
            owner=row.owner,
            created_at=row.created_at,
        )


class CheckpointList(BaseModel):
    """Model files by kind, then by name."""

    checkpoints: list[CheckpointOut]


def list_checkpoints(shelf: Shelf, kind: Kind | None) -> CheckpointList:
    """The shelf, or one kind of it: one Query a kind."""
    kinds = KINDS if kind is None else (kind,)
    return CheckpointList(checkpoints=[CheckpointOut.of(row) for k in kinds for row in shelf.of_kind(k)])
