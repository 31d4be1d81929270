"""Checksums of the blocks of a model file, so that a copy that was damaged on disk is noticed while it is read.

They are computed while a file is fetched, and kept beside the copy. A CRC-32 finds every change of up to 32 bits in a
row, and any other with a chance of all but one in four thousand million; it costs a third of a second for a gigabyte.
"""

import re
import sys
import zlib
from array import array
from pathlib import Path

BLOCK = 256 * 1024
"""Bytes of a file that one checksum is made of; the last block of a file may be shorter."""
PIECE = 32 * BLOCK
"""Bytes that are asked for, or read, at once: 8 MiB."""
SUFFIX = ".sums"
COPY = re.compile(r"[0-9a-f]{64}(\.[^.]+)?")
"""The names of copies in the cache: whatever else lies in that folder is somebody else's."""


def blocks_of(size: int) -> int:
    """How many blocks a file of that many bytes has."""
    return -(-size // BLOCK)


class Checksums:
    """The checksums of one file of `size` bytes, which may come one after the other, in any order."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._sums = array("I", bytes(4 * blocks_of(size)))

    @classmethod
    def read(cls, beside: Path, size: int) -> "Checksums | None":
        """Those that were kept for the file at `beside`; None when there are none for a file of that size."""
        found = cls(size)
        try:
            content = beside.with_suffix(SUFFIX).read_bytes()
        except FileNotFoundError:
            return None
        if len(content) != 4 * blocks_of(size):
            return None
        found._sums = _swapped(array("I", content))
        return found

    def to_bytes(self) -> bytes:
        """As they are kept: four bytes a block, the lowest first."""
        return _swapped(array("I", self._sums)).tobytes()

    def put(self, begin: int, content: memoryview) -> None:
        """Keep those of `content`, which stands in the file from byte `begin` on; it begins at a block."""
        for number, block in _blocks(begin, content):
            self._sums[number] = zlib.crc32(block)

    def fit(self, begin: int, content: memoryview) -> bool:
        """Whether `content` is what stands in the file from byte `begin` on. It begins at a block and ends at one, or
        at the end of the file."""
        return all(self._sums[number] == zlib.crc32(block) for number, block in _blocks(begin, content))


def _blocks(begin: int, content: memoryview) -> list[tuple[int, memoryview]]:
    first = begin // BLOCK
    return [(first + at // BLOCK, content[at : at + BLOCK]) for at in range(0, len(content), BLOCK)]


def _swapped(sums: "array[int]") -> "array[int]":
    if sys.byteorder == "big":
        sums.byteswap()
    return sums
