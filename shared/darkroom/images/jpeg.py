"""JPEG files: size, EXIF and XMP, and the file without them (ITU-T T.81, annex B; Exif 2.3; XMP part 3)."""

import re
from collections.abc import Iterator

from darkroom.images.source import MAX_PARTS, Facts, InMemory, NotAnImage, Source

_MARKER = re.compile(rb"\xff[\x01-\xfe]")
"""A marker; any number of other bytes may stand before it, and a stuffed zero makes it none."""
_LOOK = 4096
"""Bytes that are searched at a time for the next marker where it does not follow at once."""
_SCAN, _END, _APP1 = 0xDA, 0xD9, 0xE1
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""The markers of a frame: all begin with its size."""
_ALONE = frozenset(range(0xD0, 0xD9)) | {0x01}
"""Markers with nothing behind them."""
_EXIF = b"Exif\0\0"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_COLOURS = {0xE0: (b"JFIF\0", 14), 0xEE: (b"Adobe", 12)}
"""The application segments that decide about colours: how each begins, and how long it is at least."""


def look(source: Source) -> Facts:
    """Size, EXIF and XMP of a JPEG; raises NotAnImage when its pixels are not reached, or its size is told twice."""
    sizes: list[tuple[int, int]] = []
    exif: list[bytes] = []
    xmp = None
    for marker, at, length in _segments(source):
        if marker == _SCAN:
            break
        if marker in _FRAMES:
            frame = source.read(at, min(length, 5))
            sizes.append((int.from_bytes(frame[3:5], "big"), int.from_bytes(frame[1:3], "big")))
        elif marker == _APP1:
            content = source.read(at, length)
            if content.startswith(_EXIF):
                # A block that is too long for one segment goes on in the next.
                exif.append(content.removeprefix(_EXIF))
            elif content.startswith(_XMP):
                xmp = content.removeprefix(_XMP)
    else:
        raise NotAnImage("its JPEG header is broken or cut off")
    if len(sizes) > 1:
        # Readers do not agree on which of them counts: the one looked at here may not be the one that is painted.
        raise NotAnImage("its JPEG header tells its size twice")
    width, height = sizes[0] if sizes else (0, 0)
    return Facts(width, height, b"".join(exif) or None, xmp)


def bare(data: bytes) -> bytes:
    """The same JPEG with nothing before its pixels but what they are decoded by."""
    parts = [data[:2]]
    for marker, at, length in _segments(InMemory(data)):
        if marker == _SCAN:
            parts.append(data[at - 4 :])
            break
        if 0xC0 <= marker <= 0xDF or _tells_colours(marker, data[at : at + length]):
            parts.append(bytes((0xFF, marker)) + data[at - 2 : at + length])
    return b"".join(parts)


def _tells_colours(marker: int, content: bytes) -> bool:
    start, least = _COLOURS.get(marker, (b"", 0))
    return bool(start) and content.startswith(start) and len(content) >= least


def _segments(source: Source) -> Iterator[tuple[int, int, int]]:
    """Marker, offset and length of each segment's content, up to the first scan; it stops early where the file is
    broken or cut off."""
    at = 2
    for _ in range(MAX_PARTS):
        block = source.read(at, 2)
        if not _MARKER.match(block):
            block = source.read(at, _LOOK)
        found = _MARKER.search(block)
        if found is None:
            if len(block) < _LOOK:
                return
            # Its last byte may be the first of a marker.
            at += len(block) - 1
            continue
        marker = block[found.start() + 1]
        at += found.end()
        if marker in _ALONE:
            continue
        length = int.from_bytes(source.read(at, 2), "big")
        if marker == _END or length < 2 or at + length > source.total:
            return
        yield marker, at + 2, length - 2
        if marker == _SCAN:
            return
        at += length
