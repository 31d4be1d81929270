"""Model files on this machine: fetched from S3 when a job needs them, and kept.

`DARKROOM_MODEL_CACHE` is the folder of the copies, `DARKROOM_MODELS` one with model files that are there already: a
WebUI's `models` folder.
"""

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable
from concurrent.futures import TimeoutError as NotYet
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from darkroom.jobs.contract import ModelFile
from worker.cache import NOTES, Cache, keep
from worker.checksums import COPY, PIECE
from worker.copies import Copies
from worker.downloads import not_fetched
from worker.errors import JobError
from worker.open_files import Look, OpenFile
from worker.store import Location, Store
from worker.watch import LOOK_SECONDS

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


class ModelFiles:
    """The files of jobs on this machine."""

    def __init__(self, store: Store, cache: Path | Cache | None = None, local: Path | None = None) -> None:
        """`cache` are the copies, or their folder; `local` is a folder with files that are there already. What is not
        given, the environment says."""
        self._store = store
        self._local = local or local_folder()
        self._known: dict[str, Path] = {}
        self.cache = cache if isinstance(cache, Cache) else Cache(cache or cache_folder())
        self._copies = Copies(store, self.cache)

    def open(self, file: ModelFile, look: Look) -> OpenFile:
        """A file, which may still be on its way, and stays on this machine until it is closed.

        A copy of the version that the job names (by its ETag) is taken as it is. Otherwise S3 is asked what there is
        now, and that counts: the job named the file, and it was replaced since. Raises JobError `model_missing`,
        `model_unreadable` when it cannot be fetched, and `disk_full`; so does waiting for it.
        """
        if (there := self._in_folder(file.name)) is not None:
            return OpenFile.of(there)
        if file.s3 is None:
            raise JobError("model_missing", f"The file {file.name} has no place in S3.")
        if file.etag and (copy := self._copies.find(copy_name(file, file.etag), file.name)):
            return copy
        look()
        at = Location.parse(file.s3)
        try:
            version = self._store.version(at)
            return self._copies.get(copy_name(file, version.etag), file.name, at, version)
        except (BotoCoreError, ClientError, OSError) as error:
            raise not_fetched(file.name, error) from error

    def whole(self, file: ModelFile, look: Look) -> OpenFile:
        """The same once all of it is there; `look` is called meanwhile, and what it raises ends the waiting."""
        opened = self.open(file, look)
        try:
            opened.wait_whole(look)
        except BaseException:
            opened.close()
            raise
        return opened

    def path(self, file: ModelFile, look: Look) -> Path:
        """The path of a file, all of which is there. Somebody must have it open, or it may be removed any time."""
        with self.whole(file, look) as opened:
            return opened.path

    def is_copy(self, path: Path) -> bool:
        """Whether the file is a copy of one in S3, and none of the local folder."""
        return path.parent == self.cache.folder and COPY.fullmatch(path.name) is not None

    def digest(self, path: Path, look: Look = lambda: None) -> str:
        """The SHA-256 of a file in hex. It is computed once and kept beside the file, in the cache; `look` is called
        meanwhile."""
        if computed := self._copies.hashing(path):
            while True:
                try:
                    return computed.result(LOOK_SECONDS)
                except NotYet:
                    look()
                except (JobError, OSError):
                    break
        return self._noted(path, "digest", lambda: sha256_of(path, 0, look))

    def digest_behind_header(self, path: Path, look: Look = lambda: None) -> str:
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
        keep(note, found.encode())
        return found

    def _note(self, path: Path, kind: str) -> Path:
        if self.is_copy(path):
            return path.with_suffix(f".{kind}")
        about = path.stat()
        key = hashlib.sha256(f"{path} {about.st_size} {about.st_mtime_ns}".encode()).hexdigest()
        return self.cache.folder / f"{key}.{kind}"

    def _in_folder(self, name: str) -> Path | None:
        """The file of that name below the local folder. It is looked through again for a name that is not known, as
        files come while the worker runs."""
        if self._local is None:
            return None
        if name not in self._known or not self._known[name].is_file():
            self._known = _files_below(self._local)
        return self._known.get(name)


def copy_name(file: ModelFile, etag: str) -> str:
    """The file name of the copy of that version of a file."""
    suffix = Path(file.name).suffix
    return hashlib.sha256(json.dumps([file.s3, etag]).encode()).hexdigest() + ("" if suffix in NOTES else suffix)


def sha256_of(path: Path, begin: int, look: Look) -> str:
    """The SHA-256 of a file from the byte `begin` on, in hex; `look` is called between its pieces."""
    digest = hashlib.sha256()
    with OpenFile.of(path) as file:
        for first in range(0, file.size, PIECE):
            look()
            piece = file.read(first, min(first + PIECE, file.size), path.name)
            digest.update(piece[max(0, begin - first) :])
    return digest.hexdigest()


def _files_below(root: Path) -> dict[str, Path]:
    """Every file below a folder, by its name; of two with one name the one that comes first."""
    found: dict[str, Path] = {}
    for folder, folders, names in os.walk(root, followlinks=True):
        folders[:] = sorted(each for each in folders if each not in FOLDERS_LEFT_OUT)
        for name in names:
            found.setdefault(name, Path(folder, name))
    return found
