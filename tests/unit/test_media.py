"""The formats of pictures and videos are told from their first bytes, and so is their size."""

from io import BytesIO
from struct import pack

import pytest
from PIL import Image

from darkroom.jobs.media import AVIF, GIF, JPEG, MP4, PNG, WEBM, WEBP, Media, media_of, media_of_key, size_of


def painted(form: str, **more: object) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (96, 64), "teal").save(buffer, form, **more)
    return buffer.getvalue()


def animated(form: str) -> bytes:
    return painted(form, save_all=True, append_images=[Image.new("RGB", (96, 64), "red")])


def box(name: bytes, body: bytes) -> bytes:
    """A box of ISO/IEC 14496-12: its length, its name, and what it holds."""
    return pack(">I", len(body) + 8) + name + body


def track(width: int, height: int) -> bytes:
    return box(b"tkhd", bytes(76) + pack(">II", width << 16, height << 16))


def mp4(brand: bytes = b"isom", *tracks: bytes) -> bytes:
    """A video whose index stands behind its pictures, as most encoders leave it."""
    head = box(b"ftyp", brand + pack(">I", 512) + b"isomiso2avc1mp41")
    index = box(b"moov", b"".join(box(b"trak", one) for one in tracks or (track(0, 0), track(320, 180))))
    return head + box(b"mdat", b"tkhd" + bytes(5000)) + index


def element(name: bytes, body: bytes) -> bytes:
    """An element of EBML with a length of four bytes."""
    return name + (0x10000000 | len(body)).to_bytes(4, "big") + body


def webm(width: int = 640, height: int = 360) -> bytes:
    video = element(b"\xe0", element(b"\xb0", pack(">H", width)) + element(b"\xba", pack(">H", height)))
    tracks = element(b"\x16\x54\xae\x6b", element(b"\xae", element(b"\xd7", b"\x01") + video))
    segment = element(b"\xec", bytes(40)) + tracks + element(b"\x1f\x43\xb6\x75", bytes(900))
    # Live encoders do not know how long a segment gets.
    unknown = b"\x01" + b"\xff" * 7
    return element(b"\x1a\x45\xdf\xa3", element(b"\x42\x82", b"webm")) + b"\x18\x53\x80\x67" + unknown + segment


FILES: list[tuple[bytes, Media, tuple[int, int]]] = [
    (painted("PNG"), PNG, (96, 64)),
    (animated("PNG"), PNG, (96, 64)),
    (painted("JPEG"), JPEG, (96, 64)),
    (painted("WEBP"), WEBP, (96, 64)),
    (animated("WEBP"), WEBP, (96, 64)),
    (painted("GIF"), GIF, (96, 64)),
    (animated("GIF"), GIF, (96, 64)),
    (painted("AVIF"), AVIF, (96, 64)),
    (animated("AVIF"), AVIF, (96, 64)),
    (mp4(), MP4, (320, 180)),
    (mp4(b"mp42"), MP4, (320, 180)),
    (webm(), WEBM, (640, 360)),
]


@pytest.mark.parametrize(("content", "media", "size"), FILES)
def test_format_and_size_stand_in_the_bytes(content: bytes, media: Media, size: tuple[int, int]) -> None:
    assert media_of(content) == media
    assert size_of(content) == size


@pytest.mark.parametrize(
    "content", [b"", b"BM", b"<html>", b"%PDF-1.7", box(b"ftyp", b"heic" + bytes(4) + b"mif1heic")]
)
def test_anything_else_is_no_picture(content: bytes) -> None:
    assert media_of(content) is None
    assert size_of(content) is None


@pytest.mark.parametrize(
    "content", [mp4(b"isom", track(0, 0)), webm(0, 0), webm()[:60], b"GIF89a", painted("AVIF")[:80]]
)
def test_a_file_that_does_not_say_its_size_has_none(content: bytes) -> None:
    assert media_of(content) is not None
    assert size_of(content) is None


@pytest.mark.parametrize("content", [file for file, _, _ in FILES])
def test_a_file_cut_off_anywhere_breaks_nothing(content: bytes) -> None:
    for end in range(min(len(content), 400)):
        media = media_of(content[:end])
        if media not in (PNG, JPEG, WEBP):
            size_of(content[:end])


@pytest.mark.parametrize(
    ("key", "media"),
    [
        ("jobs/x/output/0.png", PNG),
        ("a/0.JPEG", JPEG),
        ("a/0.jpg", JPEG),
        ("a/clip.mp4", MP4),
        ("a/response.json", None),
    ],
)
def test_a_key_tells_its_format_by_its_extension(key: str, media: Media | None) -> None:
    assert media_of_key(key) == media
