"""Model files fetched in the cloud, in steps: each takes some parts and leaves a message for the next.

A step is safe to repeat: the parts that are stored are what S3 lists, never what a message says. A step that
meets a passing fault leaves a message for later, a few times; then, and at anything that will not pass, the row
ends as `fail` with the reason. An attempt is counted before it begins, so one that is killed counts too.

Steps are numbered, and each message has a token of its own. The row keeps the number of the last step that was begun
and the token of the message that began it, and it is changed on the condition that both are still the same. So of two
messages for one step only one is carried out, and an import never runs in two chains; the same message, given out again
by the queue, may go on with its step.
"""

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic import TypeAdapter, ValidationError

from darkroom.checkpoints.api import CheckpointOut, FileName, ImportIn
from darkroom.checkpoints.model import MAX_BYTES, Checkpoint, ModelKey, Part, part_count, part_length, part_size
from darkroom.checkpoints.ports import (
    ImportQueue,
    ModelFiles,
    ModelRegistry,
    SourceBusy,
    SourceRefused,
    UploadGone,
    Web,
)
from darkroom.checkpoints.safetensors import NotSafetensors, header_length
from darkroom.checkpoints.service import Checkpoints
from darkroom.dead_letters.model import About
from darkroom.errors import Busy, Conflict, FieldError, Invalid
from darkroom.times import iso

STEP_SECONDS = 40.0
"""After so long a step leaves the rest to the next one; the function may take three times that."""
ATTEMPTS = 6
BROKEN_OFF = 2
"""How many attempts a step counts for that was killed in the middle. Three such are the end, which comes before the
queue's own: after five the message lies among the dead letters, and nothing would end the row."""
NET_DELAY = 60
"""Seconds after which an import is begun by its safety net, if nothing has begun it by then."""
LEAST_BYTES = 16
_FILE_NAME: TypeAdapter[str] = TypeAdapter(FileName)


class UnknownStep(Exception):
    """A message that is no step of an import: it stays in the queue and ends as a dead letter."""


@dataclass(frozen=True)
class Step:
    """A message: the file, its upload, the number of the step, and the token of this message. One from before steps
    were numbered is number 1 without a token."""

    key: ModelKey
    upload_id: str
    number: int = 1
    token: str = ""

    def may_run(self, row: Checkpoint) -> bool:
        """Whether this is the next step of the row, or the message that began its last one. While the row has no
        number (nothing has begun, or an older release wrote it) any step may begin."""
        if row.step == 0 or self.number == row.step + 1:
            return True
        return self.number == row.step and self.token == (row.step_token or "")


def about(body: str) -> About:
    """What may be shown of a step that was not carried out."""
    try:
        key = _parse(body).key
    except UnknownStep as unknown:
        return About("unknown", reason=str(unknown) or "no step of an import")
    return About("import", f"{key.kind} {key.name}")


class Imports:
    """Imports from the web and from S3. `checkpoints` holds the rules of the shelf."""

    def __init__(
        self,
        registry: ModelRegistry,
        files: ModelFiles,
        web: Web,
        queue: ImportQueue,
        checkpoints: Checkpoints,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._files = files
        self._web = web
        self._queue = queue
        self._checkpoints = checkpoints
        self._clock = clock

    def begin(self, owner: str, request: ImportIn, *, scope: str | None = None) -> CheckpointOut:
        """Write the row and leave the first step. `scope` and what it raises are as for `Checkpoints.register`.

        A step that comes later is left before the row is written, as a safety net: whatever breaks off after the row
        is there, the import goes on and comes to its end.
        """
        key = ModelKey(request.kind, request.name or _name_in(request.url))
        self._checkpoints.check_format(key)
        found = self._registry.get(key)
        if found:
            self._checkpoints.check_replaceable(found, scope)
        self._checkpoints.check_room(owner, key.kind, "importing")
        row = Checkpoint(
            key=key,
            status="importing",
            owner=owner,
            created_at=iso(datetime.now(UTC)),
            upload_id=self._files.begin(key),
            source=request.url,
            done=0,
        )
        self._leave(row, delay=NET_DELAY)
        if not self._registry.begin(row):
            self._files.abort(key, row.upload_id or "")
            raise Conflict("checkpoint_exists", f"{key.name} was begun by somebody else this moment.")
        try:
            self._leave(row)
        except Busy:
            self._fail(row, "it could not be begun")
            raise
        return CheckpointOut.of(row)

    def step(self, body: str) -> str:
        """Carry out one step; returns what it was about, for the log. Raises UnknownStep."""
        step = _parse(body)
        kind = step.key.kind
        row = self._registry.get(step.key)
        if row is None or row.status != "importing" or row.upload_id != step.upload_id:
            return f"{kind} (not importing any more)"
        if not step.may_run(row):
            return f"{kind} (another message goes on with it)"
        if row.attempts >= ATTEMPTS:
            self._fail(row, "its steps were broken off again and again")
            return kind
        begun = replace(row, step=step.number, step_token=step.token or None, attempts=row.attempts + BROKEN_OFF)
        if not self._registry.change(row, begun):
            return f"{kind} (changed meanwhile)"
        failures = row.attempts + 1
        try:
            self._advance(begun)
        except SourceBusy as busy:
            self._later(begun, failures, str(busy))
        except (SourceRefused, NotSafetensors) as refused:
            self._fail(begun, str(refused))
        except UploadGone:
            self._recover(begun)
        except Exception as error:
            # Whatever it is, the row must end: later, or as `fail` once it has come often enough.
            self._later(begun, failures, f"a step failed ({type(error).__name__})")
        return kind

    def _recover(self, row: Checkpoint) -> None:
        """S3 knows the upload no more: a step before this one put the parts together and broke off, or it expired."""
        if row.size is not None and self._files.size(row.key) == row.size:
            self._checkpoints.finish(row)
        else:
            self._fail(row, "the upload expired; import it again")

    def _advance(self, row: Checkpoint) -> None:
        if row.size is None:
            self._look(row)
            return
        stored = {part.number: part for part in self._files.parts(row.key, row.upload_id or "")}
        missing = [number for number in range(1, part_count(row.size) + 1) if not _whole(row.size, stored.get(number))]
        begun = self._clock()
        while missing:
            self._bring(row, missing.pop(0))
            if self._clock() - begun >= STEP_SECONDS:
                break
        if missing:
            left = sum(part_length(row.size, number) for number in missing)
            moved = replace(row, done=row.size - left, attempts=0)
            if self._registry.change(row, moved):
                self._leave(moved)
            return
        self._checkpoints.finish(row)

    def _look(self, row: Checkpoint) -> None:
        """How large the source is, and whether it begins like a model at all."""
        source = row.source or ""
        size = self._size(source)
        if not LEAST_BYTES <= size <= MAX_BYTES:
            raise SourceRefused(f"the source has {size:,} bytes, which is no size of a model file")
        if not row.key.is_pickle and header_length(self._read(source, 0, 8, size)) > size - 8:
            raise NotSafetensors("its header is longer than the file")
        sized = replace(row, size=size, attempts=0)
        if self._registry.change(row, sized):
            self._leave(sized)

    def _size(self, source: str) -> int:
        return self._files.source_size(source) if source.startswith("s3://") else self._web.size(source)

    def _read(self, source: str, first: int, length: int, total: int) -> bytes:
        if source.startswith("s3://"):
            return self._files.source_read(source, first, length)
        return self._web.read(source, first, length, total)

    def _bring(self, row: Checkpoint, number: int) -> None:
        """One part, copied inside S3 or through memory: at most some fifty megabytes at a time."""
        size, source, upload_id = row.size or 0, row.source or "", row.upload_id or ""
        first, length = (number - 1) * part_size(size), part_length(size, number)
        if source.startswith("s3://"):
            self._files.copy_part(row.key, upload_id, number, source, first, length)
        else:
            self._files.put_part(row.key, upload_id, number, self._web.read(source, first, length, size))

    def _later(self, row: Checkpoint, failures: int, why: str) -> None:
        """Leave the next step for later; `failures` is how many attempts in a row have failed now. If the next step is
        in the queue already, for only the answer of sending it was lost, one of the two is carried out."""
        if failures >= ATTEMPTS:
            self._fail(row, f"{why}, {ATTEMPTS} times in a row")
            return
        waiting = replace(row, attempts=failures, reason=f"{why}; it is tried again")
        if self._registry.change(row, waiting):
            self._leave(waiting, delay=min(900, 15 * 2 ** (failures - 1)))

    def _fail(self, row: Checkpoint, why: str) -> None:
        failed = replace(row, status="fail", upload_id=None, source=None, reason=f"The import failed: {why}.")
        if self._registry.change(row, failed):
            self._files.abort(row.key, row.upload_id or "")

    def _leave(self, row: Checkpoint, delay: int = 0) -> None:
        """Queue the step after the row's last one."""
        body = {
            "kind": row.key.kind,
            "name": row.key.name,
            "upload_id": row.upload_id,
            "step": row.step + 1,
            "token": secrets.token_hex(8),
        }
        self._queue.send(json.dumps(body), delay)


def _whole(size: int, part: Part | None) -> bool:
    return part is not None and part.size == part_length(size, part.number)


def _name_in(url: str) -> str:
    """The file name at the end of a URL's path."""
    try:
        return _FILE_NAME.validate_python(unquote(urlsplit(url).path.rpartition("/")[2]))
    except (ValidationError, ValueError) as error:
        why = "does not end in a file name: give `name`"
        raise Invalid("invalid_request", f"The URL {why}.", (FieldError(("body", "url"), why),)) from error


def _parse(body: str) -> Step:
    try:
        message: Any = json.loads(body)
        return Step(
            ModelKey(message["kind"], str(message["name"])),
            str(message["upload_id"]),
            int(message.get("step", 1)),
            str(message.get("token", "")),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UnknownStep("no step of an import") from error
