"""The model files of one job: where they are, which of them were used, and their hashes."""

import contextlib
from pathlib import Path
from typing import Any

from darkroom.jobs.contract import ModelFile, UsedFile, WorkRequest
from worker.errors import UNREADABLE, TryAgain
from worker.model_files import ModelFiles, copy_name
from worker.open_files import Look, OpenFile

CHECKPOINT = "stable-diffusion"
SAFE = ".safetensors"


class JobFiles(contextlib.AbstractContextManager["JobFiles"]):
    """The files of one job, which stay on this machine until the block ends. It remembers those that were asked for:
    they are what the result was made of."""

    def __init__(self, files: ModelFiles, request: WorkRequest) -> None:
        self._files = files
        self._kinds = dict(_by_kind(request))
        self._opened: dict[str, tuple[ModelFile, OpenFile]] = {}

    def __exit__(self, *_: object) -> None:
        for _file, opened in self._opened.values():
            opened.close()

    def path(self, file: ModelFile, look: Look) -> Path:
        """The path of a file, all of which is there. A file is looked for once a job, though its hash stands under
        every picture. Raises as `ModelFiles.whole`."""
        key = _key(file)
        if key not in self._opened:
            self._opened[key] = (file, self._files.whole(file, look))
        return self._opened[key][1].path

    def sha256(self, file: ModelFile, look: Look) -> str:
        """The SHA-256 of a file in hex. Raises JobError `model_unreadable` when it is not the one that the shelf knows:
        then the copy is removed."""
        path = self.path(file, look)
        found = self._files.digest(path, look)
        if file.sha256 and found != file.sha256.lower() and self._files.is_copy(path):
            self._files.cache.drop(path)
            message = f"The file '{file.name}' is not what was uploaded: its SHA-256 is another one. Upload it again."
            raise TryAgain(UNREADABLE, message)
        return found

    def content_sha256(self, file: ModelFile, look: Look) -> str:
        """The hash that the WebUI shows of a LoRA: of a .safetensors file what stands behind the header counts, of any
        other file all of it."""
        path = self.path(file, look)
        safe = Path(file.name).suffix.lower() == SAFE
        return self._files.digest_behind_header(path, look) if safe else self._files.digest(path, look)

    def used(self, look: Look = lambda: None) -> list[UsedFile]:
        """Every file that was asked for, with its hash, in the order of the requests."""
        return [
            UsedFile(
                kind=self._kinds.get(key, "file"),
                name=file.name[:300],
                sha256=self.sha256(file, look),
                # Another version may have come since the job was made.
                etag=file.etag if file.etag and opened.path.name == copy_name(file, file.etag) else None,
            )
            for key, (file, opened) in self._opened.items()
        ]


def _by_kind(request: WorkRequest) -> list[tuple[str, str]]:
    """The keys of the request's files with their kinds, or purposes."""
    return [(_key(file), kind) for kind, file in files_of(request)]


def files_of(request: WorkRequest) -> list[tuple[str, ModelFile]]:
    """Every file that the request names, with its kind or purpose; the checkpoint comes last."""
    checkpoint = [(CHECKPOINT, [request.checkpoint])] if request.checkpoint else []
    groups: list[tuple[str, Any]] = [*request.files.items(), *request.models.items(), *checkpoint]
    return [(kind, file) for kind, files in groups for file in files]


def _key(file: ModelFile) -> str:
    """What two entries of one file have in common."""
    return file.s3 or file.name
