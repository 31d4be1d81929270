"""Pictures in a WebUI body are found in every place that may have one, and nothing else is taken for a picture."""

import base64
import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from darkroom.errors import Invalid
from darkroom.images.model import NotAnImage, read_header
from darkroom.jobs.pictures import extract
from tests.support.pictures import encoded, png

PICTURE = base64.b64encode(png()).decode()


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"init_images": [PICTURE]}, ["init"]),
        ({"init_images": ["data:image/png;base64," + PICTURE, PICTURE]}, ["init", "init_2"]),
        ({"image": PICTURE, "mask": PICTURE}, ["init", "mask"]),
        ({"alwayson_scripts": {"controlnet": {"args": [{"image": PICTURE}]}}}, ["controlnet_args_0_image"]),
        (
            {"alwayson_scripts": {"ControlNet": {"args": [{"image": {"image": PICTURE, "mask": PICTURE}}]}}},
            ["controlnet_args_0_image_image", "controlnet_args_0_image_mask"],
        ),
        ({"alwayson_scripts": {"reactor": {"args": [PICTURE, True, "0"]}}}, ["reactor_args_0"]),
        ({"script_args": [1, PICTURE]}, ["script_args_1"]),
    ],
)
def test_every_picture_is_extracted_and_named(fields: dict[str, Any], names: list[str]) -> None:
    remaining, extracted, _ = extract(fields)
    assert [picture.name for picture in extracted] == names
    assert all(picture.content == png() for picture in extracted)
    assert PICTURE not in str(remaining)
    assert all(f"image:{name}" in str(remaining) for name in names)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_the_header_of_each_format_gives_its_size(form: str) -> None:
    content = encoded(Image.new("RGB", (72, 40)), form)
    header = read_header(content)
    assert (header.format.upper(), header.size) == (form, (72, 40))


def test_the_size_is_that_of_the_upright_picture() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = BytesIO()
    Image.new("RGB", (72, 40)).save(buffer, "JPEG", exif=exif)
    assert read_header(buffer.getvalue()).size == (40, 72)


@pytest.mark.parametrize("content", [b"", b"GIF89a", png()[:20], b"\xff\xd8\xff", b"RIFF0000WEBP", b"<svg/>"])
def test_bytes_that_are_no_picture_are_refused(content: bytes) -> None:
    with pytest.raises(NotAnImage):
        read_header(content)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def with_second_header(width: int, height: int) -> bytes:
    """A small PNG with a second IHDR chunk of another size. Pillow uses the last one."""
    content = png()
    again = chunk(b"IHDR", struct.pack(">II", width, height) + content[24:29])
    return content[:33] + chunk(b"tEXt", b"a\0b") + again + content[33:]


def with_second_frame(width: int, height: int) -> bytes:
    """A small JPEG with a second frame header of another size before its pixels."""
    content = encoded(Image.new("RGB", (72, 40)), "JPEG")
    start = content.index(b"\xff\xc0")
    length = 2 + int.from_bytes(content[start + 2 : start + 4], "big")
    again = content[start : start + 5] + struct.pack(">HH", height, width) + content[start + 9 : start + length]
    return content[: start + length] + again + content[start + length :]


@pytest.mark.parametrize("build", [with_second_header, with_second_frame])
def test_a_picture_that_tells_its_size_twice_is_none(build: Callable[[int, int], bytes]) -> None:
    content = build(9000, 9000)
    assert Image.open(BytesIO(content)).size == (9000, 9000)
    with pytest.raises(NotAnImage, match="twice"):
        read_header(content)


def test_a_jpeg_with_a_thumbnail_and_fill_bytes_has_one_size() -> None:
    content = encoded(Image.new("RGB", (72, 40)), "JPEG")
    thumbnail = b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content
    assert read_header(content[:2] + thumbnail + b"\xff\xff" + content[2:]).size == (72, 40)


@given(st.binary(max_size=200), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF....WEBP"]))
def test_any_bytes_are_read_or_refused(content: bytes, start: bytes) -> None:
    try:
        header = read_header(start + content)
    except NotAnImage:
        return
    assert min(header.size) > 0


@pytest.mark.parametrize(
    "fields",
    [
        {"init_images": ["https://example.com/x.png"]},
        {"mask": "not base64 at all"},
        {"alwayson_scripts": {"controlnet": {"args": [{"input_image": "aGVsbG8="}]}}},
        {"prompt_image": "data:image/png;base64,%%%"},
    ],
)
def test_an_invalid_picture_is_refused_where_a_picture_is_expected(fields: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        extract(fields)
    assert refused.value.code == "image_unreadable"
    assert refused.value.errors[0].loc[:2] == ("body", "parameters")


def test_prompts_and_empty_picture_fields_are_not_changed() -> None:
    fields: dict[str, Any] = {"prompt": "a" * 400, "notes": "aGVsbG8=" * 20, "mask": "", "init_images": [], "n": 3}
    assert extract(fields) == (fields, [], {})


def test_more_pictures_than_a_job_may_have_are_refused() -> None:
    with pytest.raises(Invalid) as refused:
        extract({"init_images": [PICTURE] * 33})
    assert refused.value.code == "too_many_images"
