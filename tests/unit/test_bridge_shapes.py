"""Every answer of the bridge has the shape that the WebUI's answer has."""

import base64
import io
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from darkroom.webui.__main__ import as_json
from darkroom_client import answers
from local.home import ROOT
from tests.support.webui_shapes import ANSWERS, ERROR, GETS, INFO, INVALID, NO_MEANING, POSTS, differences
from tests.unit.bridge_stage import PICTURE, FakeDarkroom, base64_png, bridge, job_of, result_of

JPEG = "image/jpeg"


@pytest.fixture(scope="module")
def darkroom() -> FakeDarkroom:
    return FakeDarkroom()


@pytest.fixture(scope="module")
def webui(darkroom: FakeDarkroom) -> Iterator[httpx.Client]:
    with bridge(darkroom) as http:
        yield http


BODIES: dict[str, dict[str, Any]] = {
    "/sdapi/v1/txt2img": {"prompt": "a pier", "batch_size": 2, "seed": 5},
    "/sdapi/v1/img2img": {"prompt": "a pier", "init_images": [base64_png()]},
    "/sdapi/v1/extra-single-image": {"image": base64_png()},
    "/sdapi/v1/extra-batch-images": {"imageList": [{"data": base64_png(), "name": "a"}, {"data": base64_png()}]},
    "/sdapi/v1/interrogate": {"image": base64_png()},
    "/sdapi/v1/png-info": {"image": base64_png()},
}


@pytest.mark.parametrize("path", GETS)
def test_lists_and_states(webui: httpx.Client, path: str) -> None:
    answer = webui.get(path)
    assert answer.status_code == 200, answer.text
    assert differences(GETS[path], answer.json()) == []


@pytest.mark.parametrize("path", POSTS)
def test_calls_without_a_body(webui: httpx.Client, path: str) -> None:
    answer = webui.post(path)
    assert answer.status_code == 200, answer.text
    assert differences(POSTS[path], answer.json()) == []


@pytest.mark.parametrize("path", ANSWERS)
def test_calls_about_pictures(webui: httpx.Client, path: str) -> None:
    answer = webui.post(path, json=BODIES[path])
    assert answer.status_code == 200, answer.text
    assert differences(ANSWERS[path], answer.json()) == []


def test_the_pictures_are_those_of_the_cloud_byte_for_byte(webui: httpx.Client) -> None:
    told = webui.post("/sdapi/v1/txt2img", json={"prompt": "a pier", "batch_size": 2}).json()
    assert [base64.b64decode(image) for image in told["images"]] == [PICTURE, PICTURE]
    assert webui.post("/sdapi/v1/txt2img", json={"send_images": False}).json()["images"] == []


def test_parameters_are_the_request_with_the_defaults_of_1_10(webui: httpx.Client) -> None:
    sent = {"prompt": "a pier", "steps": 12, "distilled_cfg_scale": 3.5, "unheard_of": 1}
    told = webui.post("/sdapi/v1/txt2img", json=sent).json()["parameters"]
    assert (told["prompt"], told["steps"], told["cfg_scale"], told["sampler_index"]) == ("a pier", 12, 7.0, "Euler")
    assert told["distilled_cfg_scale"] == 3.5
    assert told["hr_scale"] == 2.0
    assert told["save_images"] is False
    assert {"unheard_of", "hr_cfg"}.isdisjoint(told)
    told = webui.post("/sdapi/v1/img2img", json={"init_images": [base64_png()], "mask": None}).json()["parameters"]
    assert (told["init_images"], told["denoising_strength"]) == (None, 0.75)
    kept = {"init_images": [base64_png()], "include_init_images": True}
    assert webui.post("/sdapi/v1/img2img", json=kept).json()["parameters"]["init_images"] == [base64_png()]


def test_info_tells_seeds_and_infotexts_in_the_webuis_order(webui: httpx.Client) -> None:
    said = {"prompt": "a pier", "batch_size": 2, "seed": 5, "subseed": 9}
    told = json.loads(webui.post("/sdapi/v1/txt2img", json=said).json()["info"])
    assert list(told) == list(INFO)
    assert (told["seed"], told["all_seeds"], told["all_subseeds"]) == (5, [5, 6], [9, 10])
    assert [text.split("\n")[0] for text in told["infotexts"]] == ["a pier", "a pier"]
    assert (told["sampler_name"], told["steps"], told["width"], told["clip_skip"]) == ("Euler a", 20, 64, 2)
    assert (told["sd_model_name"], told["sd_model_hash"]) == ("v1-5", "6ce0161689")
    assert told["extra_generation_params"] == {"Hires upscaler": "Latent"}


@pytest.mark.parametrize("path", NO_MEANING)
def test_what_has_no_meaning_is_501_with_a_sentence(webui: httpx.Client, path: str) -> None:
    answer = webui.post(path, json={})
    assert answer.status_code == 501
    assert differences(ERROR, answer.json()) == []
    assert answer.json()["detail"].endswith(".")


def test_paths_methods_and_bodies_that_are_not_there(webui: httpx.Client) -> None:
    missing = webui.get("/sdapi/v1/nothing")
    assert (missing.status_code, missing.json()) == (404, {"detail": "Not Found"})
    wrong = webui.get("/sdapi/v1/txt2img")
    assert (wrong.status_code, wrong.json()) == (405, {"detail": "Method Not Allowed"})
    for content in (b"{", b"[]", b'"x"', b"\xff"):
        answer = webui.post("/sdapi/v1/txt2img", content=content)
        assert answer.status_code == 422
        assert differences(INVALID, answer.json()) == []
    answer = webui.post("/sdapi/v1/img2img", json={"prompt": "no picture"})
    assert (answer.status_code, answer.json()["detail"]) == (404, "Init image not found")
    assert differences(ERROR, answer.json()) == []
    assert webui.post("/sdapi/v1/interrogate", json={"image": base64_png(), "model": "?"}).status_code == 404


def test_a_refusal_and_a_failure_are_told_as_the_webui_tells_them(webui: httpx.Client, darkroom: FakeDarkroom) -> None:
    field = {"loc": ["body", "parameters", "width"], "msg": "is too large"}
    darkroom.refusal = 422, {"code": "invalid_request", "detail": "The request is not valid", "errors": [field]}
    answer = webui.post("/sdapi/v1/txt2img", json={"width": 9000})
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["body", "width"])
    assert differences(INVALID, answer.json()) == []
    darkroom.refusal = 422, {"code": "checkpoint_not_active", "detail": "There is no file lost.safetensors."}
    answer = webui.post("/sdapi/v1/txt2img", json={})
    assert (answer.status_code, answer.json()["errors"]) == (422, "There is no file lost.safetensors.")
    assert differences(ERROR, answer.json()) == []
    darkroom.refusal = 429, {"code": "too_many_open_jobs", "detail": "You have 200 open jobs."}
    assert webui.post("/sdapi/v1/txt2img", json={}).status_code == 500
    assert webui.post("/v1/images/generations", json={"prompt": "x"}).json()["error"]["type"] == "rate_limit_error"
    darkroom.refusal = None


def test_a_failed_job_is_500_with_the_workers_words(darkroom: FakeDarkroom) -> None:
    failing = FakeDarkroom(held=True)
    with bridge(failing) as webui:
        failing.held = False
        failing.end = lambda job_id, **_: failing.jobs[job_id].update(  # type: ignore[method-assign]
            status="fail", completed_at="2026-01-01T00:00:09Z", error={"code": "out_of_memory", "message": "Too large."}
        )
        answer = webui.post("/sdapi/v1/txt2img", json={})
    assert (answer.status_code, answer.json()) == (
        500,
        {"error": "out_of_memory", "detail": "Too large.", "body": "", "errors": "Too large."},
    )


def test_png_info_reads_png_and_jpeg(webui: httpx.Client) -> None:
    text = 'a pier, "sea"\nNegative prompt: fog\nSteps: 20, Seed: 5, Size: 64x72, Note: "a, b: c"'
    image, notes, out = Image.new("RGB", (8, 8)), PngInfo(), io.BytesIO()
    notes.add_text("parameters", text)
    notes.add_text("other", "kept")
    image.save(out, "PNG", pnginfo=notes)
    exif, jpeg = Image.Exif(), io.BytesIO()
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + text.encode("utf-16-be")
    image.save(jpeg, "JPEG", exif=exif)
    for content in (out.getvalue(), jpeg.getvalue()):
        told = webui.post("/sdapi/v1/png-info", json={"image": base64.b64encode(content).decode()}).json()
        assert told["info"] == text
        assert told["parameters"]["Prompt"] == 'a pier, "sea"'
        assert told["parameters"]["Negative prompt"] == "fog"
        assert (told["parameters"]["Size-1"], told["parameters"]["Size-2"]) == ("64", "72")
        assert (told["parameters"]["Note"], told["parameters"]["Clip skip"]) == ("a, b: c", "1")
    assert webui.post("/sdapi/v1/png-info", json={"image": "bm9wZQ=="}).status_code == 500


def test_the_document_names_every_call(webui: httpx.Client) -> None:
    paths = webui.get("/openapi.json").json()["paths"]
    assert {*GETS, *POSTS, *ANSWERS} - {"/internal/ping"} <= paths.keys()
    assert "/v1/images/edits" in paths


def test_config_has_what_the_photoshop_plugin_looks_for(webui: httpx.Client) -> None:
    components = webui.get("/config").json()["components"]
    by_id = {each["props"].get("elem_id"): each["props"] for each in components}
    assert "R-ESRGAN 4x+" in by_id["txt2img_hr_upscaler"]["choices"]
    assert by_id["setting_control_net_max_models_num"]["value"] == 3
    assert "canny" in next(
        each["props"]["choices"] for each in components if each["props"].get("label") == "Preprocessor"
    )


def test_names_of_model_files_are_those_of_the_webui(webui: httpx.Client) -> None:
    models = webui.get("/sdapi/v1/sd-models").json()
    assert [model["title"] for model in models] == ["SD15/v1-5.safetensors [6ce0161689]", "xl.safetensors"]
    assert [model["model_name"] for model in models] == ["SD15_v1-5", "xl"]
    assert "R-ESRGAN 4x+" in [each["name"] for each in webui.get("/sdapi/v1/upscalers").json()]
    assert webui.get("/sdapi/v1/embeddings").json()["loaded"]["easy"]["shape"] == 768
    assert webui.get("/controlnet/model_list").json() == {"model_list": ["canny [abababab]"]}


def test_the_bridges_copy_of_the_tables_is_not_old() -> None:
    assert (ROOT / "bridge/src/darkroom_bridge/webui.json").read_text() == as_json(), "run `make capabilities`"


def test_the_fake_tells_jobs_with_the_fields_of_real_ones() -> None:
    job = job_of(
        "01900000-0000-7000-8000-000000000001",
        BODIES["/sdapi/v1/txt2img"] | {"type": "txt2img", "parameters": {}},
        "anna",
    )
    assert job.keys() == answers.Job.__required_keys__
    assert result_of(job)["images"][0].keys() == answers.Picture.__required_keys__
