"""The model files of one job: where they are, which of them were used, and their hashes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from darkroom.jobs.contract import ModelFile, UsedFile, WorkRequest
from worker.model_files import ModelFiles

CHECKPOINT = "stable-diffusion"
SAFE = ".safetensors"


class JobFiles:
    """The files of one job. It remembers those that were asked for: they are what the result was made of."""

    def __init__(self, files: ModelFiles, request: WorkRequest) -> None:
        self._files = files
        self._kinds = dict(_by_kind(request))
        self._paths: dict[str, tuple[ModelFile, Path]] = {}

    def path(self, file: ModelFile, look: Callable[[], None]) -> Path:
        """See `ModelFiles.path`. A file is looked for once a job, though its hash stands under every picture."""
        key = _key(file)
        if key not in self._paths:
            self._paths[key] = (file, self._files.path(file, look))
        return self._paths[key][1]

    def sha256(self, file: ModelFile, look: Callable[[], None]) -> str:
        """The SHA-256 of a file in hex."""
        return self._files.digest(self.path(file, look), look)

    def content_sha256(self, file: ModelFile, look: Callable[[], None]) -> str:
        """The hash that the WebUI shows of a LoRA: of a .safetensors file what stands behind the header counts, of any
        other file all of it."""
        path = self.path(file, look)
        safe = Path(file.name).suffix.lower() == SAFE
        return self._files.digest_behind_header(path, look) if safe else self._files.digest(path, look)

    def used(self, look: Callable[[], None] = lambda: None) -> list[UsedFile]:
        """Every file that was asked for, with its hash, in the order of the requests."""
        return [
            UsedFile(
                kind=self._kinds.get(key, "file"),
                name=file.name[:300],
                sha256=self._files.digest(path, look),
                etag=file.etag,
            )
            for key, (file, path) in self._paths.items()
        ]


def _by_kind(request: WorkRequest) -> list[tuple[str, str]]:
    """The keys of the request's files with their kinds, or purposes."""
    checkpoint = [(CHECKPOINT, [request.checkpoint])] if request.checkpoint else []
    groups: list[tuple[str, Any]] = [*request.files.items(), *request.models.items(), *checkpoint]
    return [(_key(file), kind) for kind, files in groups for file in files]


def _key(file: ModelFile) -> str:
    return file.s3 or file.name
