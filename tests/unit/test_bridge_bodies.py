"""What of a call, and of the settings that a client chose, becomes the body of a job."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from darkroom_bridge.bodies import MAX_INLINE
from darkroom_bridge.options import MAX_FILES, Options, file_of
from darkroom_bridge.problems import Problem
from tests.unit.bridge_stage import FakeDarkroom, base64_png, bridge

TITLE = "SD15/v1-5.safetensors [6ce0161689]"


def body_of(webui: httpx.Client, darkroom: FakeDarkroom, call: str = "txt2img", **said: Any) -> dict[str, Any]:
    """What reaches Darkroom of a call."""
    answer = webui.post(f"/sdapi/v1/{call}", json=said)
    assert answer.status_code == 200, answer.text
    return darkroom.bodies[-1]


def test_the_first_checkpoint_is_taken_until_one_is_chosen() -> None:
    darkroom = FakeDarkroom()
    with bridge(darkroom) as webui:
        assert webui.get("/sdapi/v1/options").json()["sd_model_checkpoint"] == TITLE
        assert body_of(webui, darkroom)["checkpoint"] == TITLE
        assert webui.post("/sdapi/v1/options", json={"sd_model_checkpoint": "XL"}).json() is None
        assert webui.get("/sdapi/v1/options").json()["sd_model_checkpoint"] == "xl.safetensors"
        assert body_of(webui, darkroom)["checkpoint"] == "XL"
        own = body_of(webui, darkroom, override_settings={"sd_model_checkpoint": "v1-5"})
        assert (own["parameters"]["override_settings"], "checkpoint" in own) == ({"sd_model_checkpoint": "v1-5"}, False)
        assert "checkpoint" not in body_of(webui, darkroom, infotext="Steps: 1, Seed: 1, Model hash: 6ce0161689")
        refused = webui.post("/sdapi/v1/options", json={"sd_model_checkpoint": "lost"})
        assert (refused.status_code, refused.json()["errors"]) == (500, "model 'lost' not found")


@pytest.mark.parametrize(
    "name", [TITLE, "v1-5", "V1-5.SAFETENSORS", "SD15\\v1-5", "SD15_v1-5", "6ce0161689", "0badc0de"]
)
def test_every_spelling_of_a_checkpoint_can_be_chosen(name: str) -> None:
    with bridge(FakeDarkroom()) as webui:
        assert webui.post("/sdapi/v1/options", json={"sd_model_checkpoint": name}).status_code == 200


def test_settings_that_change_pictures_go_along_and_those_of_the_body_win() -> None:
    darkroom = FakeDarkroom()
    with bridge(darkroom) as webui:
        all_back = webui.get("/sdapi/v1/options").json()
        webui.post("/sdapi/v1/options", json=all_back)
        assert body_of(webui, darkroom)["parameters"]["override_settings"] == {}
        chosen = {"CLIP_stop_at_last_layers": 2, "sd_vae": "vae-ft", "outdir_samples": "/x", "deepbooru_escape": False}
        webui.post("/sdapi/v1/options", json=chosen)
        assert chosen.items() <= webui.get("/sdapi/v1/options").json().items()
        sent = body_of(webui, darkroom, override_settings={"CLIP_stop_at_last_layers": 3, "eta_ddim": 1})
        assert sent["parameters"]["override_settings"] == {
            "CLIP_stop_at_last_layers": 3,
            "sd_vae": "vae-ft",
            "eta_ddim": 1,
        }
        sent = body_of(webui, darkroom, "interrogate", image=base64_png(), model="deepdanbooru")
        assert sent["type"] == "interrogate_deepbooru"
        assert sent["parameters"]["override_settings"] == {"deepbooru_escape": False}
        assert webui.post("/sdapi/v1/options", json={"sd_vae": "lost"}).status_code == 500
        assert webui.post("/sdapi/v1/options", json={"sd_vae": "None"}).status_code == 200


def test_the_body_goes_on_as_it_is_without_the_task() -> None:
    darkroom = FakeDarkroom()
    with bridge(darkroom) as webui:
        said: dict[str, Any] = {
            "prompt": "a pier",
            "alwayson_scripts": {"x": {"args": [1]}},
            "unheard_of": [1],
            "s_tmax": 1e9,
        }
        sent = body_of(webui, darkroom, **said, force_task_id="task(1)")["parameters"]
        assert sent == {**said, "override_settings": {}}
        webui.post("/sdapi/v1/txt2img", content='{"s_tmax": Infinity, "eta": 1e999}')
        assert darkroom.bodies[-1]["parameters"]["s_tmax"] == "Infinity"


def test_a_batch_of_pictures_to_enlarge_is_a_job_for_each() -> None:
    darkroom = FakeDarkroom()
    with bridge(darkroom) as webui:
        images = [{"data": base64_png(colour), "name": colour} for colour in ("red", "lime", "blue")]
        webui.post("/sdapi/v1/extra-batch-images", json={"imageList": images, "upscaler_1": "Lanczos"})
    assert {body["parameters"]["image"] for body in darkroom.bodies} == {image["data"] for image in images}
    assert {(body["type"], body["parameters"]["upscaler_1"]) for body in darkroom.bodies} == {("extras", "Lanczos")}


def test_large_pictures_are_uploaded_and_named() -> None:
    darkroom = FakeDarkroom()
    noise = b"\x89PNG\r\n\x1a\n" + bytes(number * number % 251 for number in range(MAX_INLINE))
    large = base64.b64encode(noise).decode()
    unit = {"args": [{"image": f"data:image/png;base64,{large}", "module": "canny"}]}
    with bridge(darkroom) as webui:
        said = {"init_images": [large], "mask": large, "prompt": large[:100], "alwayson_scripts": {"controlnet": unit}}
        body = body_of(webui, darkroom, "img2img", **said)
        small = body_of(webui, darkroom, "img2img", init_images=[base64_png()])
    digest = hashlib.sha256(noise).hexdigest()
    assert darkroom.uploads == {digest: noise}
    assert body["images"] == dict.fromkeys(("init", "mask", "picture"), digest)
    assert body["parameters"]["init_images"] == ["image:init"]
    assert body["parameters"]["mask"] == "image:mask"
    assert body["parameters"]["alwayson_scripts"]["controlnet"]["args"][0]["image"] == "image:picture"
    assert ("images" in small, small["parameters"]["init_images"]) == (False, [base64_png()])


def test_settings_are_kept_for_each_key_where_nobody_else_reads_them(tmp_path: Path) -> None:
    darkroom = FakeDarkroom()
    with bridge(darkroom, folder=tmp_path / "kept") as webui:
        webui.post("/sdapi/v1/options", json={"samples_format": "webp", "my_own": [1]})
        ben = {"Authorization": "Bearer b-key"}
        assert "my_own" not in webui.get("/sdapi/v1/options", headers=ben).json()
    [file] = (tmp_path / "kept").iterdir()
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert "a-key" not in file.name + file.read_text()
    with bridge(darkroom, folder=tmp_path / "kept") as webui:
        assert webui.get("/sdapi/v1/options").json()["my_own"] == [1]
        assert body_of(webui, darkroom)["parameters"]["override_settings"] == {"samples_format": "webp"}


def test_kept_settings_are_bounded_and_a_damaged_file_does_no_harm(tmp_path: Path) -> None:
    for number in range(MAX_FILES + 3):
        Options(file_of(tmp_path, str(number))).change({"n": number})
    assert len(list(tmp_path.iterdir())) == MAX_FILES
    with pytest.raises(Problem, match="at most"):
        Options().change({"x": "x" * 300_000})
    file = tmp_path / "options-damaged.json"
    file.write_text("{")
    options = Options(file)
    options.change({"n": 1})
    assert json.loads(file.read_text()) == {"n": 1}
    assert options.all()["samples_format"] == "png"
