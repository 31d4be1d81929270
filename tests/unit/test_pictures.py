"""Pictures in a WebUI body are found in every place that may have one, and nothing else is taken for a picture."""

import base64
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from darkroom.errors import Invalid
from darkroom.images.header import read_header
from darkroom.images.source import NotAnImage
from darkroom.jobs.contract import starting_pictures
from darkroom.jobs.pictures import check_batch, extract
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


def wrapped(columns: int, end: str, text: str = PICTURE) -> str:
    """Base64 in lines, as `base64`, mail programs and PEM tools write it."""
    return end.join(text[at : at + columns] for at in range(0, len(text), columns))


@pytest.mark.parametrize(
    "text",
    [
        wrapped(60, "\n"),
        wrapped(76, "\r\n"),
        wrapped(64, "\n") + "\n",
        wrapped(4, " "),
        f"\n  {PICTURE}  \n",
        "data:image/png;base64," + wrapped(76, "\n"),
        " data:image/png;base64," + PICTURE,
        "DATA:IMAGE/PNG;base64," + PICTURE,
        "data:;base64," + PICTURE,
        "data:application/octet-stream;name=a.png;base64," + PICTURE,
        "data:image/png;name=a%20b.png;base64," + PICTURE,
        'data:image/png;name="a; b, c.png";base64,' + PICTURE,
        PICTURE.rstrip("="),
        PICTURE.translate(str.maketrans("+/", "-_")),
    ],
)
@pytest.mark.parametrize(
    "place",
    [
        lambda text: {"init_images": [text]},
        lambda text: {"script_args": [1, {"deep": [text]}]},
        lambda text: {"alwayson_scripts": {"reactor": {"args": [text]}}},
    ],
)
def test_base64_is_read_however_it_is_written(place: Callable[[str], dict[str, Any]], text: str) -> None:
    remaining, extracted, _ = extract(place(text))
    assert [picture.content for picture in extracted] == [png()]
    assert f"image:{extracted[0].name}" in str(remaining)


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"firstpass_image": PICTURE, "latent_mask": PICTURE}, ["firstpass_image", "latent_mask"]),
        ({"init_images": [{"image": PICTURE, "mask": PICTURE}]}, ["init", "init_images_0_mask"]),
        ({"init_images": [{"background": PICTURE, "foreground": PICTURE}]}, ["init", "init_images_0_foreground"]),
        ({"mask": {"image": PICTURE}, "image": {"background": PICTURE}}, ["mask", "init"]),
        (
            {"alwayson_scripts": {"ControlNet": {"args": [{"image": {"background": PICTURE, "foreground": PICTURE}}]}}},
            ["controlnet_args_0_image_background", "controlnet_args_0_image_foreground"],
        ),
        (
            {"alwayson_scripts": {"controlnet": {"args": [{"image_fg": PICTURE, "effective_region_mask": PICTURE}]}}},
            ["controlnet_args_0_image_fg", "controlnet_args_0_effective_region_mask"],
        ),
    ],
)
def test_every_place_of_a_picture_has_its_name(fields: dict[str, Any], names: list[str]) -> None:
    _, extracted, _ = extract(fields)
    assert [picture.name for picture in extracted] == names


SVG = b'<?xml version="1.0"?><!-- drawn by hand --><svg xmlns="http://www.w3.org/2000/svg"><rect width="9"/></svg>'
FOREIGN = {
    "GIF": encoded(Image.new("P", (64, 64)), "GIF"),
    "BMP": encoded(Image.new("RGB", (64, 64)), "BMP"),
    "TIFF": encoded(Image.new("RGB", (64, 64)), "TIFF"),
    "AVIF": encoded(Image.new("RGB", (64, 64)), "AVIF"),
    "JPEG 2000": encoded(Image.new("RGB", (64, 64)), "JPEG2000"),
    "ICO": encoded(Image.new("RGB", (64, 64)), "ICO"),
    "ICNS": encoded(Image.new("RGB", (64, 64)), "ICNS"),
    "DDS": encoded(Image.new("RGB", (64, 64)), "DDS"),
    "QOI": encoded(Image.new("RGB", (64, 64)), "QOI"),
    "Netpbm": encoded(Image.new("RGB", (64, 64)), "PPM"),
    "HEIC": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64),
    "JPEG XL": b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(64),
    "JPEG XL (bare)": b"\xff\x0a" + bytes(300),
    "PCX": encoded(Image.new("RGB", (64, 64)), "PCX"),
    "SGI": encoded(Image.new("RGB", (64, 64)), "SGI"),
    "MNG": b"\x8aMNG\r\n\x1a\n" + bytes(64),
    "WMF": b"\xd7\xcd\xc6\x9a\0\0" + bytes(64),
    "EMF": b"\1\0\0\0" + bytes(36) + b" EMF" + bytes(64),
    "PSD": b"8BPS\0\1" + bytes(64),
    "SVG": SVG,
}
"""Pictures of formats that are not taken."""


def base64_of(content: bytes) -> str:
    return base64.b64encode(content).decode()


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize(
    ("place", "loc"),
    [
        (lambda text: {"init_images": [text]}, ("init_images", 0)),
        (lambda text: {"mask": "data:image/png;base64," + text}, ("mask",)),
        (lambda text: {"firstpass_image": text}, ("firstpass_image",)),
        (lambda text: {"script_args": [wrapped(76, "\n", text)]}, ("script_args", 0)),
        (
            lambda text: {"alwayson_scripts": {"detailer": {"args": [{"deep": text}]}}},
            ("alwayson_scripts", "detailer", "args", 0, "deep"),
        ),
        (lambda text: {"script_args": ["data:image/gif;base64," + text]}, ("script_args", 0)),
    ],
)
def test_a_picture_of_another_format_is_refused_by_name_wherever_it_stands(
    place: Callable[[str], dict[str, Any]], loc: tuple[str | int, ...], name: str
) -> None:
    with pytest.raises(Invalid, match=name.partition(" (")[0]) as refused:
        extract(place(base64_of(FOREIGN[name])))
    assert refused.value.code == "image_unreadable"
    assert [error.loc for error in refused.value.errors] == [("body", "parameters", *loc)]


@pytest.mark.parametrize("name", FOREIGN)
def test_an_uploaded_picture_of_another_format_is_refused_in_the_same_words(name: str) -> None:
    with pytest.raises(NotAnImage) as uploaded:
        read_header(FOREIGN[name])
    with pytest.raises(Invalid) as inside:
        extract({"script_args": [base64_of(FOREIGN[name])]})
    assert str(uploaded.value) in str(inside.value)


@pytest.mark.parametrize(
    "text",
    [
        "/workspace/models/diffusers/outputs/samples/" * 5,
        "a" * 400,
        "BM" + "aGVsbG8" * 40,
        base64_of(b"BM" + bytes(range(1, 200))),
        base64_of(b"%PDF-1.7" + bytes(300)),
        base64_of(bytes(400)),
        base64_of(b"\0\0\0\x18ftypisom" + bytes(300)),
        "<svg xmlns='http://www.w3.org/2000/svg'>" + "<g/>" * 50,
        "iVBORw0KGgo= is how every PNG file begins when it is written in base64, and this is no picture.",
        "data:text/plain;base64," + base64_of(b"hello" * 40),
        "data:application/json," + "%7B%7D" * 40,
    ],
)
def test_text_in_the_arguments_of_a_script_stays_text(text: str) -> None:
    fields: dict[str, Any] = {"script_args": [text, "", None, True]}
    assert extract(fields) == (fields, [], {})


def test_a_batch_starts_from_as_many_pictures_as_it_has_at_most() -> None:
    fields, extracted, _ = extract({"init_images": [PICTURE, PICTURE, PICTURE], "batch_size": 3})
    assert [picture.name for picture in extracted] == ["init", "init_2", "init_3"]
    assert starting_pictures(fields) == ("init", "init_2", "init_3")
    check_batch("img2img", fields)
    check_batch("txt2img", {**fields, "batch_size": None})
    for size in (None, 1, 2):
        with pytest.raises(Invalid, match="set batch_size to 3") as refused:
            check_batch("img2img", {**fields, "batch_size": size})
        assert (refused.value.code, refused.value.errors[0].loc[-1]) == ("too_many_images", "init_images")


@pytest.mark.parametrize("entries", [None, [], ["image:init"], ["image:photo"], ["", "image:init"], "image:init", [{}]])
def test_a_job_with_one_picture_starts_from_init(entries: Any) -> None:
    assert starting_pictures({"init_images": entries}) == ("init",)


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
