"""Model files on the shelf: checkpoints and extra networks."""

from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["stable-diffusion", "vae", "lora", "hypernetwork", "embedding", "controlnet"]
KINDS: tuple[Kind, ...] = get_args(Kind)
ModelStatus = Literal["uploading", "active", "fail"]


@dataclass(frozen=True)
class ModelKey:
    """What names a model file: its kind and its file name as the WebUI shows it."""

    kind: Kind
    name: str

    @property
    def s3_key(self) -> str:
        """Where its bytes lie in the models bucket."""
        return f"models/{self.kind}/{self.name}"


@dataclass(frozen=True)
class Checkpoint:
    """A row of the shelf. `size` in bytes, `created_at` ISO 8601 in UTC."""

    key: ModelKey
    status: ModelStatus
    size: int | None = None
    sha256: str | None = None
    owner: str | None = None
    created_at: str | None = None
