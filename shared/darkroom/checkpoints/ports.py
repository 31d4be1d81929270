"""What the shelf needs from the outside."""

from dataclasses import dataclass
from typing import Protocol

from darkroom.checkpoints.model import Checkpoint, Kind, ModelKey, ModelStatus, Part
from darkroom.webui.spelling import KnownFile


@dataclass(frozen=True)
class Listed:
    """A page of rows, ordered by name. The next page comes after the name `after`; it is None on the last page."""

    rows: list[Checkpoint]
    after: str | None


class ModelRegistry(Protocol):
    """The models table."""

    def page(self, kind: Kind, after: str | None, limit: int) -> Listed:
        """Up to `limit` rows of a kind whose names come after `after`."""

    def get(self, key: ModelKey) -> Checkpoint | None:
        """One row, as it is now."""

    def known_files(self, kind: Kind) -> list[KnownFile]:
        """All active files of a kind, with what they are called."""

    def describe(self, row: Checkpoint) -> None:
        """Keep the aliases and the old hash of an active row that had none; nothing when it changed since."""

    def count(self, kind: Kind, owner: str, status: ModelStatus) -> int:
        """How many files of a kind and an owner have that status; a row written a moment ago may not be counted yet."""

    def importing(self) -> list[ModelKey]:
        """The files whose rows are `importing`; a change of this moment may not be seen yet."""

    def begin(self, row: Checkpoint) -> bool:
        """Write a new row; False when its name is taken by a row that has not failed."""

    def change(self, old: Checkpoint, new: Checkpoint) -> bool:
        """Replace a row if it still has the status, upload, step and step token of `old`; False if it has not."""

    def rename(self, old: Checkpoint, new: Checkpoint) -> bool:
        """Replace an active row by one of another name, both at once or neither. False when the old row has another
        status or object by now, or the new name is taken."""

    def remove(self, row: Checkpoint) -> bool:
        """Remove a row if it still has this status and upload; False if it changed since it was read."""

    def not_active(self, models: tuple[ModelKey, ...]) -> tuple[ModelKey, ...]:
        """Those of `models` that are missing or not active."""


class UploadGone(Exception):
    """S3 has no upload with this id: it was completed, aborted, or it expired."""


class SourceBusy(Exception):
    """The source of an import did not answer this time; a later try may succeed. The text says what happened."""


class SourceRefused(Exception):
    """The source of an import cannot be used, and trying again will not help. The text says why."""


class Web(Protocol):
    """Files on public https addresses. Both methods raise SourceBusy or SourceRefused."""

    def size(self, url: str) -> int:
        """The size of the file in bytes."""

    def read(self, url: str, first: int, length: int, total: int) -> bytes:
        """`length` bytes from byte `first` on. SourceRefused when the file does not have `total` bytes any more."""


class ModelFiles(Protocol):
    """The models bucket. `key` is that of an object: a row's `object_key`."""

    def put_part(self, key: str, upload_id: str, number: int, content: bytes) -> None:
        """Store a part; S3 checks its SHA-256. Raises UploadGone."""

    def copy_part(self, key: str, upload_id: str, number: int, source: str, first: int, length: int) -> None:
        """Copy a part from another S3 object (`s3://bucket/key`). Raises UploadGone or SourceRefused."""

    def source_size(self, source: str) -> int:
        """The size in bytes of another S3 object (`s3://bucket/key`). Raises SourceRefused."""

    def source_read(self, source: str, first: int, length: int) -> bytes:
        """`length` bytes of another S3 object, from byte `first` on. Raises SourceRefused."""

    def begin(self, key: str) -> str:
        """Open a multipart upload; returns its id."""

    def urls(
        self, key: str, upload_id: str, parts: dict[int, tuple[str, int]]
    ) -> dict[int, tuple[str, dict[str, str]]]:
        """A presigned PUT for each part: URL and headers by part number. `parts` maps part numbers to SHA-256 (hex)
        and size in bytes. Content-Length is not among the headers, for every client sends it by itself."""

    def parts(self, key: str, upload_id: str) -> list[Part]:
        """The parts that are stored. Raises UploadGone."""

    def complete(self, key: str, upload_id: str, parts: list[Part]) -> str | None:
        """Put the parts together; S3 checks them by their SHA-256. Returns the object's ETag, without quotes, None when
        S3 does not tell it. Raises UploadGone."""

    def abort(self, key: str, upload_id: str) -> None:
        """Abort an upload; no error when there is none."""

    def size(self, key: str) -> int | None:
        """The size in bytes of the finished object, None when there is none."""

    def read(self, key: str, first: int, length: int) -> bytes:
        """`length` bytes of the finished object, from byte `first` on. Raises UploadGone when it is not there."""

    def delete(self, key: str) -> None:
        """Delete the object; no error when there is none."""
