"""How an import ends as `fail`, and the imports that stand still."""

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from darkroom.checkpoints.model import Checkpoint
from darkroom.checkpoints.ports import ModelFiles, ModelRegistry
from darkroom.stalled import Stalled, stands_still


def fail_import(registry: ModelRegistry, files: ModelFiles, row: Checkpoint, why: str) -> bool:
    """End an import as `fail`, and remove what it stored; False when the row was changed since it was read."""
    if not registry.change(row, _failed(row, why)):
        return False
    _remove(files, row)
    return True


def end_stalled(registry: ModelRegistry, files: ModelFiles, row: Checkpoint, why: str) -> bool:
    """The same from outside the steps, in an order that the next round can repeat when it breaks off: no step gets in
    any more, then all is removed, then the row ends."""
    fenced = replace(row, step=row.step + 1, step_token=secrets.token_hex(8))
    if not registry.change(row, fenced):
        return False
    _remove(files, fenced)
    return registry.change(fenced, _failed(fenced, why))


def _failed(row: Checkpoint, why: str) -> Checkpoint:
    return replace(row, status="fail", upload_id=None, source=None, reason=f"The import failed: {why}.")


def _remove(files: ModelFiles, row: Checkpoint) -> None:
    files.abort(row.object_key, row.upload_id or "")
    # An earlier step may have joined the parts. No other row has this object.
    files.delete(row.object_key)


class StalledImports:
    """The imports that stand still."""

    def __init__(self, registry: ModelRegistry, files: ModelFiles, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives epoch seconds."""
        self._registry = registry
        self._files = files
        self._clock = clock

    def find(self) -> Iterator[Stalled]:
        """Each as it is now. Their ends name the kind only, for the name of a file belongs in no log."""
        why = "no step was made for an hour; import it again"
        for key in self._registry.importing():
            row = self._registry.get(key)
            if row is None or row.status != "importing":
                continue
            last = row.stepped_at or row.created_at
            if last is None or stands_still(last, self._clock()):
                yield Stalled(f"import of a {key.kind}", partial(end_stalled, self._registry, self._files, row, why))
