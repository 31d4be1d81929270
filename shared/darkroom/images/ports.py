"""What the images feature needs from the outside."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Stored:
    """A stored picture: its size in bytes and its age in seconds."""

    bytes: int
    age: float


@dataclass(frozen=True)
class Part:
    """Some bytes of a stored picture, how many it has in all, and its age in seconds."""

    content: bytes
    total: int
    age: float


@dataclass(frozen=True)
class Upload:
    """A presigned POST: send `fields` and then the file as multipart/form-data to `url` within `expires_in` seconds."""

    url: str
    fields: dict[str, str]
    expires_in: int


@dataclass(frozen=True)
class Use:
    """A job that names a picture, and when its row expires (epoch seconds)."""

    job_id: str
    expires_at: int


@dataclass(frozen=True)
class Due:
    """A picture that is to be looked at, as it was seen: whether a job still names it. Times are ISO 8601;
    `removing` is when its removal began."""

    owner: str
    image_id: str
    look_at: str
    removing: str | None = None


class PictureUses(Protocol):
    """Which jobs name which pictures, and when somebody looks whether any does. Uses are written with their jobs."""

    def look_later(self, owner: str, image_ids: Collection[str], at: str) -> None:
        """Have the pictures looked at, at a moment."""

    def keep(self, owner: str, image_ids: Collection[str], until: str) -> set[str]:
        """Put off every look at the pictures; returns those that are being removed this moment."""

    def due(self, now: str, limit: int) -> list[Due]:
        """Pictures whose time has come, oldest first."""

    def uses(self, due: Due) -> Iterator[list[Use]]:
        """The jobs that name a picture, newest first, page by page; some may have gone."""

    def drop(self, due: Due, job_ids: list[str]) -> None:
        """Forget uses by jobs that have gone."""

    def claim(self, due: Due, now: str) -> bool:
        """Begin to remove a picture; False when the look was put off, or claimed, since it was seen."""

    def postpone(self, due: Due, until: str) -> bool:
        """Look again later; False when the look was changed since it was seen."""

    def forget(self, due: Due) -> None:
        """Look no more at a picture that has gone, unless the look was changed since it was seen."""


class ImageStore(Protocol):
    """The pictures of all owners."""

    def find(self, owner: str, image_id: str) -> Stored | None:
        """Size and age of a picture, None when it is not stored."""

    def read(self, owner: str, image_id: str, offset: int, length: int) -> Part | None:
        """At most `length` bytes of a picture, from `offset` on; None when it is not stored."""

    def put(self, owner: str, image_id: str, content: bytes, content_type: str) -> None:
        """Store a picture; its SHA-256 is checked by S3."""

    def upload(self, owner: str, image_id: str, size: int, content_type: str) -> Upload:
        """A presigned POST that accepts exactly this picture: its id is its SHA-256, `size` its bytes."""

    def copy(self, image_id: str, owner: str, to: str) -> bool:
        """Copy a picture of `owner` for the owner `to`; False when it is not stored."""

    def renew(self, owner: str, image_id: str, content_type: str) -> bool:
        """Set a picture's age to 0, so that S3 deletes it later; False when it is not stored."""

    def delete(self, owner: str, image_id: str) -> None:
        """Remove it."""

    def uri(self, owner: str, image_id: str) -> str:
        """A picture's S3 URI, for a worker."""

    def url(self, owner: str, image_id: str) -> str:
        """A presigned GET of a picture, valid for 15 minutes."""
