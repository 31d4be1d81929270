"""Model files on this machine: fetched from S3 when a job needs them, and kept.

A copy is used as long as the object in S3 is the same, by its ETag. `DARKROOM_MODEL_CACHE` is the folder of the copies,
`DARKROOM_MODELS` one with model files that are there already: a WebUI's `models` folder.
"""

import hashlib
import json
import os
import re
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from darkroom.jobs.contract import ModelFile
from worker.errors import JobError
from worker.store import Location, Store

CHUNK = 4 * 1024 * 1024
HEADER_LENGTH = 8
"""Bytes at the beginning of a .safetensors file that say how long its header is."""
DIGEST = re.compile("[0-9a-f]{64}")
FOLDERS_LEFT_OUT = frozenset({".git", "__pycache__"})


def cache_folder() -> Path:
    """Where copies are kept: by default under the folder for temporary files, where SageMaker mounts its fast disk."""
    return Path(os.environ.get("DARKROOM_MODEL_CACHE") or Path(tempfile.gettempdir()) / "darkroom-models")


def local_folder() -> Path | None:
    """The folder with model files that are there already, if there is one."""
    told = os.environ.get("DARKROOM_MODELS")
    return Path(told) if told else None


@dataclass
class ModelFiles:
    """The files of jobs as paths of this machine."""

    store: Store
    cache: Path = field(default_factory=cache_folder)
    local: Path | None = field(default_factory=local_folder)
    _fetching: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _known: dict[str, Path] = field(default_factory=dict, repr=False)

    def path(self, file: ModelFile, look: Callable[[], None]) -> Path:
        """The path of a file, which is fetched if it is not there; `look` is called between its pieces, and what it
        raises ends the fetching.

        Raises JobError `model_unreadable` when the file cannot be fetched.
        """
        if (there := self._in_folder(file.name)) is not None:
            return there
        if file.s3 is None:
            raise JobError("model_missing", f"The file {file.name} has no place in S3.")
        at = Location.parse(file.s3)
        while not self._fetching.acquire(timeout=1):
            look()
        try:
            return self._fetched(file, at, look)
        except (BotoCoreError, ClientError, OSError) as error:
            # The kind of the error alone: its text may hold a signed address.
            why = f"The model file {file.name} could not be fetched ({type(error).__name__}). Submit the job again."
            raise JobError("model_unreadable", why) from error
        finally:
            self._fetching.release()

    def digest(self, path: Path, look: Callable[[], None] = lambda: None) -> str:
        """The SHA-256 of a file in hex. It is computed once and kept beside the file, in the cache; `look` is called
        between the file's pieces."""
        return self._noted(path, "digest", lambda: sha256_of(path, 0, look))

    def digest_behind_header(self, path: Path, look: Callable[[], None] = lambda: None) -> str:
        """The SHA-256 of what stands behind the header of a .safetensors file: what the WebUI calls a LoRA's hash, as
        it stays the same when somebody edits the file's metadata. See `digest`."""

        def compute() -> str:
            with path.open("rb") as content:
                length = int.from_bytes(content.read(HEADER_LENGTH), "little")
            return sha256_of(path, HEADER_LENGTH + length, look)

        return self._noted(path, "content", compute)

    def _noted(self, path: Path, kind: str, compute: Callable[[], str]) -> str:
        """What was noted about a file, computed if it was not; a file that changed has no note."""
        note = self._note(path, kind)
        if note.is_file() and DIGEST.fullmatch(found := note.read_text()):
            return found
        found = compute()
        _keep(note, found)
        return found

    def _note(self, path: Path, kind: str) -> Path:
        about = path.stat()
        key = hashlib.sha256(f"{path} {about.st_size} {about.st_mtime_ns}".encode()).hexdigest()
        return self.cache / f"{key}.{kind}"

    def _fetched(self, file: ModelFile, at: Location, look: Callable[[], None]) -> Path:
        etag = self.store.etag(at)
        suffix = Path(file.name).suffix
        name = hashlib.sha256(json.dumps([file.s3, etag]).encode()).hexdigest()
        path = self.cache / f"{name}{suffix}"
        if path.is_file():
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as part:
            try:
                for piece in self.store.pieces(at, etag, CHUNK):
                    look()
                    part.write(piece)
                    digest.update(piece)
                part.close()
                # In one move: a file of this name is always whole.
                os.replace(part.name, path)
            except BaseException:
                Path(part.name).unlink(missing_ok=True)
                raise
        # A large file is read once: its digest stands under every picture that it paints.
        _keep(self._note(path, "digest"), digest.hexdigest())
        return path

    def _in_folder(self, name: str) -> Path | None:
        """The file of that name below the local folder. It is looked through again for a name that is not known, as
        files come while the worker runs."""
        if self.local is None:
            return None
        if name not in self._known or not self._known[name].is_file():
            self._known = _files_below(self.local)
        return self._known.get(name)


def sha256_of(path: Path, begin: int, look: Callable[[], None]) -> str:
    """The SHA-256 of a file from the byte `begin` on, in hex; `look` is called between its pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as content:
        content.seek(begin)
        while piece := content.read(CHUNK):
            look()
            digest.update(piece)
    return digest.hexdigest()


def _keep(note: Path, text: str) -> None:
    """Writes a note in one move: two workers may share the folder."""
    note.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=note.parent, suffix=".part", delete=False) as part:
        part.write(text)
    os.replace(part.name, note)


def _files_below(root: Path) -> dict[str, Path]:
    """Every file below a folder, by its name; of two with one name the one that comes first."""
    found: dict[str, Path] = {}
    for folder, folders, names in os.walk(root, followlinks=True):
        folders[:] = sorted(each for each in folders if each not in FOLDERS_LEFT_OUT)
        for name in names:
            found.setdefault(name, Path(folder, name))
    return found
