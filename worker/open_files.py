"""Model files that are open for reading, perhaps while they are still on their way."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from worker.checksums import BLOCK, COPY, Checksums
from worker.errors import DamagedCopy

AT_ONCE = 16 * BLOCK
Look = Callable[[], None]


def _at_once(*_: object) -> None:
    """Waits for nothing: all is there."""


@dataclass
class OpenFile:
    """A model file of `size` bytes that stays on this machine until it is closed.

    `path` is where it is once all of it is there. `identity` is the same for the same file, whenever it is opened.
    `checksums` is None for a file that is no copy. `wait(begin, end, look)` returns when these bytes are there,
    `wait_whole(look)` when all are; both call `look` meanwhile, and what it raises ends the waiting.
    """

    path: Path
    size: int
    identity: tuple[object, ...]
    checksums: Checksums | None = None
    wait: Callable[[int, int, Look], None] = _at_once
    wait_whole: Callable[[Look], None] = _at_once
    there: Callable[[], int] | None = None
    descriptor: int = -1
    at_close: list[Callable[[], None]] = field(default_factory=list)

    @classmethod
    def of(cls, path: Path) -> "OpenFile":
        """A file of this machine; of a copy with its checksums. Raises FileNotFoundError."""
        descriptor = os.open(path, os.O_RDONLY)
        about = os.fstat(descriptor)
        identity = (path, about.st_size, about.st_mtime_ns)
        sums = Checksums.read(path, about.st_size) if COPY.fullmatch(path.name) else None
        return cls(path, about.st_size, identity, sums, descriptor=descriptor)

    @property
    def bytes_there(self) -> int:
        """How many of its bytes are there."""
        return self.there() if self.there else self.size

    def read_into(self, room: memoryview, begin: int, name: str) -> None:
        """Fill `room` with the bytes from `begin` on, which must be there, and compare them with the checksums: a range
        begins at a block of checksums and ends at one, or at the file's end. `name` is what people call the file.

        Raises DamagedCopy, and EOFError when the file has become shorter.
        """
        filled = 0
        while filled < len(room):
            read = os.preadv(self.descriptor, [room[filled:]], begin + filled)
            if not read:
                raise EOFError(f"{name} ends at byte {begin + filled}")
            filled += read
        if self.checksums is not None and not self.checksums.fit(begin, room):
            raise DamagedCopy(self.path, name)

    def expect(self, begin: int, end: int) -> None:
        """Tells the system that these bytes are read next, so that a disk gets large orders (posix_fadvise(2))."""
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self.descriptor, begin, end - begin, os.POSIX_FADV_WILLNEED)

    def verify(self, name: str) -> None:
        """Compare all of a copy with its checksums, in a few threads. Raises DamagedCopy."""
        if self.checksums is None:
            return
        rooms = threading.local()

        def check(begin: int) -> None:
            if not hasattr(rooms, "own"):
                rooms.own = memoryview(bytearray(AT_ONCE))
            self.read_into(rooms.own[: min(AT_ONCE, self.size - begin)], begin, name)

        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as threads:
            for checked in [threads.submit(check, begin) for begin in range(0, self.size, AT_ONCE)]:
                checked.result()

    def read(self, begin: int, end: int, name: str) -> bytes:
        """The bytes from `begin` to before `end`, see `read_into`."""
        first, last = blocks_around(begin, end, self.size)
        room = bytearray(last - first)
        self.read_into(memoryview(room), first, name)
        return bytes(room[begin - first : end - first])

    def close(self) -> None:
        """It need not stay any more. Closing twice does no harm."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
        while self.at_close:
            self.at_close.pop()()

    def __enter__(self) -> "OpenFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


def blocks_around(begin: int, end: int, size: int) -> tuple[int, int]:
    """The smallest range of whole blocks around a range of a file of `size` bytes."""
    return begin // BLOCK * BLOCK, min(-(-end // BLOCK) * BLOCK, size)
