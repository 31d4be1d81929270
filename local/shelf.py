"""A shelf whose files stay where they are: the rows of a WebUI's models folder, for a worker on the same machine."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from darkroom.aws.models import DynamoModelRegistry
from darkroom.checkpoints.contents import header_of, names_of
from darkroom.checkpoints.model import Checkpoint, ModelKey
from darkroom.checkpoints.ports import ModelFiles
from darkroom.checkpoints.safetensors import NotSafetensors
from darkroom.times import iso
from darkroom_client.model_files import ModelFile, select
from darkroom_client.model_names import choose


@dataclass(frozen=True)
class _OnDisk:
    """Reads one file of this machine as the shelf reads one in S3."""

    path: Path

    def read(self, key: str, offset: int, length: int) -> bytes:
        """`length` bytes from `offset` on."""
        with self.path.open("rb") as content:
            content.seek(offset)
            return content.read(length)


def register(folder: Path, client: Any, table: str) -> list[ModelKey]:
    """Puts every model file below `folder` on the shelf that is in `table`, as far as its name is free there; returns
    all of them. Nothing is copied: only a worker that has the folder (`DARKROOM_MODELS`) can use these rows.

    Raises darkroom_client's Failure for a folder without model files.
    """
    registry = DynamoModelRegistry(client, table)
    keys = []
    for file in choose(select([folder]), []).files:
        row = _row(file)
        if row is not None:
            registry.begin(row)
            keys.append(row.key)
    return keys


def _row(file: ModelFile) -> Checkpoint | None:
    """The row of a file, None for a file that is no model."""
    row = Checkpoint(
        key=ModelKey(file.kind, file.name),
        status="active",
        size=file.path.stat().st_size,
        owner="admin",
        created_at=iso(datetime.now(UTC)),
        folder=file.folder,
        aliases=file.aliases,
    )
    files = cast("ModelFiles", _OnDisk(file.path))
    try:
        header = header_of(files, row)
    except NotSafetensors:
        return None
    return replace(
        row, base_model=header.base_model, trigger_words=header.trigger_words, **names_of(files, row, header)
    )
