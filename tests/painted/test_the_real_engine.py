"""Whole jobs through the local stack, painted by the engine `diffusers` with tiny random models.

`make test-worker` runs this in the environment of the stack; the worker runs in its own.
"""

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from bench.likeness import likeness, painted, pictures
from darkroom_client import Darkroom
from darkroom_client.answers import Job
from local import stack
from local.home import Home

CHECKPOINT = "tiny-sd15.safetensors"
SMALL = {"steps": 4, "seed": 7, "width": 64, "height": 64}


@pytest.fixture(scope="module")
def darkroom(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Darkroom]:
    home = Home(tmp_path_factory.mktemp("home"))
    try:
        up = stack.up(home, print, stack.Painter("diffusers"))
        with Darkroom(up.api, home.key_file.read_text()) as client:
            yield client
    finally:
        stack.down(home)


def settled(darkroom: Darkroom, body: dict[str, Any]) -> Job:
    given = {"checkpoint": CHECKPOINT, **body, "parameters": {**SMALL, **body.get("parameters", {})}}
    return darkroom.settled(darkroom.submit(given)["id"], 120)


def picture_of(darkroom: Darkroom, job: Job) -> Image.Image:
    assert job["status"] == "succeed", job["error"]
    [image] = job["images"]
    return Image.open(io.BytesIO(darkroom.download(image["url"])), formats=["PNG"])


def test_the_shelf_has_the_files_of_the_folder(darkroom: Darkroom) -> None:
    rows = darkroom.request("GET", "/checkpoints?limit=100")["checkpoints"]
    assert {"stable-diffusion", "vae", "lora", "hypernetwork", "embedding", "controlnet", "upscaler"} <= {
        row["kind"] for row in rows
    }


def test_a_picture_is_painted_from_a_prompt_with_a_lora(darkroom: Darkroom) -> None:
    plain = settled(darkroom, {"type": "txt2img", "parameters": {"prompt": "a pier"}})
    assert picture_of(darkroom, plain).size == (64, 64)
    again = settled(darkroom, {"type": "txt2img", "parameters": {"prompt": "a pier"}})
    assert picture_of(darkroom, again).tobytes() == picture_of(darkroom, plain).tobytes()
    styled = settled(darkroom, {"type": "txt2img", "parameters": {"prompt": "a pier <lora:tiny-sd15-lora:1>"}})
    assert styled["models"] == {"lora": ["tiny-sd15-lora.safetensors"]}
    assert picture_of(darkroom, styled).tobytes() != picture_of(darkroom, plain).tobytes()


def test_a_picture_is_painted_within_its_mask(darkroom: Darkroom) -> None:
    init, mask = Image.new("RGB", (64, 64), "teal"), Image.new("L", (64, 64))
    mask.paste(255, (16, 16, 48, 48))
    pictures = {}
    for name, picture in {"init": init, "mask": mask}.items():
        content = io.BytesIO()
        picture.save(content, "PNG")
        pictures[name] = darkroom.upload(content.getvalue())
    body = {"type": "img2img", "mode": "inpaint", "images": pictures, "parameters": {"mask_blur": 0, "steps": 6}}
    painted = picture_of(darkroom, settled(darkroom, body)).convert("RGB")
    assert painted.getpixel((0, 0)) == painted.getpixel((63, 63)) == init.getpixel((0, 0))
    assert painted.crop((16, 16, 48, 48)).getcolors(1) is None


def test_what_the_engine_does_not_know_fails_with_its_name(darkroom: Darkroom) -> None:
    with_script = {"prompt": "a pier", "alwayson_scripts": {"Wildcards": {"args": [True, "x"]}}}
    job = settled(darkroom, {"type": "txt2img", "parameters": with_script})
    assert job["error"] is not None
    assert (job["error"]["code"], "wildcards" in job["error"]["message"]) == ("script_unknown", True)


def test_a_controlnet_looks_at_a_picture_in_the_body(darkroom: Darkroom) -> None:
    edges, content = Image.new("RGB", (64, 64)), io.BytesIO()
    edges.paste("white", (16, 16, 48, 48))
    edges.save(content, "PNG")

    def painted(module: str) -> Job:
        unit = {"enabled": True, "module": module, "model": "tiny-sd15-canny", "processor_res": 64}
        unit["image"] = base64.b64encode(content.getvalue()).decode()
        parameters = {"prompt": "a pier", "alwayson_scripts": {"ControlNet": {"args": [unit]}}}
        return settled(darkroom, {"type": "txt2img", "parameters": parameters})

    steered = painted("canny")
    assert steered["models"] == {"controlnet": ["tiny-sd15-canny.safetensors"]}
    plain = settled(darkroom, {"type": "txt2img", "parameters": {"prompt": "a pier"}})
    assert picture_of(darkroom, steered).tobytes() != picture_of(darkroom, plain).tobytes()
    error = painted("openpose")["error"]
    assert error is not None
    assert (error["code"], "--for openpose" in error["message"]) == ("files_missing", True)


def test_a_picture_that_is_painted_anew_from_its_infotext_is_the_same(darkroom: Darkroom, tmp_path: Path) -> None:
    body = {"type": "txt2img", "parameters": {"prompt": "a pier, (fog:1.2)", "negative_prompt": "blurry"}}
    original = picture_of(darkroom, settled(darkroom, body))
    notes = PngInfo()
    notes.add_text("parameters", original.info["parameters"])
    original.save(tmp_path / "a.png", pnginfo=notes)
    Image.new("RGB", (8, 8)).save(tmp_path / "without text.png")
    [(path, picture, text)] = pictures(tmp_path)
    assert path.name == "a.png"
    assert likeness(picture, painted(darkroom, text)).equal == 1


def test_pictures_that_differ_are_told_apart() -> None:
    black, grey = Image.new("RGB", (10, 10)), Image.new("RGB", (10, 10))
    grey.paste((51, 51, 51), (0, 0, 10, 5))
    like = likeness(black, grey)
    assert (like.difference, like.equal) == (25.5, 0.5)
    assert 16 < like.decibels < 18
