"""Model files on the shelf: checkpoints, extra networks, and what an engine needs besides."""

import secrets
from dataclasses import dataclass
from math import ceil
from typing import Literal, get_args

from darkroom.checkpoints.purposes import ENGINE_FILE, Purpose

Kind = Literal[
    "stable-diffusion",
    "vae",
    "lora",
    "hypernetwork",
    "embedding",
    "controlnet",
    "upscaler",
    "text_encoder",
    "engine-file",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
JOB_KINDS: tuple[Kind, ...] = tuple(kind for kind in KINDS if kind != ENGINE_FILE)
"""Kinds of files that a job may name."""
TAGS: dict[str, Kind] = {"lora": "lora", "lyco": "lora", "hypernet": "hypernetwork"}
"""The word of a tag in a prompt, as in `<lora:name:0.8>`, and the kind of file that it names. A kind without a tag is
named in the request alone."""
ModelStatus = Literal["uploading", "importing", "active", "fail"]

MAX_BYTES = 50 * 1024**3
SAFE = (".safetensors",)
PICKLES = (".ckpt", ".pt", ".pth", ".bin")
"""Formats that can run code when they are loaded (Python's pickle module says so of itself)."""
TEXTS = (".txt",)
"""Lists of words, which only an engine takes."""
_MEGABYTE = 1024**2
_LEAST_PART = 8 * _MEGABYTE


@dataclass(frozen=True)
class ModelKey:
    """The identity of a model file: its kind and its file name as the WebUI shows it."""

    kind: Kind
    name: str

    @property
    def default_object(self) -> str:
        """The S3 key of its object when the row names none: a row from before rows named their objects."""
        return f"models/{self.kind}/{self.name}"

    @property
    def is_pickle(self) -> bool:
        """Whether its format can run code when it is loaded."""
        return self.name.lower().endswith(PICKLES)

    @property
    def is_text(self) -> bool:
        """Whether it is a list of words."""
        return self.kind == ENGINE_FILE and self.name.lower().endswith(TEXTS)


@dataclass(frozen=True)
class FileFacts:
    """What the shelf knows of the bytes of a file: how many, the ETag of its object, and their SHA-256 in hex as its
    uploader stated it. None for what it does not know."""

    size: int | None = None
    etag: str | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Checkpoint:
    """A row of the models table: one model file.

    `size` is in bytes, `created_at` ISO 8601 in UTC. `sha256` is that of the whole file, as its uploader stated it.
    `upload_id` is set while the file is uploaded or imported, `reason` when it failed or waits. Of an import, `source`
    is its URL, `done` the bytes stored so far, `attempts` how often in a row a step failed, `step` the number of the
    last step that was begun (0 before the first), `step_token` the token of the message that began it, and `stepped_at`
    the time of that, ISO 8601 in UTC (before the first step that of the request).
    `fingerprint` is that of the request that created the row, if it had an `Idempotency-Key`. `folder` is where the
    file lies in the WebUI below the folder of its kind, as its uploader stated it; `aliases` are other names that it is
    called by; `old_hash` is the WebUI's old hash of it (None in rows from before it was kept). `object` is the key of
    its object in the models bucket (None: `ModelKey.default_object`). `purpose` is what an engine needs the file for,
    None for every kind but `engine-file`. `etag` is S3's ETag of that object, without quotes (None in rows from before
    it was kept).
    """

    key: ModelKey
    status: ModelStatus
    size: int | None = None
    sha256: str | None = None
    owner: str | None = None
    created_at: str | None = None
    upload_id: str | None = None
    base_model: str | None = None
    trigger_words: tuple[str, ...] = ()
    reason: str | None = None
    source: str | None = None
    done: int | None = None
    attempts: int = 0
    step: int = 0
    step_token: str | None = None
    stepped_at: str | None = None
    fingerprint: str | None = None
    folder: str | None = None
    aliases: tuple[str, ...] = ()
    old_hash: str | None = None
    object: str | None = None
    purpose: Purpose | None = None
    etag: str | None = None

    @property
    def object_key(self) -> str:
        """The key of its object in the models bucket."""
        return self.object or self.key.default_object

    def created_by(self, fingerprint: str | None) -> bool:
        """Whether the request with this fingerprint created this row; never true without a fingerprint."""
        return fingerprint is not None and self.fingerprint == fingerprint


@dataclass(frozen=True)
class Part:
    """A stored part: its number from 1, its size in bytes, S3's ETag, and the SHA-256 that S3 checked, in base64."""

    number: int
    size: int
    etag: str
    sha256: str | None


def new_object(key: ModelKey) -> str:
    """The S3 key for the bytes of a new row. No other row has it, so a file that was renamed keeps its object when
    another one comes under its old name."""
    return f"models/{key.kind}/{secrets.token_hex(8)}/{key.name}"


def part_size(size: int) -> int:
    """Bytes of every part of a file but its last: whole megabytes, at least 8, about a thousand parts for large
    files (S3 takes 10,000 parts of 5 MB to 5 GB)."""
    return max(_LEAST_PART, ceil(size / 1000 / _MEGABYTE) * _MEGABYTE)


def part_count(size: int) -> int:
    """How many parts a file of that many bytes has."""
    return ceil(size / part_size(size))


def part_length(size: int, number: int) -> int:
    """Bytes of a part, by its number from 1, of a file of `size` bytes: the last one has what is left."""
    return min(part_size(size), size - (number - 1) * part_size(size))
