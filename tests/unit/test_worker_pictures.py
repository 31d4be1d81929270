"""Every kind of picture that people send is read, and broken or too large ones are refused."""

import io

import pytest
from PIL import Image, ImageChops

from darkroom.images import header
from worker.engines.describe import sentence, tags
from worker.errors import JobError
from worker.picture_files import FileOptions, encode
from worker.pictures import decode, flatten


def file_of(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """The bytes of a picture's file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def halves() -> Image.Image:
    """A picture whose left half is red and whose right half is blue."""
    image = Image.new("RGB", (40, 20), (200, 30, 30))
    image.paste((30, 30, 200), (20, 0, 40, 20))
    return image


def test_a_palette_picture_keeps_its_colours() -> None:
    assert flatten(decode(file_of(halves().quantize(4)), "init")).tobytes() == halves().tobytes()


def test_an_opaque_alpha_channel_changes_nothing() -> None:
    assert flatten(decode(file_of(halves().convert("RGBA")), "init")).tobytes() == halves().tobytes()


def test_transparent_parts_become_white_as_in_the_webui() -> None:
    image = halves().convert("RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 20, 20))
    flat = flatten(decode(file_of(image), "init"))
    assert (flat.getpixel((5, 5)), flat.getpixel((30, 5))) == ((255, 255, 255), (30, 30, 200))


def test_a_cmyk_picture_becomes_rgb() -> None:
    flat = flatten(decode(file_of(halves().convert("CMYK"), "JPEG", quality=100), "init"))
    # A JPEG's colours are off by a little.
    assert ImageChops.difference(flat, halves()).point(lambda value: 255 if value > 3 else 0).getbbox() is None


def test_sixteen_bits_are_scaled_to_eight() -> None:
    deep = Image.new("I", (8, 8), 128 * 256).convert("I;16")
    assert flatten(decode(file_of(deep), "init")).getpixel((0, 0)) == (128, 128, 128)


def test_a_picture_of_a_turned_camera_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # The camera was turned left: the stored right side is up.
    upright = flatten(decode(file_of(halves(), "PNG", exif=exif), "init"))
    assert upright.size == (20, 40)
    assert upright.getpixel((10, 5)) == (200, 30, 30)


@pytest.mark.parametrize(
    "data",
    [b"", b"no picture at all", file_of(halves())[:60], file_of(halves(), "JPEG")[:300]],
    ids=["empty", "text", "cut PNG", "cut JPEG"],
)
def test_a_broken_picture_is_refused_with_its_name(data: bytes) -> None:
    with pytest.raises(JobError, match="'mask'") as refused:
        decode(data, "mask")
    assert refused.value.code == "image_unreadable"


def test_a_huge_picture_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(header, "MAX_PIXELS", 40 * 20 - 1)
    with pytest.raises(JobError) as refused:
        decode(file_of(halves()), "init")
    assert refused.value.code == "image_too_large"


def test_a_very_long_picture_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(header, "MAX_SIDE", 39)
    with pytest.raises(JobError) as refused:
        decode(file_of(halves()), "init")
    assert refused.value.code == "image_too_large"


def test_a_decompression_bomb_is_refused_by_its_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(JobError) as refused:
        decode(file_of(halves()), "init")
    assert refused.value.code == "image_too_large"


@pytest.mark.parametrize("text", ["plain\nSteps: 20", "grüner Turm, 猫の絵\nSteps: 20"])
def test_the_infotext_comes_back_out_of_the_png(text: str) -> None:
    image = Image.open(io.BytesIO(encode(halves(), {"parameters": text}, FileOptions()).content), formats=["png"])
    assert image.info["parameters"] == text
    assert image.tobytes() == halves().tobytes()


def test_a_caption_describes_the_picture() -> None:
    assert sentence(halves()) == "a flat, dark landscape picture in red and blue, 40 by 20 pixels"
    assert sentence(Image.new("RGB", (20, 40), "white")) == (
        "a flat, bright portrait picture in white, 20 by 40 pixels"
    )


def test_tags_are_separated_by_commas() -> None:
    assert tags(Image.new("RGB", (1600, 1600), (10, 200, 20))).split(", ") == [
        "green theme",
        "evenly lit",
        "flat",
        "square format",
        "highres",
    ]
