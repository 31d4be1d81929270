"""What `/checkpoints` takes and answers."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from darkroom.checkpoints.model import MAX_BYTES, Checkpoint, Kind, ModelStatus
from darkroom.checkpoints.purposes import Purpose
from darkroom.webui.spelling import composed

# A pattern stands before `composed` in each of these: behind a function pydantic leaves it out of the document.
# Composing makes none of the characters that the patterns refuse, but it changes the length.
FileName = Annotated[
    str,
    StringConstraints(min_length=1, pattern=r"^[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*$"),
    AfterValidator(composed),
    Field(max_length=200, description="a model file's name as the WebUI shows it, with its extension"),
]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="SHA-256 in hex")]
MAX_PARTS_A_CALL = 100


class ModelIn(BaseModel):
    """A model file by its kind and name."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    name: FileName


_PATH = r"[^/\\\x00-\x1f\x7f]+(/[^/\\\x00-\x1f\x7f]+)*"
Folder = Annotated[
    str,
    StringConstraints(pattern=rf"^({_PATH})?$"),
    AfterValidator(composed),
    Field(
        max_length=200,
        description="where the file lies in the WebUI below the folder of its kind, with slashes; empty right in it",
    ),
]
Alias = Annotated[str, StringConstraints(pattern=rf"^{_PATH}$"), AfterValidator(composed), Field(max_length=400)]
"""Another name of a file, also with a folder before it."""


class CheckpointIn(ModelIn):
    """A model file about to be uploaded: how many bytes, the SHA-256 of all of them if it is known, the folder that
    the WebUI shows before its name, and other names that it is called by: its file name there if it is another one.
    `purpose` is what an engine needs it for, of an `engine-file` alone."""

    size: Annotated[int, Field(strict=True, ge=16, le=MAX_BYTES)]
    sha256: Sha256 | None = None
    folder: Folder | None = None
    aliases: Annotated[list[Alias], Field(max_length=20)] = []
    purpose: Purpose | None = None


class RenameIn(ModelIn):
    """A model file and its new name."""

    to: FileName


class ImportIn(BaseModel):
    """A model file to fetch: `url` is a direct `https://…` link or `s3://bucket/key`; `name` is its file name on
    the shelf, the one at the end of the URL when it is left out. `purpose` is what an engine needs it for, of an
    `engine-file` alone."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    url: Annotated[str, Field(max_length=2000, pattern=r"^(https://|s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/)[^\s]+$")]
    name: FileName | None = None
    purpose: Purpose | None = None


class PartIn(BaseModel):
    """A part about to be sent: its number from 1 and the SHA-256 of its bytes."""

    model_config = ConfigDict(extra="forbid")

    number: Annotated[int, Field(strict=True, ge=1, le=10_000)]
    sha256: Sha256


class PartsIn(ModelIn):
    """The parts to get URLs for. With an empty list the answer only says which parts are stored."""

    parts: Annotated[list[PartIn], Field(max_length=MAX_PARTS_A_CALL)] = []


class CheckpointOut(BaseModel):
    """A model file. `size` is in bytes, `created_at` ISO 8601 in UTC. `pickle` marks formats that can run code when
    they are loaded. `base_model` and `trigger_words` are read from the file. `folder` is where it lies in the WebUI,
    and `aliases` are other names that it is called by. `reason` says why it failed, or why an import waits. `done` is
    how many bytes of an import are stored so far. `purpose` is what an engine needs the file for, None for every kind
    but `engine-file`."""

    kind: Kind
    name: str
    status: ModelStatus
    size: int | None
    sha256: str | None
    owner: str | None
    created_at: str | None
    pickle: bool
    base_model: str | None
    trigger_words: list[str]
    reason: str | None
    done: int | None = None
    folder: str | None = None
    aliases: list[str] = []
    purpose: Purpose | None = None

    @classmethod
    def of(cls, row: Checkpoint) -> "CheckpointOut":
        """The answer for a row of the models table."""
        return cls(
            kind=row.key.kind,
            name=row.key.name,
            status=row.status,
            size=row.size,
            sha256=row.sha256,
            owner=row.owner,
            created_at=row.created_at,
            pickle=row.key.is_pickle,
            base_model=row.base_model,
            trigger_words=list(row.trigger_words),
            reason=row.reason,
            done=(row.done or 0) if row.status == "importing" else None,
            folder=row.folder,
            aliases=list(row.aliases),
            purpose=row.purpose,
        )


class CheckpointList(BaseModel):
    """Model files by kind, then by name. Send `next` as `after` to go on; it is null only at the end."""

    checkpoints: list[CheckpointOut]
    next: str | None


class UploadOut(BaseModel):
    """How to send the bytes: `parts` parts of `part_size` bytes, the last one shorter."""

    part_size: int
    parts: int


class RegisteredOut(BaseModel):
    """The row, and how to send its bytes."""

    checkpoint: CheckpointOut
    upload: UploadOut


class PartUrlOut(BaseModel):
    """PUT the part's bytes to `url` with these `headers`; S3 refuses bytes of another SHA-256."""

    number: int
    url: str
    headers: dict[str, str]


class StoredPartOut(BaseModel):
    """A part that is stored already."""

    number: int
    size: int
    sha256: str | None


class PartsOut(BaseModel):
    """URLs for the requested parts, valid for `expires_in` seconds, and all parts that are stored already."""

    urls: list[PartUrlOut]
    expires_in: int
    stored: list[StoredPartOut]
