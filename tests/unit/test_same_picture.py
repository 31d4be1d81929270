"""API and worker see the same picture, and the one that the WebUI would see: its size, and which way up it is."""

import ast
import random
import struct
import zlib
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from darkroom.errors import Invalid
from darkroom.images import png as png_files
from darkroom.images.header import read_header
from darkroom.images.source import NotAnImage
from local.home import ROOT
from tests.support.picture_files import (
    PLACES,
    RangedStore,
    after_pixels,
    before_pixels,
    chunk,
    file_of,
    seen_by_api,
    tiff,
    with_segments,
    xmp,
)
from worker.errors import JobError
from worker.pictures import decode


def noise(width: int, height: int) -> Image.Image:
    """A picture that no format packs well, so that its file is large."""
    return Image.frombytes("RGB", (width, height), random.Random(width * height).randbytes(width * height * 3))


def as_the_webui(content: bytes) -> Image.Image:
    """What the WebUI makes of an init picture: it opens it, and turns it by Pillow's `exif_transpose`."""
    with Image.open(BytesIO(content), formats=["png", "jpeg", "webp"]) as image:
        return ImageOps.exif_transpose(image)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("orientation", range(10))
def test_every_place_of_an_orientation_counts_as_in_the_webui(place: str, orientation: int) -> None:
    content = PLACES[place](noise(72, 40), orientation, "<")
    expected, painted = as_the_webui(content), decode(content, "init")
    assert expected.size == ((40, 72) if orientation in (5, 6, 7, 8) else (72, 40))
    assert seen_by_api(content) == read_header(content).size == painted.size == expected.size
    assert painted.convert("RGB").tobytes() == expected.convert("RGB").tobytes()


SIDES = st.integers(1, 90) | st.integers(150, 300)


@settings(max_examples=150, deadline=None)
@given(
    place=st.sampled_from(sorted(PLACES)),
    orientation=st.integers(0, 9),
    order=st.sampled_from("<>"),
    sides=st.tuples(SIDES, SIDES),
    ballast=st.sampled_from([0, 1_000, 70_000, 3_000_000]),
)
def test_api_worker_and_webui_agree(
    place: str, orientation: int, order: str, sides: tuple[int, int], ballast: int
) -> None:
    content = PLACES[place](noise(*sides), orientation, order)
    if ballast and place.startswith("PNG"):
        content = before_pixels(content, chunk(b"tEXt", b"note\0" + b"x" * ballast))
    if ballast and place.startswith("JPEG"):
        content = with_segments(content, *[(0xE2, b"x" * 60_000)] * (1 + ballast // 60_000))
    expected, painted = as_the_webui(content), decode(content, "init")
    assert seen_by_api(content) == painted.size == expected.size
    assert painted.convert("RGB").tobytes() == expected.convert("RGB").tobytes()


@settings(max_examples=300, deadline=None)
@given(
    place=st.sampled_from(sorted(PLACES)),
    damage=st.lists(st.tuples(st.integers(0, 2_000), st.integers(0, 255)), min_size=1, max_size=6),
)
def test_what_the_worker_takes_of_a_damaged_picture_has_the_size_that_the_api_saw(
    place: str, damage: list[tuple[int, int]]
) -> None:
    content = bytearray(PLACES[place](Image.new("RGB", (72, 40), "navy"), 6, "<"))
    for at, value in damage:
        content[at % len(content)] = value
    try:
        painted = decode(bytes(content), "init")
    except JobError:
        return
    assert seen_by_api(bytes(content)) == painted.size


# -- how much of a stored picture the API reads ---------------------------------------------------------


@pytest.mark.parametrize("place", PLACES)
def test_a_small_picture_is_read_once(place: str) -> None:
    store = RangedStore(PLACES[place](Image.new("RGB", (72, 40)), 6, "<"))
    assert seen_by_api(store) == (40, 72)
    assert len(store.reads) == 1


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(after_pixels(file_of(noise(2000, 1000)), chunk(b"eXIf", tiff(6))), id="PNG, eXIf last"),
        pytest.param(file_of(noise(2000, 1000), "WEBP", quality=100, exif=tiff(6)), id="WebP"),
    ],
)
def test_a_large_picture_is_read_at_both_ends_alone(content: bytes) -> None:
    store = RangedStore(content)
    assert seen_by_api(store) == (1000, 2000) == decode(content, "init").size
    assert len(store.reads) == 2
    assert sum(store.reads) <= 330 * 1024 < len(content)


def test_a_large_jpeg_is_read_at_its_beginning_alone() -> None:
    store = RangedStore(with_segments(file_of(noise(800, 600), "JPEG"), (0xE1, b"Exif\0\0" + tiff(6))))
    assert seen_by_api(store) == (600, 800)
    assert len(store.reads) == 1


# -- pixels decide, not what lies beside them -----------------------------------------------------------


def flat() -> Image.Image:
    return Image.new("RGB", (64, 64), (200, 40, 40))


def broken(kind: bytes, content: bytes) -> bytes:
    """A chunk with a wrong checksum."""
    return chunk(kind, content)[:-4] + b"\0\0\0\0"


PNG, JPEG, WEBP = file_of(flat()), file_of(flat(), "JPEG"), file_of(flat(), "WEBP")
RANDOM = random.Random(1).randbytes(3_000_000)
NO_TIFF = b"no TIFF at all"
ANIMATION = file_of(flat(), save_all=True, append_images=[Image.new("RGB", (64, 64), "blue")])

BESIDE = {
    "2 MB of packed text": before_pixels(PNG, chunk(b"zTXt", b"parameters\0\0" + zlib.compress(b"x" * 2_000_000))),
    "2 MB of packed text behind": after_pixels(PNG, chunk(b"iTXt", b"p\0\1\0\0\0" + zlib.compress(b"x" * 2_000_000))),
    "2 MB of packed XMP": before_pixels(
        PNG, chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b" " * 2_000_000))
    ),
    "a profile of 3 MB": before_pixels(PNG, chunk(b"iCCP", b"p\0\0" + zlib.compress(RANDOM))),
    "a profile packed in an unknown way": before_pixels(PNG, chunk(b"iCCP", b"p\0\7" + RANDOM[:500])),
    "a broken profile": before_pixels(PNG, chunk(b"iCCP", b"p\0\0" + RANDOM[:500])),
    "an empty profile": before_pixels(PNG, chunk(b"iCCP", b"")),
    "eXIf without TIFF": before_pixels(PNG, chunk(b"eXIf", NO_TIFF)),
    "an empty eXIf": before_pixels(PNG, chunk(b"eXIf", b"")),
    "eXIf that is cut off": before_pixels(PNG, chunk(b"eXIf", tiff(6)[:20])),
    "eXIf that points outside": before_pixels(PNG, chunk(b"eXIf", b"II*\0\xff\xff\xff\xff")),
    "eXIf without TIFF behind": after_pixels(PNG, chunk(b"eXIf", NO_TIFF)),
    "a raw profile that is no hexadecimal": before_pixels(
        PNG, chunk(b"tEXt", b"Raw profile type exif\0\nexif\n 4\nzzzz\n")
    ),
    "a text exif in zTXt": before_pixels(PNG, chunk(b"zTXt", b"exif\0\0" + zlib.compress(NO_TIFF))),
    "broken XMP": before_pixels(PNG, chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0\xff\xfe<x tiff:Orientation=")),
    "a text with a wrong checksum": before_pixels(PNG, broken(b"tEXt", b"note\0hello")),
    "a text packed in an unknown way": before_pixels(PNG, chunk(b"zTXt", b"note\0\5hello")),
    "a gamma that is too short": before_pixels(PNG, chunk(b"gAMA", b"\0")),
    "a transparency that is too short": before_pixels(PNG, chunk(b"tRNS", b"\0")),
    "a chunk that nobody knows": before_pixels(PNG, chunk(b"QqQq", RANDOM[:70_000])),
    "an animation": ANIMATION,
    "an animation with broken frames": before_pixels(PNG, chunk(b"acTL", b"\0\0"), chunk(b"fcTL", b"\0" * 26)),
    "bytes behind its end": PNG + RANDOM[:100_000],
    "a second PNG behind its end": PNG + before_pixels(file_of(Image.new("RGB", (9, 9))), chunk(b"eXIf", tiff(6))),
    "no end": PNG[:-12],
    "JPEG: EXIF without TIFF": with_segments(JPEG, (0xE1, b"Exif\0\0" + NO_TIFF)),
    "JPEG: an empty EXIF": with_segments(JPEG, (0xE1, b"Exif\0\0")),
    "JPEG: 3 MB of profile": with_segments(
        JPEG, *[(0xE2, b"ICC_PROFILE\0" + bytes((n, 50)) + RANDOM[:60_000]) for n in range(1, 51)]
    ),
    "JPEG: profile without its end": with_segments(JPEG, (0xE2, b"ICC_PROFILE\0\1\3" + RANDOM[:60_000])),
    "JPEG: a short JFIF": with_segments(JPEG, (0xE0, b"JFIF\0")),
    "JPEG: a short Adobe": with_segments(JPEG, (0xEE, b"Adobe")),
    "JPEG: a broken Photoshop block": with_segments(JPEG, (0xED, b"Photoshop 3.0\x008BIM\x03\xed")),
    "JPEG: a broken MPO": with_segments(JPEG, (0xE2, b"MPF\0II*\0\x08\0\0\0\x01\0" + RANDOM[:30])),
    "JPEG: a preview in its EXIF": with_segments(JPEG, (0xE1, b"Exif\0\0" + tiff(1) + JPEG)),
    "JPEG: padding": JPEG[:2] + b"\xff" * 9_000 + JPEG[2:],
    "JPEG: bytes behind its end": JPEG + RANDOM[:100_000],
    "WebP: EXIF without TIFF": file_of(flat(), "WEBP", exif=NO_TIFF),
    "WebP: broken XMP": file_of(flat(), "WEBP", xmp=b"\xff\xfe<x tiff:Orientation="),
    "WebP: a profile that is none": file_of(flat(), "WEBP", icc_profile=RANDOM),
    "WebP: bytes behind its end": WEBP + RANDOM[:100_000],
    "WebP: its last chunk cut off": file_of(flat(), "WEBP", exif=tiff(6) * 20)[:-100],
}


@pytest.mark.parametrize("content", [pytest.param(content, id=name) for name, content in BESIDE.items()])
def test_nothing_beside_the_pixels_costs_a_picture(content: bytes) -> None:
    painted = decode(content, "init")
    assert seen_by_api(content) == painted.size == (64, 64)
    red, green, blue = painted.convert("RGB").resize((1, 1)).getpixel((0, 0))  # type: ignore[misc]
    assert (abs(red - 200) < 4, abs(green - 40) < 4, abs(blue - 40) < 4) == (True, True, True)


@pytest.mark.parametrize("keyword", [b"XML:com.adobe.xmp\0\1\0\0\0", b"exif\0\1\0\0\0"])
def test_thousands_of_packed_texts_are_not_all_unpacked(monkeypatch: pytest.MonkeyPatch, keyword: bytes) -> None:
    """Each of 5 MB's thousands of them unpacks to a megabyte: that was most of a minute for the API and the worker."""
    unpacked: list[int] = []
    unpacker = zlib.decompressobj

    def counted() -> Any:
        unpacked.append(1)
        return unpacker()

    monkeypatch.setattr(zlib, "decompressobj", counted)
    many = chunk(b"iTXt", keyword + zlib.compress(b" " * 2**20)) * 2_000
    for content in (before_pixels(PNG, many), after_pixels(PNG, many)):
        assert read_header(content).size == (64, 64)
    assert len(unpacked) <= 20


def test_pixels_that_look_like_chunks_are_not_all_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[int] = []
    checksum = zlib.crc32
    false = b"".join((8 * number).to_bytes(4, "big") + b"IDAT" for number in reversed(range(32_000)))
    content = before_pixels(PNG, chunk(b"IDAT", false * 2))

    def counted(found: bytes) -> int:
        checked.append(len(found))
        return checksum(found)

    monkeypatch.setattr(zlib, "crc32", counted)
    assert read_header(content).size == (64, 64)
    assert sum(checked) <= png_files.MAX_CHECKED


def test_of_two_pictures_in_one_file_the_first_counts() -> None:
    content = file_of(Image.new("RGB", (72, 40), "red"), "MPO", save_all=True, append_images=[flat()])
    assert decode(content, "init").size == seen_by_api(content) == (72, 40)


def test_of_an_animated_webp_the_first_frame_counts() -> None:
    content = file_of(flat(), "WEBP", save_all=True, append_images=[Image.new("RGB", (64, 64), "blue")], lossless=True)
    assert decode(content, "init").convert("RGB").getpixel((9, 9)) == (200, 40, 40)


def test_a_broken_orientation_in_exif_leaves_xmp_the_word() -> None:
    content = with_segments(JPEG, (0xE1, b"Exif\0\0" + NO_TIFF), (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp(6)))
    assert read_header(content).orientation == 6


def test_a_long_text_behind_an_orientation_behind_the_pixels_hides_nothing() -> None:
    content = after_pixels(file_of(noise(72, 40)), chunk(b"eXIf", tiff(6)), chunk(b"tEXt", b"note\0" + b"x" * 150_000))
    assert seen_by_api(content) == decode(content, "init").size == as_the_webui(content).size == (40, 72)


def test_a_webp_tells_what_it_announces_and_nothing_else() -> None:
    content = bytearray(file_of(Image.new("RGB", (72, 40)), "WEBP", exif=tiff(6)))
    content[20] &= ~0x08  # the flag of its extended header that announces EXIF
    assert seen_by_api(bytes(content)) == as_the_webui(bytes(content)).size == (72, 40)


# -- what is broken ---------------------------------------------------------------------------------------


def second_header(png: bytes) -> bytes:
    return before_pixels(png, chunk(b"IHDR", struct.pack(">II", 9000, 9000) + png[24:29]))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(second_header(PNG), id="two headers"),
        pytest.param(PNG[:33], id="a header alone"),
        pytest.param(PNG[:8] + PNG[33:], id="no header"),
        pytest.param(with_segments(JPEG, (0xC0, b"\x08\0\x10\0\x10\x01\x01\x11\0")), id="two frames"),
        pytest.param(JPEG[:2] + b"\xff\xd9", id="no frame"),
        pytest.param(JPEG[:2] + b"\xff\xfe\0\x02" * 20_000 + JPEG[2:], id="thousands of segments"),
        pytest.param(WEBP[:20], id="a cut WebP"),
        pytest.param(b"GIF89a" + bytes(40), id="GIF"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_what_has_no_size_that_all_agree_on_is_refused_by_both(content: bytes) -> None:
    with pytest.raises(Invalid, match="The picture init cannot be used") as refused:
        seen_by_api(content)
    assert refused.value.code == "image_unreadable"
    with pytest.raises(JobError, match="'init'") as failed:
        decode(content, "init")
    assert failed.value.code == "image_unreadable"


@given(
    st.binary(max_size=300), st.sampled_from([b"", PNG[:33], JPEG[:2], b"\xff\xd8\xff", WEBP[:12], b"RIFF....WEBPVP8X"])
)
def test_any_bytes_are_read_or_refused(content: bytes, start: bytes) -> None:
    try:
        header = read_header(start + content)
    except NotAnImage:
        return
    assert min(header.size) > 0


def test_pillow_is_told_everywhere_which_formats_it_may_open() -> None:
    sources = [
        path
        for root in ("worker", "local", "bench", "shared", "bridge", "extension", "cli", "tests")
        for path in (ROOT / root).rglob("*.py")
    ]
    calls = [node for path in sources for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    opened = [node for node in calls if ast.unparse(node.func) == "Image.open"]
    assert len(opened) > 5
    assert [ast.unparse(node) for node in opened if "formats" not in {word.arg for word in node.keywords}] == []
