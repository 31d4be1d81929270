"""The formats of what a worker may make: pictures and short videos, with the extension and content type of each."""

from collections.abc import Callable
from dataclasses import dataclass
from struct import unpack_from

from darkroom.images.header import read_header

Size = tuple[int, int]
_LOOKED_AT = 1024 * 1024
"""Bytes from the beginning of a file in which its size is looked for, where it can only stand at the beginning."""


@dataclass(frozen=True)
class Media:
    """A format: its file extension without a dot, its content type, and whether a browser shows it as a picture."""

    extension: str
    content_type: str
    is_picture: bool = True


PNG = Media("png", "image/png")
JPEG = Media("jpg", "image/jpeg")
WEBP = Media("webp", "image/webp")
GIF = Media("gif", "image/gif")
AVIF = Media("avif", "image/avif")
MP4 = Media("mp4", "video/mp4", is_picture=False)
WEBM = Media("webm", "video/webm", is_picture=False)
EXTENSIONS = {media.extension: media for media in (PNG, JPEG, WEBP, GIF, AVIF, MP4, WEBM)} | {"jpeg": JPEG}
"""Every format by the extensions that a file of it may have."""
_STILL_BRANDS = frozenset({b"avif", b"avis"})
_OTHER_STILL_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"crx "})
"""Brands of ISO/IEC 14496-12 files that hold pictures no browser shows."""


def media_of(content: bytes) -> Media | None:
    """The format that the first bytes of a file tell; None for any other than those above."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if content.startswith(b"\xff\xd8\xff"):
        return JPEG
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return WEBP
    if content[:6] in (b"GIF87a", b"GIF89a"):
        return GIF
    if content[4:8] == b"ftyp":
        return _of_brands(content)
    if content.startswith(b"\x1aE\xdf\xa3") and b"webm" in content[:64]:
        return WEBM
    return None


def media_of_key(key: str) -> Media | None:
    """The format that the extension of an S3 key tells; None for any other than those above."""
    stem, dot, extension = key.rpartition(".")
    return EXTENSIONS.get(extension.lower()) if stem and dot else None


def size_of(content: bytes) -> Size | None:
    """Width and height in pixels of a file, where its first bytes tell them; None where they do not.

    Raises NotAnImage for a PNG, JPEG or WebP file whose header is broken.
    """
    media = media_of(content)
    if media in (PNG, JPEG, WEBP):
        return read_header(content).size
    size = _SIZES[media](content) if media else None
    return size if size and min(size) > 0 else None


def _of_brands(content: bytes) -> Media | None:
    """AVIF or MP4, by the brands in the box that such a file begins with."""
    end = min(int.from_bytes(content[:4], "big"), len(content), 512)
    brands = {content[8:12], *(content[at : at + 4] for at in range(16, end - 3, 4))}
    if brands & _STILL_BRANDS:
        return AVIF
    return None if brands & _OTHER_STILL_BRANDS else MP4


def _gif_size(content: bytes) -> Size | None:
    return unpack_from("<HH", content, 6) if len(content) >= 10 else None


def _avif_size(content: bytes) -> Size | None:
    """The largest of the boxes `ispe` (ISO/IEC 23008-12): the parts of a large picture have one each, too."""
    sizes = [unpack_from(">II", content, at + 8) for at in _boxes(content[:_LOOKED_AT], b"ispe", (20,))]
    return max(sizes, key=lambda size: size[0] * size[1], default=None)


def _mp4_size(content: bytes) -> Size | None:
    """The first track that has a size: it stands at the end of the box `tkhd` (ISO/IEC 14496-12), in 16.16 bits."""
    for at in _boxes(content, b"tkhd", (92, 104)):
        end = at - 4 + int.from_bytes(content[at - 4 : at], "big")
        width, height = unpack_from(">II", content, end - 8)
        if width and height:
            return width >> 16, height >> 16
    return None


def _boxes(content: bytes, name: bytes, lengths: tuple[int, ...]) -> list[int]:
    """Where the names of boxes stand that are called so, have one of these lengths and are there whole."""
    found, at = [], content.find(name)
    while at >= 0:
        length = int.from_bytes(content[max(0, at - 4) : at], "big")
        if length in lengths and at - 4 + length <= len(content):
            found.append(at)
        at = content.find(name, at + 4)
    return found


_SEGMENT, _TRACKS, _TRACK, _VIDEO = 0x18538067, 0x1654AE6B, 0xAE, 0xE0
_PIXEL_WIDTH, _PIXEL_HEIGHT, _CLUSTER = 0xB0, 0xBA, 0x1F43B675


def _webm_size(content: bytes) -> Size | None:
    """The size of the first video track, from Matroska's elements (RFC 9559): an id, a length, and what it holds."""
    found: dict[int, int] = {}
    at, end = 0, min(len(content), _LOOKED_AT)
    while at < end and len(found) < 2:
        name, at = _number(content, at, keep_marker=True)
        length, at = _number(content, at, keep_marker=False)
        if name in (_PIXEL_WIDTH, _PIXEL_HEIGHT):
            found[name] = int.from_bytes(content[at : at + min(length, 8)], "big")
        elif name in (_SEGMENT, _TRACKS, _TRACK, _VIDEO):
            continue
        elif name == _CLUSTER:
            break
        at += length
    return (found[_PIXEL_WIDTH], found[_PIXEL_HEIGHT]) if len(found) == 2 else None


def _number(content: bytes, at: int, *, keep_marker: bool) -> tuple[int, int]:
    """A number of EBML (RFC 8794, 4.) and where the next byte stands: the zero bits it begins with say how long it is.
    An id keeps the marker behind them, a length does not."""
    first = content[at] if at < len(content) else 0
    length = 9 - first.bit_length()
    value = int.from_bytes(content[at : at + length], "big")
    return (value if keep_marker else value & ((1 << (7 * length)) - 1)), at + length


_SIZES: dict[Media, Callable[[bytes], Size | None]] = {
    GIF: _gif_size,
    AVIF: _avif_size,
    MP4: _mp4_size,
    WEBM: _webm_size,
}
