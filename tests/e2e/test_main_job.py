"""Every type and mode, from the picture to the line in the history."""

import base64
import hashlib
import json
from io import BytesIO
from typing import Any

import pytest
from PIL import Image, ImageDraw

from darkroom_client.answers import Job
from local.seed import CHECKPOINT
from tests.e2e.conftest import Running, txt2img
from tests.support.pictures import encoded, png

INIT = Image.effect_mandelbrot((128, 96), (-2, -1, 1, 1), 40).convert("RGB")
BOX = (32, 24, 96, 72)


def mask() -> Image.Image:
    made = Image.new("L", INIT.size, 0)
    ImageDraw.Draw(made).rectangle((BOX[0], BOX[1], BOX[2] - 1, BOX[3] - 1), fill=255)
    return made


def sketch() -> Image.Image:
    made = INIT.copy()
    ImageDraw.Draw(made).rectangle((BOX[0], BOX[1], BOX[2] - 1, BOX[3] - 1), fill=(255, 0, 255))
    return made


def painted(darkroom: Running, body: dict[str, Any]) -> tuple[Job, Image.Image, bytes]:
    job = darkroom.client.settled(darkroom.client.submit(body)["id"], 30)
    assert job["status"] == "succeed", job["error"]
    content = darkroom.client.download(job["images"][0]["url"])
    return job, Image.open(BytesIO(content), formats=["png"]), content


def test_txt2img_ends_in_the_history_with_its_picture_byte_for_byte(darkroom: Running) -> None:
    job, picture, content = painted(darkroom, txt2img(width=128, height=64, steps=12, batch_size=2))
    assert picture.size == (128, 64)
    assert job["image_count"] == 2
    assert job["images"][0]["sha256"] == hashlib.sha256(content).hexdigest()
    assert job["images"][0]["bytes"] == len(content)
    infotext = picture.info["parameters"]
    assert infotext == job["infotexts"][0]
    assert infotext.startswith("a pier\nSteps: 12, Sampler: ")
    assert "Seed: 1, Size: 128x64, " in infotext
    assert "Model: v1-5-pruned-emaonly" in infotext
    newest = darkroom.client.page(limit=1)["jobs"][0]
    assert newest["label"] == f"{job['created_at']}->txt2img->succeed->{job['id']}"
    assert newest["thumbnail"]
    assert job["timings"] is not None
    assert job["started_at"] is not None


@pytest.mark.parametrize("mode", ["img2img", "sketch", "inpaint", "inpaint_upload", "inpaint_sketch"])
def test_every_img2img_mode_paints_from_its_pictures(darkroom: Running, mode: str) -> None:
    pictures = {"init": INIT}
    if mode in ("inpaint", "inpaint_upload"):
        pictures["mask"] = mask()
    if mode == "inpaint_sketch":
        pictures["sketch"] = sketch()
    images = {name: darkroom.client.upload(encoded(picture)) for name, picture in pictures.items()}
    parameters = {"prompt": "a pier", "seed": 3, "denoising_strength": 0.9, "mask_blur": 0}
    body = {"type": "img2img", "mode": mode, "checkpoint": CHECKPOINT, "images": images, "parameters": parameters}
    job, picture, _ = painted(darkroom, body)
    assert job["mode"] == mode
    assert picture.size == INIT.size
    assert picture.tobytes() != INIT.tobytes()
    if mode.startswith("inpaint"):
        outside = Image.composite(Image.new("RGB", INIT.size), INIT, mask())
        assert Image.composite(Image.new("RGB", INIT.size), picture, mask()).tobytes() == outside.tobytes()


@pytest.mark.parametrize("kind", ["interrogate_clip", "interrogate_deepbooru"])
def test_interrogate_answers_a_caption(darkroom: Running, kind: str) -> None:
    images = {"init": darkroom.client.upload(encoded(INIT))}
    job = darkroom.client.settled(darkroom.client.submit({"type": kind, "images": images})["id"], 30)
    assert job["status"] == "succeed"
    assert job["caption"]
    assert job["images"] == []


def test_extras_enlarges_a_picture_and_says_what_it_did_not_do(darkroom: Running) -> None:
    init = base64.b64encode(encoded(INIT)).decode()
    parameters = {"image": init, "upscaling_resize": 4, "upscaler_1": "Nearest", "codeformer_visibility": 0.5}
    job, picture, content = painted(darkroom, {"type": "extras", "parameters": parameters})
    assert picture.size == (512, 384)
    assert (job["checkpoint"], job["images"][0]["bytes"]) == (None, len(content))
    assert job["notices"] == ["This is a preview: no face was restored."]
    assert job["components"] is not None
    assert job["components"]["engine"] == "preview"
    assert job["thumbnail"] is not None
    assert job["thumbnail"] != job["images"][0]["url"]
    small = Image.open(BytesIO(darkroom.client.download(job["thumbnail"])), formats=["WEBP"])
    assert (small.format, small.size) == ("WEBP", (320, 240))


def test_an_unmodified_webui_body_with_pictures_inside_paints(darkroom: Running) -> None:
    def b64(picture: Image.Image) -> str:
        return base64.b64encode(encoded(picture)).decode()

    parameters = {
        "init_images": ["data:image/png;base64," + b64(INIT)],
        "mask": b64(mask()),
        "prompt": "large eyes",
        "s_tmax": float("inf"),
        "mask_blur": 0,
        "override_settings": {"sd_model_checkpoint": CHECKPOINT},
        "alwayson_scripts": {"controlnet": {"args": [{"input_image": b64(INIT), "module": "canny"}]}},
    }
    raw = json.dumps({"type": "img2img", "parameters": parameters})
    headers = {"Content-Type": "application/json"}
    made = darkroom.client.request("POST", "/jobs", content=raw, headers=headers)
    job = darkroom.client.settled(made["id"], 30)
    assert (job["status"], job["mode"]) == ("succeed", "inpaint")
    assert sorted(picture["name"] for picture in job["inputs"]) == ["controlnet_args_0_input_image", "init", "mask"]
    extracted = {picture["name"]: darkroom.client.download(picture["url"]) for picture in job["inputs"]}
    assert extracted["init"] == encoded(INIT)


def test_a_job_too_large_for_the_invoke_goes_through_s3(darkroom: Running) -> None:
    job, _, _ = painted(darkroom, txt2img(width=64, height=64, notes=["x" * 1000] * 200))
    assert f"jobs/{job['id']}/input.json" in darkroom.objects(f"jobs/{job['id']}/")


def test_the_same_picture_is_uploaded_once(darkroom: Running) -> None:
    content = png(64, 64, (9, 8, 7))
    body = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), "content_type": "image/png"}
    assert darkroom.client.request("POST", "/images", json=body)["upload"]
    darkroom.client.upload(content)
    assert darkroom.client.request("POST", "/images", json=body)["upload"] is None


def test_deleting_a_job_leaves_nothing_of_it(darkroom: Running) -> None:
    job, _, _ = painted(darkroom, txt2img(width=64, height=64))
    assert darkroom.objects(f"jobs/{job['id']}/")
    darkroom.client.request("DELETE", f"/jobs/{job['id']}")
    assert darkroom.objects(f"jobs/{job['id']}/") == []
    assert job["id"] not in [line["id"] for line in darkroom.client.history(limit=100)]
