"""The bytes of a picture, wherever they are: in memory, or in a store that is asked for parts of them."""

from dataclasses import dataclass
from typing import Protocol


class Source(Protocol):
    """Bytes that can be read from any offset."""

    @property
    def total(self) -> int:
        """How many bytes there are."""
        ...

    def read(self, offset: int, length: int) -> bytes:
        """At most `length` bytes from `offset` on; fewer, or none, only where the bytes end."""
        ...


@dataclass(frozen=True)
class InMemory:
    """A picture that is here whole."""

    content: bytes

    @property
    def total(self) -> int:
        """See Source."""
        return len(self.content)

    def read(self, offset: int, length: int) -> bytes:
        """See Source."""
        return self.content[offset : offset + length]


class NotAnImage(Exception):
    """The bytes are no picture Darkroom takes; the text says why (`it is …`, `its header …`)."""


@dataclass(frozen=True)
class Facts:
    """What a file says of its picture: the size of the stored pixels, its EXIF block and its XMP packet, if any."""

    width: int
    height: int
    exif: bytes | None = None
    xmp: bytes | None = None


MAX_PARTS = 10_000
"""Chunks or segments that are walked over before a picture's pixels. Real ones have a few hundred at most."""
MAX_METADATA = 1024 * 1024
"""Bytes of one text, EXIF block or XMP packet that are looked at, once unpacked. Longer ones tell nothing here."""
