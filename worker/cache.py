"""The folder of copies of model files: whole files only, the least recently used goes first, none that is in use.

Several workers may share the folder. Who uses a copy holds a shared lock on it (flock(2), which ends with the process
at the latest); who removes one needs it alone. A copy is written to a part file of its own, which has its full size
from the beginning, so that the disk cannot become full in the middle, and gets its name in one move.

The time of the last use is the access time, which is set by hand: many disks are mounted without it.
"""

import contextlib
import fcntl
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from worker.checksums import COPY, SUFFIX, Checksums
from worker.errors import JobError

log = logging.getLogger(__name__)

GIB = 1024**3
MOST_KEPT_FREE = 10 * GIB
PART = ".part"
WRITING = ".writing"
NOTES = (SUFFIX, ".digest", ".content")
"""What is kept beside a copy: its checksums, and the two digests that `model_files` computes."""


def kept_free(folder: Path) -> int:
    """Bytes of the disk of `folder` that stay free: `DARKROOM_MODEL_CACHE_KEEP_FREE_GB`, by default a tenth of the
    disk, 10 GiB at the most."""
    told = os.environ.get("DARKROOM_MODEL_CACHE_KEEP_FREE_GB")
    if told is not None:
        return int(float(told) * GIB)
    return min(shutil.disk_usage(folder).total // 10, MOST_KEPT_FREE)


@dataclass(frozen=True)
class Copy:
    """A whole copy in use: it is not removed before it is closed. `file` is open for reading."""

    path: Path
    file: BinaryIO
    checksums: Checksums

    def close(self) -> None:
        """Ends the use."""
        self.file.close()


@dataclass(frozen=True)
class Part:
    """A file that is being fetched: `file` is open, and has its full size. `since` is when that began, in nanoseconds;
    the whole copy has it as the time of its last change."""

    path: Path
    file: BinaryIO
    since: int


class Cache:
    """The copies in one folder. `keep_free` bytes of its disk stay free (see `kept_free`), and `free` answers how many
    are."""

    def __init__(self, folder: Path, keep_free: int | None = None, free: Callable[[Path], int] | None = None) -> None:
        self.folder = folder
        self._keep_free = keep_free
        self._free = free or (lambda at: shutil.disk_usage(at).free)
        self._tidied = False

    def find(self, name: str) -> Copy | None:
        """The copy with that file name, in use from now on; None when there is none, or one without checksums."""
        path = self.folder / name
        while True:
            try:
                file = path.open("rb")
            except FileNotFoundError:
                return None
            fcntl.flock(file, fcntl.LOCK_SH)
            about = os.fstat(file.fileno())
            if not _is_at(file, path):
                # It was removed between the two calls; there may be another one by now.
                file.close()
                continue
            if (sums := Checksums.read(path, about.st_size)) is None:
                file.close()
                return None
            os.utime(path, ns=(time.time_ns(), about.st_mtime_ns))
            return Copy(path, file, sums)

    def begin(self, size: int, called: str) -> Part:
        """A part file of `size` bytes, for a file that people know as `called`. Copies that nobody uses go for it.

        Raises JobError `disk_full` when it does not fit all the same.
        """
        self._tidy()
        self._make_room(size, called)
        part = self._new_part()
        try:
            _reserve(part.file, size)
        except OSError as error:
            self.abandon(part)
            raise self._full(size, called) from error
        return part

    def commit(self, part: Part, name: str, sums: Checksums) -> None:
        """Give a part, which is whole now, its name. Whoever has the part open has the copy open then."""
        path = self.folder / name
        keep(path.with_suffix(SUFFIX), sums.to_bytes())
        os.utime(part.file.fileno(), ns=(time.time_ns(), part.since))
        os.replace(part.path, path)

    def abandon(self, part: Part) -> None:
        """Remove a part that will not become whole."""
        part.path.unlink(missing_ok=True)
        part.file.close()

    def drop(self, path: Path) -> None:
        """Remove a copy that is damaged, though somebody may be using it."""
        _remove(path)

    def _new_part(self) -> Part:
        while True:
            file = cast("BinaryIO", tempfile.NamedTemporaryFile("w+b", dir=self.folder, suffix=PART, delete=False))  # noqa: SIM115
            fcntl.flock(file, fcntl.LOCK_SH)
            if _is_at(file, Path(file.name)):
                return Part(Path(file.name), file, time.time_ns())
            # Another process that began just now took it for one that nobody needs.
            file.close()

    def _copies(self) -> list[tuple[Path, int]]:
        """All whole copies with their sizes, the one that was used least recently first."""
        found = []
        for path in self.folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if COPY.fullmatch(path.name) and path.suffix not in NOTES:
                    about = path.stat()
                    found.append((about.st_atime_ns, path, about.st_size))
        return [(path, size) for _, path, size in sorted(found)]

    def _make_room(self, size: int, called: str) -> None:
        copies = self._copies()
        if self._room() + sum(each for _, each in copies) < size:
            # Not even if all of them went.
            raise self._full(size, called)
        for path, _ in copies:
            if self._room() >= size:
                return
            with _alone(path) as alone:
                if alone:
                    log.info("removed %s from the cache of model files", path.name)
                    _remove(path)
        if self._room() < size:
            raise self._full(size, called)

    def _room(self) -> int:
        keep_free = kept_free(self.folder) if self._keep_free is None else self._keep_free
        return self._free(self.folder) - keep_free

    def _full(self, size: int, called: str) -> JobError:
        room = max(0, self._room() + sum(each for path, each in self._copies() if _is_unused(path)))
        why = f"The file '{called}' needs {_amount(size)}, and this instance's disk has {_amount(room)} for it"
        message = f"{why}, beside the files that jobs are using. Use an instance type with a larger disk."
        return JobError("disk_full", message)

    def _tidy(self) -> None:
        """Removes what processes left that ended in the middle of a file: nobody holds a lock on it any more."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._tidied:
            return
        self._tidied = True
        for path in self.folder.glob(f"*{PART}"):
            with _alone(path) as alone:
                if alone:
                    path.unlink(missing_ok=True)


def keep(note: Path, content: bytes) -> None:
    """Writes a small file in one move: two workers may share the folder."""
    note.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=note.parent, suffix=WRITING, delete=False) as part:
        part.write(content)
        part.flush()
        os.replace(part.name, note)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[bool]:
    """Whether nobody uses the file; nobody begins to while the block lasts."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        yield False
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield _is_at(file, path)


def _is_unused(path: Path) -> bool:
    with _alone(path) as alone:
        return alone


def _is_at(file: BinaryIO, path: Path) -> bool:
    """Whether the open file is the one that has this path now."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    for suffix in NOTES:
        path.with_suffix(suffix).unlink(missing_ok=True)


def _amount(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def _reserve(file: BinaryIO, size: int) -> None:
    """Gives a file its size on the disk. Raises OSError when the disk does not have it."""
    if size and hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
    else:
        file.truncate(size)
