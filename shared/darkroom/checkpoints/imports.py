"""Imports: model files that the cloud fetches, in steps. Each step stores some parts and queues a message for the next.

A step is safe to repeat: S3 lists which parts are stored, and no message is trusted for that. After too many temporary
errors, or after an error that repeating cannot mend, the row ends as `fail` with the reason. How steps are fenced and
counted is in `darkroom.steps`.
"""

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic import TypeAdapter, ValidationError

from darkroom.checkpoints.api import CheckpointOut, FileName, ImportIn
from darkroom.checkpoints.model import (
    MAX_BYTES,
    PICKLES,
    SAFE,
    TEXTS,
    Checkpoint,
    Kind,
    ModelKey,
    Part,
    new_object,
    part_count,
    part_length,
    part_size,
)
from darkroom.checkpoints.ports import (
    ModelFiles,
    ModelRegistry,
    SourceBusy,
    SourceRefused,
    UploadGone,
    Web,
)
from darkroom.checkpoints.purposes import ENGINE_FILE, check_purpose
from darkroom.checkpoints.safetensors import NotSafetensors, header_length
from darkroom.checkpoints.service import Checkpoints
from darkroom.checkpoints.stalled import fail_import
from darkroom.dead_letters.model import About
from darkroom.errors import Busy, Conflict, FieldError, Invalid
from darkroom.steps import ATTEMPTS, FALLBACK_DELAY, KILLED_COUNTS_AS, StepQueue, UnknownStep, may_run, pause
from darkroom.times import iso, moment

STEP_SECONDS = 40.0
"""After so many seconds a step leaves the other parts to the next one. The function may run three times as long."""
MIN_BYTES = 16
_FILE_NAME: TypeAdapter[str] = TypeAdapter(FileName)


@dataclass(frozen=True)
class Step:
    """A message: the file, its upload, the number of the step, and the token of this message. A message of a release
    that did not number steps has the number 1 and no token."""

    key: ModelKey
    upload_id: str
    number: int = 1
    token: str = ""

    def may_run(self, row: Checkpoint) -> bool:
        """Whether the fence lets this message in. While the row has no step number (no step has begun, or an older
        release wrote the row) any step may begin."""
        return row.step == 0 or may_run(self.number, self.token, row.step, row.step_token or "")


def about(body: str) -> About:
    """What may be shown of a message in this queue. Never raises."""
    try:
        key = _parse(body).key
    except UnknownStep as unknown:
        return About("unknown", reason=str(unknown) or "no step of an import")
    return About("import", f"{key.kind} {key.name}")


class Imports:
    """Imports from the web and from S3. `checkpoints` has the rules for names, formats, owners and limits."""

    def __init__(
        self,
        registry: ModelRegistry,
        files: ModelFiles,
        web: Web,
        queue: StepQueue,
        checkpoints: Checkpoints,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`monotonic` gives seconds for measuring durations, `clock` epoch seconds."""
        self._registry = registry
        self._files = files
        self._web = web
        self._queue = queue
        self._checkpoints = checkpoints
        self._monotonic = monotonic
        self._clock = clock

    def begin(
        self, owner: str, request: ImportIn, *, scope: str | None = None, fingerprint: str | None = None
    ) -> CheckpointOut:
        """Write the row and queue the first step; returns the row as the API shows it. `scope`, `fingerprint` and the
        errors are those of `Checkpoints.register`. Raises Busy when the queue does not take the step.

        A delayed copy of the first step is queued before the row is written. If this function is killed after it wrote
        the row, that copy begins the import, so a row never stays `importing` for ever.
        """
        key = ModelKey(request.kind, request.name or _name_in(request.url, request.kind))
        check_purpose(request.kind, request.purpose)
        self._checkpoints.check_format(key)
        found = self._registry.get(key)
        if found and found.created_by(fingerprint):
            return CheckpointOut.of(found)
        if found:
            self._checkpoints.check_replaceable(found, scope)
        self._checkpoints.check_room(owner, key.kind, "importing")
        at = new_object(key)
        row = Checkpoint(
            key=key,
            status="importing",
            owner=owner,
            created_at=self._now(),
            stepped_at=self._now(),
            upload_id=self._files.begin(at),
            source=request.url,
            done=0,
            fingerprint=fingerprint,
            object=at,
            purpose=request.purpose,
        )
        self._enqueue_next(row, delay=FALLBACK_DELAY)
        if not self._registry.begin(row):
            self._files.abort(row.object_key, row.upload_id or "")
            existing = self._registry.get(key)
            if existing and existing.created_by(fingerprint):
                return CheckpointOut.of(existing)
            raise Conflict("checkpoint_exists", f"{key.name} was begun by somebody else this moment.")
        try:
            self._enqueue_next(row)
        except Busy:
            # The caller will send the request again. Without a fingerprint that repeat does not find this row.
            self._fail(replace(row, fingerprint=None), "it could not be begun")
            raise
        return CheckpointOut.of(row)

    def step(self, body: str) -> str:
        """Carry out the step that a message's body describes; returns a text for the log. Raises UnknownStep."""
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
        attempts, now = row.attempts + KILLED_COUNTS_AS, self._now()
        begun = replace(row, step=step.number, step_token=step.token or None, attempts=attempts, stepped_at=now)
        if not self._registry.change(row, begun):
            return f"{kind} (changed meanwhile)"
        failures = row.attempts + 1
        try:
            self._advance(begun)
        except SourceBusy as busy:
            self._retry_later(begun, failures, str(busy))
        except (SourceRefused, NotSafetensors) as refused:
            self._fail(begun, str(refused))
        except UploadGone:
            self._recover(begun)
        except Exception as error:
            # Whatever the error is, the row must not stay `importing`: the step is repeated, or the row ends as `fail`.
            self._retry_later(begun, failures, f"a step failed ({type(error).__name__})")
        return kind

    def _recover(self, row: Checkpoint) -> None:
        """S3 does not know the upload: it expired, or an earlier step completed it and was killed right after."""
        if row.size is not None and self._files.size(row.object_key) == row.size:
            self._checkpoints.finish(row)
        else:
            self._fail(row, "the upload expired; import it again")

    def _advance(self, row: Checkpoint) -> None:
        if row.size is None:
            self._inspect_source(row)
            return
        stored = {part.number: part for part in self._files.parts(row.object_key, row.upload_id or "")}
        missing = [
            number for number in range(1, part_count(row.size) + 1) if not _is_whole(row.size, stored.get(number))
        ]
        started = self._monotonic()
        while missing:
            self._store_part(row, missing.pop(0))
            if self._monotonic() - started >= STEP_SECONDS:
                break
        if missing:
            bytes_left = sum(part_length(row.size, number) for number in missing)
            advanced = replace(row, done=row.size - bytes_left, attempts=0)
            if self._registry.change(row, advanced):
                self._enqueue_next(advanced)
            return
        self._checkpoints.finish(row)

    def _inspect_source(self, row: Checkpoint) -> None:
        """Write down how large the source is. Raises SourceRefused or NotSafetensors when it cannot be a model."""
        source = row.source or ""
        size = self._size(source)
        if not MIN_BYTES <= size <= MAX_BYTES:
            raise SourceRefused(f"the source has {size:,} bytes, which is no size of a model file")
        has_header = not (row.key.is_pickle or row.key.is_text)
        if has_header and header_length(self._read(source, 0, 8, size)) > size - 8:
            raise NotSafetensors("its header is longer than the file")
        sized = replace(row, size=size, attempts=0)
        if self._registry.change(row, sized):
            self._enqueue_next(sized)

    def _size(self, source: str) -> int:
        return self._files.source_size(source) if source.startswith("s3://") else self._web.size(source)

    def _read(self, source: str, first: int, length: int, total: int) -> bytes:
        if source.startswith("s3://"):
            return self._files.source_read(source, first, length)
        return self._web.read(source, first, length, total)

    def _store_part(self, row: Checkpoint, number: int) -> None:
        """Copy one part inside S3, or fetch it from the web through memory: at most about fifty megabytes."""
        size, source, upload_id = row.size or 0, row.source or "", row.upload_id or ""
        first, length = (number - 1) * part_size(size), part_length(size, number)
        if source.startswith("s3://"):
            self._files.copy_part(row.object_key, upload_id, number, source, first, length)
        else:
            self._files.put_part(row.object_key, upload_id, number, self._web.read(source, first, length, size))

    def _retry_later(self, row: Checkpoint, failures: int, why: str) -> None:
        """Queue the next step with a delay; `failures` is how many attempts in a row have failed. The next step may be
        in the queue already, when only the answer to sending it was lost: then one of the two is carried out."""
        if failures >= ATTEMPTS:
            self._fail(row, f"{why}, {ATTEMPTS} times in a row")
            return
        waiting = replace(row, attempts=failures, reason=f"{why}; it is tried again")
        if self._registry.change(row, waiting):
            self._enqueue_next(waiting, delay=pause(failures))

    def _fail(self, row: Checkpoint, why: str) -> None:
        fail_import(self._registry, self._files, row, why)

    def _now(self) -> str:
        return iso(moment(self._clock()))

    def _enqueue_next(self, row: Checkpoint, delay: int = 0) -> None:
        """Queue the step after the row's last one, to be delivered after `delay` seconds."""
        body = {
            "kind": row.key.kind,
            "name": row.key.name,
            "upload_id": row.upload_id,
            "step": row.step + 1,
            "token": secrets.token_hex(8),
        }
        self._queue.send(json.dumps(body), delay)


def _is_whole(size: int, part: Part | None) -> bool:
    return part is not None and part.size == part_length(size, part.number)


def _name_in(url: str, kind: Kind) -> str:
    """The name of a model file at the end of a URL's path; raises Invalid when there is none."""
    last = ""
    try:
        last = unquote(urlsplit(url).path.rpartition("/")[2])
        name = _FILE_NAME.validate_python(last)
    except (ValidationError, ValueError):
        name = ""
    if not name.lower().endswith(SAFE + PICKLES + (TEXTS if kind == ENGINE_FILE else ())):
        shown = f"ends in {last[:100]!r}, which is no name of a model file" if last else "does not end in a file name"
        why = f"the URL {shown}; give `name`, with the extension, such as film.safetensors"
        raise Invalid("invalid_request", f"{why[0].upper()}{why[1:]}.", (FieldError(("body", "name"), why),))
    return name


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
