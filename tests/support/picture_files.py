"""Picture files made by hand: with an orientation in every place a format has for one, and with odd things inside."""

import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import cast

from PIL import Image

from darkroom.images.ports import ImageStore, Part
from darkroom.images.service import Images
from tests.support.memory import NoUses


def file_of(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    """The picture as Pillow writes it."""
    out = BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def tiff(orientation: int, order: str = "<") -> bytes:
    """An EXIF block: a TIFF file with a maker's name and an orientation. `order` is `<` or `>`."""
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}LH", 8, 2)
    maker = struct.pack(f"{order}HHL", 271, 2, 3) + b"me\0\0"
    return head + maker + struct.pack(f"{order}HHLHHL", 274, 3, 1, orientation, 0, 0)


def xmp(orientation: int) -> bytes:
    """An XMP packet with an orientation."""
    return b'<x:xmpmeta><rdf:Description tiff:Make="me" tiff:Orientation="%d"/></x:xmpmeta>' % orientation


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def before_pixels(png: bytes, *chunks: bytes) -> bytes:
    """The PNG with chunks before its pixels."""
    at = png.index(b"IDAT") - 4
    return png[:at] + b"".join(chunks) + png[at:]


def after_pixels(png: bytes, *chunks: bytes) -> bytes:
    """The PNG with chunks between its pixels and its end."""
    return png[:-12] + b"".join(chunks) + png[-12:]


def with_segments(jpeg: bytes, *segments: tuple[int, bytes]) -> bytes:
    """The JPEG with segments, each a marker and its content, at its beginning."""
    inside = b"".join(struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content for marker, content in segments)
    return jpeg[:2] + inside + jpeg[2:]


def raw_profile(orientation: int, order: str = "<") -> bytes:
    """A text as ImageMagick keeps EXIF in."""
    block = b"Exif\0\0" + tiff(orientation, order)
    return b"\nexif\n%8d\n%s\n" % (len(block), block.hex().encode())


def _png(place: Callable[..., bytes], made: Callable[[int, str], bytes]) -> Callable[[Image.Image, int, str], bytes]:
    return lambda image, orientation, order: place(file_of(image), made(orientation, order))


def _jpeg(made: Callable[[int, str], bytes]) -> Callable[[Image.Image, int, str], bytes]:
    return lambda image, orientation, order: with_segments(file_of(image, "JPEG"), (0xE1, made(orientation, order)))


def _packed(text: bytes) -> bytes:
    return zlib.compress(text)


PLACES: dict[str, Callable[[Image.Image, int, str], bytes]] = {
    "PNG: eXIf": _png(before_pixels, lambda o, order: chunk(b"eXIf", tiff(o, order))),
    "PNG: eXIf with a prefix": _png(before_pixels, lambda o, order: chunk(b"eXIf", b"Exif\0\0" + tiff(o, order))),
    "PNG: eXIf after the pixels": _png(after_pixels, lambda o, order: chunk(b"eXIf", tiff(o, order))),
    "PNG: raw profile": _png(
        before_pixels, lambda o, order: chunk(b"tEXt", b"Raw profile type exif\0" + raw_profile(o, order))
    ),
    "PNG: packed raw profile after the pixels": _png(
        after_pixels, lambda o, order: chunk(b"zTXt", b"Raw profile type exif\0\0" + _packed(raw_profile(o, order)))
    ),
    "PNG: text exif": _png(before_pixels, lambda o, order: chunk(b"tEXt", b"exif\0Exif\0\0" + tiff(o, order))),
    "PNG: XMP": _png(before_pixels, lambda o, _: chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(o))),
    "PNG: packed XMP after the pixels": _png(
        after_pixels, lambda o, _: chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + _packed(xmp(o)))
    ),
    "PNG: XMP says 3, eXIf counts": lambda image, o, order: before_pixels(
        file_of(image), chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(3)), chunk(b"eXIf", tiff(o, order))
    ),
    "JPEG: EXIF": _jpeg(lambda o, order: b"Exif\0\0" + tiff(o, order)),
    "JPEG: XMP": _jpeg(lambda o, _: b"http://ns.adobe.com/xap/1.0/\0" + xmp(o)),
    "JPEG: EXIF in two segments": lambda image, o, order: with_segments(
        file_of(image, "JPEG"),
        (0xE1, b"Exif\0\0" + tiff(o, order)[:13]),
        (0xE1, b"Exif\0\0" + tiff(o, order)[13:]),
    ),
    "WebP: EXIF": lambda image, o, order: file_of(image, "WEBP", exif=b"Exif\0\0" + tiff(o, order)),
    "WebP: EXIF without a prefix": lambda image, o, order: file_of(image, "WEBP", exif=tiff(o, order)),
    "WebP: XMP": lambda image, o, _: file_of(image, "WEBP", lossless=True, xmp=xmp(o)),
    "WebP: EXIF of an animation": lambda image, o, order: file_of(
        image, "WEBP", save_all=True, append_images=[Image.new("RGB", image.size, "red")], exif=tiff(o, order)
    ),
}
"""Every place in which Pillow finds an orientation: a file of a picture with one, EXIF in one of both byte orders."""


class RangedStore:
    """An ImageStore of one picture, of which parts are read; `reads` are their lengths."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.reads: list[int] = []

    def read(self, owner: str, image_id: str, offset: int, length: int) -> Part:
        """See ImageStore."""
        part = self.content[offset : offset + length]
        self.reads.append(len(part))
        return Part(part, len(self.content), 0)


def seen_by_api(content: bytes | RangedStore) -> tuple[int, int]:
    """Width and height that the API finds in a stored picture; raises Invalid as it does."""
    store = content if isinstance(content, RangedStore) else RangedStore(content)
    images = Images(cast(ImageStore, store), NoUses(), retention_days=90)
    return images.inspect("alice", {"init": "0" * 64})["init"].size
