"""What the images feature needs from the outside."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Stored:
    """A stored picture: all its bytes and their age in seconds."""

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
        """Whether the picture is there."""

    def read(self, owner: str, image_id: str, offset: int, length: int) -> Part | None:
        """At most `length` of its bytes, from `offset` on; None when it is not there."""

    def put(self, owner: str, image_id: str, content: bytes, content_type: str) -> None:
        """Store a picture; its SHA-256 is checked by S3."""

    def upload(self, owner: str, image_id: str, size: int, content_type: str) -> Upload:
        """A presigned POST that takes exactly this picture and nothing else."""

    def copy(self, image_id: str, owner: str, to: str) -> bool:
        """Give another owner the same picture; False when it is not there."""

    def renew(self, owner: str, image_id: str, content_type: str) -> bool:
        """Start its life anew, so that S3 forgets it later; False when it is not there."""

    def uri(self, owner: str, image_id: str) -> str:
        """Its S3 URI, for a worker."""

    def url(self, owner: str, image_id: str) -> str:
        """A presigned GET, valid for 15 minutes."""
