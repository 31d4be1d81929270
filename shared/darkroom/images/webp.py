"""WebP files: size, EXIF and XMP, and the file without them (RFC 9649)."""

from collections.abc import Iterator

from darkroom.images.source import MAX_METADATA, MAX_PARTS, Facts, InMemory, NotAnImage, Source

_EXTENDED = b"VP8X"
_KINDS = {b"EXIF": 0x08, b"XMP ": 0x04}
"""The chunks that may tell an orientation, and the flag by which the extended header announces each."""
_PIXELS = frozenset({b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF"})
_PIXEL_FLAGS = 0x12
"""Alpha and animation: all that is left of the flags when nothing but pixels is left of the file."""


def look(source: Source) -> Facts:
    """Size, EXIF and XMP of a WebP; raises NotAnImage when its first chunk tells no size."""
    first = source.read(12, 18)
    kind, content = first[:4], first[8:]
    if kind not in (_EXTENDED, b"VP8 ", b"VP8L"):
        raise NotAnImage("its WebP header is broken or cut off")
    told: dict[bytes, bytes] = {}
    if kind == _EXTENDED:
        wanted = {name for name, flag in _KINDS.items() if content[:1] and content[0] & flag}
        for name, at, length in _chunks(source):
            if wanted <= told.keys():
                break
            if name in wanted and name not in told:
                told[name] = source.read(at, length) if length <= MAX_METADATA else b""
    return Facts(*_size(kind, content), told.get(b"EXIF"), told.get(b"XMP "))


def bare(data: bytes) -> bytes:
    """The same WebP with nothing in it but its pixels."""
    parts = []
    for kind, at, length in _chunks(InMemory(data)):
        if kind == _EXTENDED and length >= 10:
            content = bytes((data[at] & _PIXEL_FLAGS,)) + data[at + 1 : at + length]
        elif kind in _PIXELS:
            content = data[at : at + length]
        else:
            continue
        # Chunks begin at even offsets.
        parts.append(kind + length.to_bytes(4, "little") + content + b"\0" * (length % 2))
    body = b"WEBP" + b"".join(parts)
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def _chunks(source: Source) -> Iterator[tuple[bytes, int, int]]:
    """Kind, offset and length of the content of each chunk that is there whole."""
    end = min(source.total, 8 + int.from_bytes(source.read(4, 4), "little"))
    at = 12
    for _ in range(MAX_PARTS):
        head = source.read(at, 8)
        length = int.from_bytes(head[4:], "little")
        if len(head) < 8 or at + 8 + length > end:
            return
        yield head[:4], at + 8, length
        at += 8 + length + length % 2


def _size(kind: bytes, content: bytes) -> tuple[int, int]:
    """Width and height in the first ten bytes of the first chunk's content; zeros when it is broken."""
    if kind == _EXTENDED and len(content) == 10:
        return int.from_bytes(content[4:7], "little") + 1, int.from_bytes(content[7:10], "little") + 1
    if kind == b"VP8 " and content[3:6] == b"\x9d\x01\x2a" and len(content) == 10:
        sides = int.from_bytes(content[6:8], "little"), int.from_bytes(content[8:10], "little")
        return sides[0] & 0x3FFF, sides[1] & 0x3FFF
    if kind == b"VP8L" and content[:1] == b"\x2f":
        bits = int.from_bytes(content[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return 0, 0
