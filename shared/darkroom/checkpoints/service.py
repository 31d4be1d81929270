"""The shelf of model files: uploading in parts, checking, and deleting."""

import logging
from dataclasses import replace
from datetime import UTC, datetime
from unicodedata import normalize

from darkroom.checkpoints import listing
from darkroom.checkpoints.api import (
    CheckpointIn,
    CheckpointList,
    CheckpointOut,
    ModelIn,
    PartsIn,
    PartsOut,
    PartUrlOut,
    RegisteredOut,
    RenameIn,
    StoredPartOut,
    UploadOut,
)
from darkroom.checkpoints.contents import header_of, names_of
from darkroom.checkpoints.model import (
    PICKLES,
    SAFE,
    TEXTS,
    Checkpoint,
    Kind,
    ModelKey,
    ModelStatus,
    Part,
    new_object,
    part_count,
    part_length,
    part_size,
)
from darkroom.checkpoints.ports import ModelFiles, ModelRegistry, UploadGone
from darkroom.checkpoints.purposes import ENGINE_FILE, check_purpose
from darkroom.checkpoints.renaming import check_rename, renamed_row, taken
from darkroom.checkpoints.safetensors import NotSafetensors
from darkroom.errors import Busy, Conflict, FieldError, Forbidden, Invalid, Missing, TooMany
from darkroom.times import iso
from darkroom.webui.spelling import folded, stem

log = logging.getLogger(__name__)

URL_SECONDS = 900
MAX_OPEN = 20
"""How many uploads of one kind an owner may have open, and how many imports may run. Stored parts of unfinished files
cost money, and an import also takes the time of a function."""
RETRY_SECONDS = 60
"""The `Retry-After` of a refusal for too many open uploads."""
DESCRIBED_A_PAGE = 10


class Checkpoints:
    """Model files by kind and name. With `pickles`, formats that can run code are taken too."""

    def __init__(self, registry: ModelRegistry, files: ModelFiles, pickles: bool) -> None:
        self._registry = registry
        self._files = files
        self._pickles = pickles

    def register(
        self, owner: str, request: CheckpointIn, *, scope: str | None = None, fingerprint: str | None = None
    ) -> tuple[RegisteredOut, bool]:
        """Open an upload, or find the upload of the same file that is open; the flag says whether it is new.

        A repeated request has the `fingerprint` of the request that created the row, and finds that row whatever its
        status is. Everybody sees the whole shelf; here and below, `scope` is the only owner whose files may be
        changed (None: all), and a file of another owner raises Forbidden `not_your_checkpoint`.
        Raises Invalid `format_not_taken` or `purpose_wrong`, Conflict `checkpoint_exists` or `checkpoint_uploading`,
        and TooMany as `check_room` does.
        """
        key = ModelKey(request.kind, request.name)
        check_purpose(request.kind, request.purpose)
        self.check_format(key)
        found = self._find(key)
        if found is None or (found.status == "fail" and not found.created_by(fingerprint)):
            if found:
                _check_owner(found, scope)
            self.check_room(owner, key.kind, "uploading")
            at = new_object(key)
            row = Checkpoint(
                key=key,
                status="uploading",
                size=request.size,
                sha256=request.sha256,
                owner=owner,
                created_at=iso(datetime.now(UTC)),
                upload_id=self._files.begin(at),
                fingerprint=fingerprint,
                folder=request.folder,
                aliases=tuple(alias for alias in dict.fromkeys(request.aliases) if alias != key.name),
                object=at,
                purpose=request.purpose,
            )
            if self._registry.begin(row):
                return _registered(row), True
            # Another request wrote the row first. Nobody knows the upload opened here, so it is aborted.
            self._files.abort(row.object_key, row.upload_id or "")
            found = self._registry.get(key)
        if found and found.created_by(fingerprint):
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
        """URLs to send the requested parts to, and all parts that are stored.

        Raises Missing `checkpoint_not_found`, Conflict `not_uploading`, Invalid for a part number that is too high.
        """
        row = self._uploading(ModelKey(request.kind, request.name), scope)
        last = part_count(row.size or 0)
        too_high = [part.number for part in request.parts if part.number > last]
        if too_high:
            why = f"this file has {last} parts"
            raise Invalid("invalid_request", f"Part {too_high[0]}: {why}.", (FieldError(("body", "parts"), why),))
        try:
            stored = self._files.parts(row.object_key, row.upload_id or "")
        except UploadGone:
            stored = self._renew(row)
            row = self._uploading(row.key)
        requested = {part.number: (part.sha256, part_length(row.size or 0, part.number)) for part in request.parts}
        urls = self._files.urls(row.object_key, row.upload_id or "", requested)
        return PartsOut(
            urls=[PartUrlOut(number=n, url=url, headers=headers) for n, (url, headers) in urls.items()],
            expires_in=URL_SECONDS,
            stored=[StoredPartOut(number=part.number, size=part.size, sha256=part.sha256) for part in stored],
        )

    def complete(self, request: ModelIn, *, scope: str | None = None) -> CheckpointOut:
        """Join the parts, check the file's header, and make the file active. Safe to repeat.

        Raises Missing `checkpoint_not_found`, Conflict `parts_missing` or `not_uploading`, and Invalid
        `checkpoint_invalid` when the file is no model (the row's `reason` says why).
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
        """Join the parts of a row and check the file's header; returns the row, which is then `active` or `fail`.

        Raises Conflict `parts_missing`.
        """
        etag = self._assemble(row)
        finished = replace(
            row, etag=etag, upload_id=None, source=None, done=None, attempts=0, reason=None, step=0, step_token=None
        )
        try:
            header = header_of(self._files, row)
        except NotSafetensors as error:
            failed = replace(finished, status="fail", reason=f"The file is no model: {error}.")
            # Deleted before the row changes: an object that no row names would stay for ever.
            self._files.delete(row.object_key)
            return failed if self._registry.change(row, failed) else self._get(row.key)
        active = replace(
            finished,
            status="active",
            base_model=header.base_model,
            trigger_words=header.trigger_words,
            **names_of(self._files, row, header),
        )
        return active if self._registry.change(row, active) else self._get(row.key)

    def page(self, kind: Kind | None, q: str | None, after: str | None, limit: int) -> CheckpointList:
        """See `listing.page`. A few rows from before aliases and hashes were kept get theirs, by two or three reads of
        the file each."""
        return listing.page(self._registry, kind, q, after, limit, self._describe)

    def delete(self, key: ModelKey, *, scope: str | None = None) -> None:
        """Delete a model file, or give its upload up.

        Raises Missing `checkpoint_not_found`, Conflict `checkpoint_busy`.
        """
        row = self._get(key, scope)
        # The bytes are deleted before the row: an object that no row names would stay for ever.
        if row.upload_id:
            self._files.abort(row.object_key, row.upload_id)
        # There may be an object although the row is uploading: its parts were joined, and then a function was killed.
        self._files.delete(row.object_key)
        if not self._registry.remove(row):
            raise Conflict("checkpoint_busy", f"{row.key.name} changed while it was deleted; try again.")
        if row.upload_id:
            # Another request may have joined the parts in the meantime.
            self._files.delete(row.object_key)

    def rename(self, request: RenameIn, *, scope: str | None = None) -> CheckpointOut:
        """Give an active file another name; its old one stays an alias, and its bytes stay where they are. A repeat
        finds that it was done.

        Raises Missing `checkpoint_not_found`, Conflict `not_active`, `checkpoint_exists` or `checkpoint_busy`, and
        Invalid `format_differs`.
        """
        key, target = ModelKey(request.kind, request.name), ModelKey(request.kind, request.to)
        row, there = self._find(key), self._registry.get(target)
        if row is None and there and key.name in there.aliases:
            _check_owner(there, scope)
            return CheckpointOut.of(there)
        row = self._get(key, scope)
        if row.key == target:
            return CheckpointOut.of(row)
        check_rename(row, target.name, there.key.name if there else self._same_name(row, target))
        renamed = renamed_row(row, target)
        if not self._registry.rename(row, renamed):
            there = self._registry.get(target)
            if there and there.object_key != renamed.object_key:
                raise taken(there.key.name)
            if there is None:
                raise Conflict("checkpoint_busy", f"{row.key.name} changed while it was renamed; try again.")
        return CheckpointOut.of(renamed)

    def check_format(self, key: ModelKey) -> None:
        """Raises Invalid `format_not_taken` when this stage does not take files with the extension of this name."""
        if key.name.lower().endswith(SAFE) or key.is_text or (key.is_pickle and self._pickles):
            return
        texts = TEXTS if key.kind == ENGINE_FILE else ()
        extensions = ", ".join(SAFE + (PICKLES if self._pickles else ()) + texts)
        why = f"is of a format that this stage does not take; it takes {extensions}"
        if stem(key.name) == key.name:
            why = f"does not end in the extension of a model file; this stage takes {extensions}"
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
        """Check that an import may replace this row. It may if the row failed and `scope` allows it.

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
                self._registry.describe(replace(row, **names_of(self._files, row, header_of(self._files, row))))
            except (Busy, NotSafetensors, UploadGone) as error:
                log.warning("a %s could not be read again: %s", row.key.kind, type(error).__name__)

    def _same_name(self, row: Checkpoint, target: ModelKey) -> str | None:
        """The name of another active file that differs from the target's in case alone."""
        names = [file.name for file in self._registry.known_files(target.kind) if file.name != row.key.name]
        return next((name for name in names if folded(name) == folded(target.name)), None)

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
        """Open another upload for a row whose upload S3 has deleted (it does so after two days); returns its parts."""
        if self._files.size(row.object_key) == row.size:
            raise Conflict("not_uploading", f"All parts of {row.key.name} are there; complete it.")
        opened = self._files.begin(row.object_key)
        if not self._registry.change(row, replace(row, upload_id=opened)):
            self._files.abort(row.object_key, opened)
        return []

    def _assemble(self, row: Checkpoint) -> str | None:
        """Join the parts of a row; returns the ETag of the object, None when they were joined before."""
        upload_id = row.upload_id or ""
        try:
            stored = self._files.parts(row.object_key, upload_id)
            _check_complete(row, stored)
            return self._files.complete(row.object_key, upload_id, stored)
        except UploadGone as gone:
            # An earlier try may have joined the parts and been killed. The object then has the announced size.
            if self._files.size(row.object_key) != row.size:
                raise Conflict("parts_missing", f"No part of {row.key.name} is there; send them again.") from gone
        return None


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
    sizes = {part.number: part.size for part in stored}
    missing = [number for number, length in expected.items() if sizes.get(number) != length]
    if missing:
        numbers = ", ".join(map(str, missing[:10])) + (", …" if len(missing) > 10 else "")
        raise Conflict(
            "parts_missing",
            f"{len(missing)} of {len(expected)} parts of {row.key.name} are missing: {numbers}. Send them first.",
        )
