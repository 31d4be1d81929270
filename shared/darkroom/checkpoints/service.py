"""The shelf: model files come in by parts, are checked, and go."""

import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from unicodedata import normalize

from darkroom.checkpoints.api import (
    CheckpointIn,
    CheckpointList,
    CheckpointOut,
    ModelIn,
    PartsIn,
    PartsOut,
    PartUrlOut,
    RegisteredOut,
    StoredPartOut,
    UploadOut,
)
from darkroom.checkpoints.model import (
    KINDS,
    PICKLES,
    SAFE,
    Checkpoint,
    Kind,
    ModelKey,
    ModelStatus,
    Part,
    part_count,
    part_length,
    part_size,
)
from darkroom.checkpoints.ports import ModelFiles, ModelRegistry, UploadGone
from darkroom.checkpoints.safetensors import Header, NotSafetensors, header_length, read_header
from darkroom.errors import Conflict, FieldError, Forbidden, Invalid, Malformed, Missing, TooMany
from darkroom.times import iso
from darkroom.webui.spelling import OLD_HASH_BYTES, OLD_HASH_START, folded, old_hash_of, stem

log = logging.getLogger(__name__)

URL_SECONDS = 900
MAX_OPEN = 20
"""Uploads that an owner may have open in a kind, and imports that may run: each keeps parts in S3 that cost money, and
an import the time of a function."""
RETRY_SECONDS = 60
"""After which a file more may be begun, if some are done by then."""
DESCRIBED_A_PAGE = 10
MAX_HEADER_READ = 8 * 1024 * 1024
"""Bytes of a header that are read; no model's header comes near (they have some hundred kilobytes)."""


class Checkpoints:
    """Model files by kind and name. `pickles` tells whether formats that can run code are taken."""

    def __init__(self, registry: ModelRegistry, files: ModelFiles, pickles: bool) -> None:
        self._registry = registry
        self._files = files
        self._pickles = pickles

    def register(
        self, owner: str, request: CheckpointIn, *, scope: str | None = None, fingerprint: str | None = None
    ) -> tuple[RegisteredOut, bool]:
        """Open an upload, or find the one that is open for the same file; the flag tells whether it is new.

        A repeat, which has the `fingerprint` of the request that made the row, finds it whatever became of it.
        Here and below, with `scope` nothing is changed but what belongs to that owner: the rest raises Forbidden
        `not_your_checkpoint`, for everybody sees the whole shelf.
        Raises Invalid `format_not_taken`, Conflict `checkpoint_exists` or `checkpoint_uploading`, and TooMany as
        `check_room` does.
        """
        key = ModelKey(request.kind, request.name)
        self.check_format(key)
        found = self._find(key)
        if found is None or (found.status == "fail" and not found.made_by(fingerprint)):
            if found:
                _check_owner(found, scope)
            self.check_room(owner, key.kind, "uploading")
            row = Checkpoint(
                key=key,
                status="uploading",
                size=request.size,
                sha256=request.sha256,
                owner=owner,
                created_at=iso(datetime.now(UTC)),
                upload_id=self._files.begin(key),
                fingerprint=fingerprint,
                folder=request.folder,
            )
            if self._registry.begin(row):
                return _registered(row), True
            # Somebody was faster: their upload counts, ours was never known to anybody.
            self._files.abort(key, row.upload_id or "")
            found = self._registry.get(key)
        if found and found.made_by(fingerprint):
            return _registered(found), False
        if found is None or found.status != "uploading":
            raise Conflict("checkpoint_exists", f"{key.name} is on the shelf already; delete it to upload another.")
        _check_owner(found, scope)
        if (found.size, found.sha256) != (request.size, request.sha256):
            raise Conflict(
                "checkpoint_uploading",
                f"Another file is being uploaded as {key.name}. Wait for it, or delete it to begin anew.",
            )
        return _registered(found), False

    def parts(self, request: PartsIn, *, scope: str | None = None) -> PartsOut:
        """URLs for parts, and the parts that are there. Raises Missing, Conflict `not_uploading`, Invalid."""
        row = self._uploading(ModelKey(request.kind, request.name), scope)
        last = part_count(row.size or 0)
        beyond = [part.number for part in request.parts if part.number > last]
        if beyond:
            why = f"this file has {last} parts"
            raise Invalid("invalid_request", f"Part {beyond[0]}: {why}.", (FieldError(("body", "parts"), why),))
        try:
            stored = self._files.parts(row.key, row.upload_id or "")
        except UploadGone:
            stored = self._renew(row)
            row = self._uploading(row.key)
        wanted = {part.number: (part.sha256, part_length(row.size or 0, part.number)) for part in request.parts}
        urls = self._files.urls(row.key, row.upload_id or "", wanted)
        return PartsOut(
            urls=[PartUrlOut(number=n, url=url, headers=headers) for n, (url, headers) in urls.items()],
            expires_in=URL_SECONDS,
            stored=[StoredPartOut(number=part.number, size=part.size, sha256=part.sha256) for part in stored],
        )

    def complete(self, request: ModelIn, *, scope: str | None = None) -> CheckpointOut:
        """Put the parts together, look into the file, and put it on the shelf. Safe to repeat.

        Raises Missing, Conflict `parts_missing`, Invalid `checkpoint_invalid` (the row then says why).
        """
        key = ModelKey(request.kind, request.name)
        row = self._get(key, scope)
        if row.status == "active":
            return CheckpointOut.of(row)
        try:
            finished = self.finish(self._uploading(row.key))
        except UploadGone as gone:
            raise Conflict("not_uploading", f"{key.name} was deleted while it was completed.") from gone
        if finished.status == "fail":
            raise Invalid("checkpoint_invalid", f"{key.name} is no model file. {finished.reason}")
        return CheckpointOut.of(finished)

    def finish(self, row: Checkpoint) -> Checkpoint:
        """Put the parts of a row together and look into the file; the row as it is then, `active` or `fail`.

        Raises Conflict `parts_missing`.
        """
        self._assemble(row)
        settled = replace(row, upload_id=None, source=None, done=None, attempts=0, reason=None, step=0, step_token=None)
        try:
            header = self._look_into(row)
        except NotSafetensors as error:
            failed = replace(settled, status="fail", reason=f"The file is no model: {error}.")
            # The object goes while the row still holds the name: nobody else's can lie there.
            self._files.delete(row.key)
            return failed if self._registry.change(row, failed) else self._get(row.key)
        active = replace(
            settled,
            status="active",
            base_model=header.base_model,
            trigger_words=header.trigger_words,
            **self._called(row, header),
        )
        return active if self._registry.change(row, active) else self._get(row.key)

    def page(self, kind: Kind | None, q: str | None, after: str | None, limit: int) -> CheckpointList:
        """Up to `limit` rows by kind and name: one Query a kind. `after` is the `next` of the page before.

        `q` is looked for in names, in any case; a page may then be short and still have a `next`. A few rows from
        before aliases and hashes were kept get theirs, by two or three reads of the file each.
        """
        kinds, begin = _from(kind, after)
        rows: list[Checkpoint] = []
        for number, each in enumerate(kinds):
            listed = self._registry.page(each, begin, limit - len(rows))
            rows += listed.rows
            begin = None
            self._describe(listed.rows)
            if listed.after is not None or (len(rows) == limit and number < len(kinds) - 1):
                following = f"{each}/{listed.after or rows[-1].key.name}"
                return CheckpointList(checkpoints=_shown(rows, q), next=following)
        return CheckpointList(checkpoints=_shown(rows, q), next=None)

    def delete(self, key: ModelKey, *, scope: str | None = None) -> None:
        """Take a file off the shelf, or give its upload up. Raises Missing, Conflict `checkpoint_busy`."""
        row = self._get(key, scope)
        key = row.key
        # While the row is there nobody can bring another file of that name, so the bytes go first.
        if row.upload_id:
            self._files.abort(key, row.upload_id)
        # Also those of an upload that was put together and never looked into.
        self._files.delete(key)
        if not self._registry.remove(row):
            raise Conflict("checkpoint_busy", f"{key.name} changed while it was deleted; try again.")
        if row.upload_id:
            # It may have been put together this moment.
            self._files.delete(key)

    def check_format(self, key: ModelKey) -> None:
        """Raises Invalid `format_not_taken` for a file name that this stage does not take."""
        if key.name.lower().endswith(SAFE) or (key.is_pickle and self._pickles):
            return
        taken = ", ".join(SAFE + (PICKLES if self._pickles else ()))
        why = f"is of a format that this stage does not take; it takes {taken}"
        if key.is_pickle:
            why += ". Pickle formats can run code when they are loaded; the stage's setting pickles decides"
        raise Invalid("format_not_taken", f"{key.name} {why}.", (FieldError(("body", "name"), why),))

    def check_room(self, owner: str, kind: Kind, status: ModelStatus) -> None:
        """Raises TooMany `too_many_uploads` when the owner has MAX_OPEN files of a kind in that status already."""
        if self._registry.count(kind, owner, status) >= MAX_OPEN:
            raise TooMany(
                "too_many_uploads",
                f"{owner} has {MAX_OPEN} files of the kind {kind} that are {status}, and no more may be at once. "
                "Wait until some are done, or delete some.",
                RETRY_SECONDS,
            )

    def check_replaceable(self, row: Checkpoint, scope: str | None) -> None:
        """Whether an import may take the place of a row: of one that failed, and is not another owner's.

        Raises Conflict `checkpoint_exists` or Forbidden `not_your_checkpoint`.
        """
        if row.status != "fail":
            name = row.key.name
            raise Conflict("checkpoint_exists", f"{name} is {row.status} already; delete it to import another.")
        _check_owner(row, scope)

    def _describe(self, rows: list[Checkpoint]) -> None:
        """Older rows have no old hash and no alias: read them from the file, some at a time."""
        older = [row for row in rows if row.status == "active" and row.old_hash is None]
        for row in older[:DESCRIBED_A_PAGE]:
            try:
                self._registry.describe(replace(row, **self._called(row, self._look_into(row))))
            except (NotSafetensors, UploadGone) as error:
                log.warning("a %s could not be read again: %s", row.key.kind, type(error).__name__)

    def _called(self, row: Checkpoint, header: Header) -> dict[str, Any]:
        """What a file is called besides its name: aliases, and the WebUI's old hash. One read of the file."""
        length = max(0, min(OLD_HASH_BYTES, (row.size or 0) - OLD_HASH_START))
        content = self._files.read(row.key, OLD_HASH_START, length) if length else b""
        aliases = [header.alias] if header.alias and header.alias != stem(row.key.name) else []
        return {"aliases": tuple(dict.fromkeys([*row.aliases, *aliases])), "old_hash": old_hash_of(content)}

    def _find(self, key: ModelKey) -> Checkpoint | None:
        """The row of this name, also one from before names were composed, as a Mac wrote it."""
        row = self._registry.get(key)
        if row is None and not key.name.isascii():
            row = self._registry.get(replace(key, name=normalize("NFD", key.name)))
        return row

    def _get(self, key: ModelKey, scope: str | None = None) -> Checkpoint:
        row = self._find(key)
        if row is None:
            raise Missing("checkpoint_not_found", f"There is no {key.kind} called {key.name!r}.")
        _check_owner(row, scope)
        return row

    def _uploading(self, key: ModelKey, scope: str | None = None) -> Checkpoint:
        row = self._get(key, scope)
        if row.status != "uploading":
            raise Conflict("not_uploading", f"{key.name} is {row.status}, not uploading; POST /checkpoints begins.")
        return row

    def _renew(self, row: Checkpoint) -> list[Part]:
        """S3 forgot the upload (it keeps unfinished ones for two days): open another under the same row."""
        if self._files.size(row.key) == row.size:
            raise Conflict("not_uploading", f"All parts of {row.key.name} are there; complete it.")
        opened = self._files.begin(row.key)
        if not self._registry.change(row, replace(row, upload_id=opened)):
            self._files.abort(row.key, opened)
        return []

    def _assemble(self, row: Checkpoint) -> None:
        upload_id = row.upload_id or ""
        try:
            stored = self._files.parts(row.key, upload_id)
            _check_complete(row, stored)
            self._files.complete(row.key, upload_id, stored)
        except UploadGone as gone:
            # Completed before, by a try that broke off: the object then has the size that was announced.
            if self._files.size(row.key) != row.size:
                raise Conflict("parts_missing", f"No part of {row.key.name} is there; send them again.") from gone

    def _look_into(self, row: Checkpoint) -> Header:
        """What the file says of itself; raises NotSafetensors, also for a pickle that is none."""
        size = row.size or 0
        start = self._files.read(row.key, 0, 8)
        if row.key.is_pickle:
            # A zip, as PyTorch has saved since 1.6, or a bare pickle (protocol 2 and up begin with 0x80).
            if not start.startswith((b"PK\x03\x04", b"\x80")):
                raise NotSafetensors("it is neither a zip nor a pickle")
            return Header(None, ())
        length = header_length(start)
        if length > min(size - 8, MAX_HEADER_READ):
            raise NotSafetensors("its header is longer than it can be")
        return read_header(self._files.read(row.key, 8, length), size - 8 - length)


def _check_owner(row: Checkpoint, scope: str | None) -> None:
    if scope not in (None, row.owner):
        whose = f"belongs to {row.owner}" if row.owner else "belongs to the stage"
        raise Forbidden("not_your_checkpoint", f"{row.key.name} {whose}; its owner or an admin may change it.")


def _registered(row: Checkpoint) -> RegisteredOut:
    size = row.size or 0
    upload = UploadOut(part_size=part_size(size), parts=part_count(size))
    return RegisteredOut(checkpoint=CheckpointOut.of(row), upload=upload)


def _check_complete(row: Checkpoint, stored: list[Part]) -> None:
    size = row.size or 0
    expected = {number: part_length(size, number) for number in range(1, part_count(size) + 1)}
    there = {part.number: part.size for part in stored}
    missing = [number for number, length in expected.items() if there.get(number) != length]
    if missing:
        shown = ", ".join(map(str, missing[:10])) + (", …" if len(missing) > 10 else "")
        raise Conflict(
            "parts_missing",
            f"{len(missing)} of {len(expected)} parts of {row.key.name} are missing: {shown}. Send them first.",
        )


def _from(kind: Kind | None, after: str | None) -> tuple[list[Kind], str | None]:
    """The kinds to list and the name to begin after."""
    kinds = [kind] if kind else list(KINDS)
    if after is None:
        return kinds, None
    head, slash, name = after.partition("/")
    if not slash or head not in kinds or not name:
        why = "is no place in this list: send the `next` of the page before"
        raise Malformed("invalid_request", f"`after` {why}.", (FieldError(("query", "after"), why),))
    return kinds[kinds.index(head) :], name


def _shown(rows: list[Checkpoint], q: str | None) -> list[CheckpointOut]:
    wanted = folded(q or "")
    return [
        CheckpointOut.of(row) for row in rows if any(wanted in folded(name) for name in (row.key.name, *row.aliases))
    ]
