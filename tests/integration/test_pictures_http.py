"""Pictures over HTTP: how they are turned, what is refused, and what becomes of several."""

import base64
import random
from typing import Any

import pytest
from PIL import Image

from tests.support.http import call
from tests.support.picture_files import PLACES, before_pixels, chunk, file_of
from tests.support.pictures import png
from tests.support.stage import Stage

CHECKPOINT = "v1-5.safetensors"
TURNED = ["PNG: eXIf", "PNG: eXIf after the pixels", "PNG: XMP", "WebP: EXIF", "WebP: XMP", "JPEG: EXIF", "JPEG: XMP"]


def img2img(**more: Any) -> dict[str, Any]:
    return {"type": "img2img", "checkpoint": CHECKPOINT, "parameters": {"prompt": "a pier"}, **more}


def b64(content: bytes, columns: int = 10_000_000) -> str:
    text = base64.b64encode(content).decode()
    return "\n".join(text[at : at + columns] for at in range(0, len(text), columns))


@pytest.mark.parametrize("place", TURNED)
def test_a_mask_fits_the_picture_as_it_is_shown(stage: Stage, place: str) -> None:
    turned = PLACES[place](Image.new("RGB", (72, 40), "navy"), 6, "<")
    upright, lying = png(40, 72), png(72, 40)
    for mask, status in ((upright, 201), (lying, 422)):
        uploaded = {"init": stage.upload(turned), "mask": stage.upload(mask)}
        inside = {"init_images": [b64(turned)], "mask": b64(mask), "prompt": "a pier"}
        for body in (img2img(images=uploaded), img2img(parameters=inside)):
            reply = call("POST", "/jobs", body)
            assert reply.status == status
            assert status == 201 or reply.code == "image_sizes_differ"


def test_a_picture_with_a_long_text_is_taken(stage: Stage) -> None:
    text = random.Random(1).randbytes(2_000_000).hex().encode()
    content = before_pixels(png(64, 64), chunk(b"tEXt", b"workflow\0" + text))
    assert (
        call("POST", "/jobs", img2img(images={"init": stage.upload(content), "mask": stage.upload(png())})).status
        == 201
    )


def test_a_gif_is_refused_in_the_same_words_wherever_it_comes_from(stage: Stage) -> None:
    frames = [Image.frombytes("P", (300, 300), random.Random(n).randbytes(90_000)) for n in range(3)]
    gif = file_of(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert len(gif) > 270_000
    why = "it is a file of the format GIF, which is not taken; send a PNG, JPEG or WebP file"
    replies = [
        call("POST", "/jobs", img2img(images={"init": stage.upload(gif)})),
        call("POST", "/jobs", img2img(parameters={"init_images": [b64(gif)]})),
        call("POST", "/jobs", img2img(parameters={"init_images": [b64(png())], "script_args": [b64(gif, 76)]})),
        call(
            "POST", "/jobs", img2img(parameters={"init_images": [b64(png())], "x": "data:image/gif;base64," + b64(gif)})
        ),
    ]
    assert [(reply.status, reply.code) for reply in replies] == [(422, "image_unreadable")] * 4
    assert all(why in reply.json["detail"] for reply in replies)
    assert stage.rows() == []


def test_a_wrapped_picture_in_a_scripts_arguments_is_lifted_out(stage: Stage) -> None:
    pose = file_of(Image.frombytes("RGB", (300, 300), random.Random(1).randbytes(270_000)))
    parameters = {"prompt": "a pier", "alwayson_scripts": {"Detailer": {"args": [True, {"image": b64(pose, 60)}]}}}
    reply = call("POST", "/jobs", {"type": "txt2img", "checkpoint": CHECKPOINT, "parameters": parameters})
    assert reply.status == 201, reply.body
    [sent] = stage.sagemaker.invoked
    assert list(sent["images"]) == ["detailer_args_1_image"]
    assert sent["parameters"]["alwayson_scripts"] == {
        "Detailer": {"args": [True, {"image": "image:detailer_args_1_image"}]}
    }


def test_several_pictures_to_start_from_are_one_batch(stage: Stage) -> None:
    parameters = {"init_images": [b64(png(64, 64)), b64(png(64, 72))], "batch_size": 2, "prompt": "a pier"}
    reply = call("POST", "/jobs", img2img(parameters=parameters))
    assert reply.status == 201, reply.body
    [sent] = stage.sagemaker.invoked
    assert sent["parameters"]["init_images"] == ["image:init", "image:init_2"]
    assert sorted(sent["images"]) == ["init", "init_2"]


def test_more_pictures_than_the_batch_has_are_refused_by_name(stage: Stage) -> None:
    reply = call("POST", "/jobs", img2img(parameters={"init_images": [b64(png()), b64(png(64, 72))]}))
    assert (reply.status, reply.code) == (422, "too_many_images")
    assert reply.json["errors"][0]["loc"] == ["body", "parameters", "init_images"]
    assert "set batch_size to 2" in reply.json["detail"]
    assert stage.rows() == []
    assert stage.objects() == []


def test_uploaded_pictures_and_those_inside_count_together(stage: Stage) -> None:
    """As many as a worker takes, and not one more."""
    uploaded = stage.upload(png())
    images = {f"extra_{number}": uploaded for number in range(31)}
    body = img2img(parameters={"init_images": [b64(png())], "prompt": "a pier"}, images=images)
    assert call("POST", "/jobs", body).status == 201
    reply = call("POST", "/jobs", body | {"images": images | {"one_more": uploaded}})
    assert (reply.status, reply.code) == (422, "too_many_images")
    assert "at most 32" in reply.json["detail"]
    assert len(stage.rows()) == 1


def test_a_mask_must_fit_every_picture_of_the_batch(stage: Stage) -> None:
    parameters = {"init_images": [b64(png(64, 64)), b64(png(64, 72))], "mask": b64(png(64, 64)), "batch_size": 2}
    reply = call("POST", "/jobs", img2img(parameters=parameters))
    assert (reply.status, reply.code) == (422, "image_sizes_differ")
    assert "init_2 is 64x72" in reply.json["detail"]
