"""What the images feature needs from the outside."""

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

    def uri(self, owner: str, image_id: str) -> str:
        """A picture's S3 URI, for a worker."""

    def url(self, owner: str, image_id: str) -> str:
        """A presigned GET of a picture, valid for 15 minutes."""
