"""What the shelf needs from the outside."""

from dataclasses import dataclass
from typing import Protocol

from darkroom.checkpoints.model import Checkpoint, Kind, ModelKey, ModelStatus, Part
from darkroom.webui.spelling import KnownFile


@dataclass(frozen=True)
class Listed:
    """Rows of a kind by name, and the name to go on after, None at the end."""

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
        """How many files of a kind and an owner have that status; what was written this moment may be left out."""

    def begin(self, row: Checkpoint) -> bool:
        """Write a row that is uploading; False when its name is taken by one that is uploading or active."""

    def change(self, old: Checkpoint, new: Checkpoint) -> bool:
        """Replace a row that still has the old one's status, upload, step and step token; False when it has not."""

    def remove(self, row: Checkpoint) -> bool:
        """Remove exactly this row (same status and upload); False when it changed since."""

    def not_active(self, models: tuple[ModelKey, ...]) -> tuple[ModelKey, ...]:
        """Those of the given that are missing or not active."""


class UploadGone(Exception):
    """S3 knows no such upload: it was completed or aborted, or it expired."""


class SourceBusy(Exception):
    """The source of an import did not answer this time; the text says how."""


class SourceRefused(Exception):
    """The source of an import will not do, now or later; the text says why."""


class Web(Protocol):
    """Files on public https addresses. Both raise SourceBusy or SourceRefused."""

    def size(self, url: str) -> int:
        """Bytes of the file."""

    def read(self, url: str, first: int, length: int, total: int) -> bytes:
        """Exactly these bytes of a file that has `total`; a file of another size by now is refused."""


class ImportQueue(Protocol):
    """Where steps of imports wait."""

    def send(self, body: str, delay: int) -> None:
        """Leave a message that is seen after `delay` (0 to 900) seconds."""


class ModelFiles(Protocol):
    """The models bucket."""

    def put_part(self, key: ModelKey, upload_id: str, number: int, content: bytes) -> None:
        """Store a part with its SHA-256. Raises UploadGone."""

    def copy_part(self, key: ModelKey, upload_id: str, number: int, source: str, first: int, length: int) -> None:
        """Copy a part from another S3 object (`s3://bucket/key`). Raises UploadGone or SourceRefused."""

    def source_size(self, source: str) -> int:
        """Bytes of another S3 object. Raises SourceRefused."""

    def source_read(self, source: str, first: int, length: int) -> bytes:
        """Some bytes of another S3 object. Raises SourceRefused."""

    def begin(self, key: ModelKey) -> str:
        """Open a multipart upload; returns its id."""

    def urls(
        self, key: ModelKey, upload_id: str, parts: dict[int, tuple[str, int]]
    ) -> dict[int, tuple[str, dict[str, str]]]:
        """Presigned PUTs by part number, with the headers to send besides Content-Length, which every client sends by
        itself; `parts` maps numbers to SHA-256 in hex and bytes."""

    def parts(self, key: ModelKey, upload_id: str) -> list[Part]:
        """The parts that are stored. Raises UploadGone."""

    def complete(self, key: ModelKey, upload_id: str, parts: list[Part]) -> None:
        """Put the parts together; S3 checks them by their SHA-256. Raises UploadGone."""

    def abort(self, key: ModelKey, upload_id: str) -> None:
        """Forget an upload; one that is gone is fine."""

    def size(self, key: ModelKey) -> int | None:
        """Bytes of the finished object, None when there is none."""

    def read(self, key: ModelKey, first: int, length: int) -> bytes:
        """Some bytes of the finished object. Raises UploadGone when it is not there."""

    def delete(self, key: ModelKey) -> None:
        """Remove the object; one that is gone is fine."""
