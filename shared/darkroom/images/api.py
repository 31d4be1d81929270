"""What `POST /images` takes and answers."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from darkroom.images.model import MAX_BYTES


class ImageIn(BaseModel):
    """A picture that is to be uploaded: the SHA-256 of its bytes in hex, their number, and the content type."""

    model_config = ConfigDict(extra="forbid")

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    bytes: Annotated[int, Field(strict=True, ge=1, le=MAX_BYTES)]
    content_type: Literal["image/png", "image/jpeg", "image/webp"]


class ImageUploadOut(BaseModel):
    """How to upload the bytes: a multipart/form-data POST to `url` with `fields` first and the file last, within
    `expires_in` seconds."""

    url: str
    fields: dict[str, str]
    expires_in: int


class ImageOut(BaseModel):
    """The picture's id, and how to upload it; `upload` is null when its bytes are stored already."""

    id: str
    upload: ImageUploadOut | None
