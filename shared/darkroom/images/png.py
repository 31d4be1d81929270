"""PNG files: size, EXIF and XMP, and the file without them (PNG 1.2 and its extensions).

A PNG may have its orientation in the chunk eXIf, and, by custom, in texts: `Raw profile type exif` (ImageMagick),
`exif`, and `XML:com.adobe.xmp`. All may come before the pixels or after them.
"""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from darkroom.images.source import MAX_METADATA, MAX_PARTS, Facts, InMemory, NotAnImage, Source

TAIL_BYTES = 256 * 1024
"""How many bytes at the end are searched for chunks after the pixels. A large file has thousands of chunks of pixels;
to walk over all of them, the whole file would have to be read."""

MAX_TEXTS = 8 * 1024 * 1024
"""Bytes of EXIF and XMP, packed and unpacked, that are looked at in one file: a small file can hold thousands of them,
each of which unpacks to a megabyte."""
MAX_CHECKED = 16 * TAIL_BYTES
"""Bytes that checksums are made of to find a chunk after the pixels."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHUNKS = re.compile(rb"IDAT|IEND|eXIf|[itz]TXt|tIME")
_XMP, _RAW_EXIF, _EXIF_TEXT = b"XML:com.adobe.xmp", b"Raw profile type exif", b"exif"
_LONGEST_KEYWORD = 79
_TRANSPARENCY = {0: 2, 2: 6, 3: 1}
"""By colour type, how many bytes of a tRNS chunk a decoder needs; the other types have none."""


@dataclass
class _Room:
    """How many bytes may still be worked on."""

    left: int

    def take(self, length: int) -> bool:
        """Whether so many bytes are still allowed."""
        self.left -= length
        return self.left >= 0


def look(source: Source) -> Facts:
    """Size, EXIF and XMP of a PNG; raises NotAnImage when its pixels are not reached, or its size is told twice."""
    size = (0, 0)
    texts: dict[bytes, bytes] = {}
    room = _Room(MAX_TEXTS)
    for number, (kind, at, length) in enumerate(_chunks(source, len(_SIGNATURE))):
        if (kind == b"IHDR") != (number == 0):
            raise NotAnImage("its PNG header tells its size twice" if number else "its PNG header is broken")
        if kind == b"IHDR":
            header = source.read(at, 8)
            size = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:], "big")
        elif kind == b"IDAT":
            texts |= _texts_in(*_after_pixels(source, at - 8), room)
            exif = texts.get(_EXIF_TEXT) or _unhexed(texts.get(_RAW_EXIF, b""))
            return Facts(*size, exif or None, texts.get(_XMP))
        else:
            texts |= _texts_in(source, [(kind, at, length)], room)
    raise NotAnImage("its PNG header is broken or cut off")


def bare(data: bytes) -> bytes:
    """The same PNG with nothing in it but what its pixels are decoded by; of an animation, the picture that readers
    which know no animations show."""
    parts, colours = [_SIGNATURE], -1
    for kind, at, length in _chunks(InMemory(data), len(_SIGNATURE), limit=len(data)):
        whole = data[at - 8 : at + length + 4]
        if kind == b"IHDR":
            colours = data[at + 9] if length >= 13 else -1
        # Nobody can see what a broken tRNS meant; without it, the picture is opaque.
        needed = colours in _TRANSPARENCY and length >= _TRANSPARENCY[colours] and _is_intact(whole)
        if kind in (b"IHDR", b"PLTE", b"IDAT", b"IEND") or (kind == b"tRNS" and needed):
            parts.append(whole)
        if kind == b"IEND":
            break
    return b"".join(parts)


def _chunks(source: Source, at: int, limit: int = MAX_PARTS) -> Iterator[tuple[bytes, int, int]]:
    """Kind, offset and length of the content of at most `limit` chunks, from the one at `at` on."""
    for _ in range(limit):
        head = source.read(at, 8)
        kind, length = head[4:], int.from_bytes(head[:4], "big")
        if len(head) < 8 or not kind.isalnum():
            return
        yield kind, at + 8, length
        if kind == b"IEND":
            return
        # Length, kind and checksum are four bytes each.
        at += 12 + length


def _after_pixels(source: Source, pixels: int) -> tuple[InMemory, list[tuple[bytes, int, int]]]:
    """The end of the file, and the chunks in it; `pixels` is where the first chunk of pixels begins."""
    begin = max(pixels, source.total - TAIL_BYTES)
    tail = InMemory(source.read(begin, TAIL_BYTES))
    first = 0 if begin == pixels else _first_chunk(tail.content)
    return tail, list(_chunks(tail, first))


def _first_chunk(tail: bytes) -> int:
    """Where the first whole chunk begins in bytes that begin anywhere: its checksum tells it from pixels that happen to
    look like one."""
    room = _Room(MAX_CHECKED)
    for match in _CHUNKS.finditer(tail):
        begin = match.start() - 4
        end = match.end() + int.from_bytes(tail[max(begin, 0) : begin + 4], "big") + 4
        if begin < 0 or end > len(tail):
            continue
        if not room.take(end - begin):
            break
        if _is_intact(tail[begin:end]):
            return begin
    return len(tail)


def _is_intact(chunk: bytes) -> bool:
    return zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:], "big")


def _texts_in(source: Source, chunks: list[tuple[bytes, int, int]], room: _Room) -> dict[bytes, bytes]:
    """What these chunks tell by keyword, as far as there is room; of several with one keyword, the last."""
    texts = {}
    for kind, at, length in chunks:
        if length > MAX_METADATA:
            continue
        if kind == b"eXIf":
            keyword = _EXIF_TEXT
        elif kind in (b"tEXt", b"zTXt", b"iTXt"):
            keyword = source.read(at, min(length, _LONGEST_KEYWORD)).partition(b"\0")[0]
        else:
            continue
        if keyword not in (_XMP, _RAW_EXIF, _EXIF_TEXT) or not room.take(length):
            continue
        whole = source.read(at - 8, length + 12)
        content = _content(kind, whole[8:-4]) if _is_intact(whole) else None
        if content is not None and room.take(len(content)):
            texts[keyword] = content
    return texts


def _content(kind: bytes, chunk: bytes) -> bytes | None:
    """The text of a text chunk, at most MAX_METADATA bytes of it, or the chunk itself; None when it is broken."""
    if kind == b"eXIf":
        return chunk
    text = chunk.partition(b"\0")[2]
    if kind == b"tEXt":
        return text
    if kind == b"zTXt":
        return _unpacked(text[1:]) if text[:1] == b"\0" else None
    packed, method, rest = text[:1], text[1:2], text[2:].split(b"\0", 2)
    if len(rest) < 3 or (packed != b"\0" and method != b"\0"):
        return None
    return rest[2] if packed == b"\0" else _unpacked(rest[2])


def _unpacked(packed: bytes) -> bytes | None:
    try:
        return zlib.decompressobj().decompress(packed, MAX_METADATA)
    except zlib.error:
        return None


def _unhexed(text: bytes) -> bytes:
    """The block in a raw profile: an empty line, its name, its length, and then hexadecimal lines."""
    try:
        return bytes.fromhex("".join(text.decode("latin-1").split("\n")[3:]))
    except ValueError:
        return b""
