"""Models that a WebUI body names, over HTTP on moto: found in any place and spelling, or refused with their names."""

import hashlib
from typing import Any
from unicodedata import normalize

import pytest

from darkroom.checkpoints.model import ModelKey
from darkroom.webui.spelling import old_hash_of
from tests.support.http import Reply, call
from tests.support.models import safetensors
from tests.support.stage import Stage

CHECKPOINT = "v1-5.safetensors"
SHA = hashlib.sha256(b"v1-5").hexdigest()
TAG = "a pier <lora:film_grain:0.8>"
GONE = "a pier <lora:not_there:0.8>"


@pytest.fixture
def shelf(stage: Stage) -> Stage:
    """A stage with a shelf of every kind."""
    stage.dynamodb.put_item(
        TableName="models",
        Item={
            "kind": {"S": "stable-diffusion"},
            "name": {"S": CHECKPOINT},
            "status": {"S": "active"},
            "folder": {"S": "SD15"},
            "sha256": {"S": SHA},
            "old_hash": {"S": "81761151"},
        },
    )
    stage.dynamodb.put_item(
        TableName="models",
        Item={
            "kind": {"S": "lora"},
            "name": {"S": "film_grain.safetensors"},
            "status": {"S": "active"},
            "folder": {"S": "styles"},
            "aliases": {"L": [{"S": "FilmGrainXL"}]},
        },
    )
    for name, kind in (
        ("xl_refiner.safetensors", "stable-diffusion"),
        ("kl-f8.pt", "vae"),
        ("control_v11p_sd15_mlsd.pth", "controlnet"),
        ("RealESRGAN_x4plus.pth", "upscaler"),
        ("café_noir.safetensors", "lora"),
        ("net.pt", "hypernetwork"),
        ("EasyNegative.pt", "embedding"),
    ):
        stage.model(name, kind)
    return stage


def post(checkpoint: str | None = CHECKPOINT, /, **parameters: Any) -> Reply:
    beside = {"checkpoint": checkpoint} if checkpoint else {}
    return call("POST", "/jobs", {"type": "txt2img", **beside, "parameters": parameters})


def always(title: str, *args: Any) -> dict[str, Any]:
    return {"alwayson_scripts": {title: {"args": list(args)}}}


@pytest.mark.parametrize(
    ("parameters", "models"),
    [
        ({"hr_prompt": TAG, "enable_hr": True}, {"lora": ["film_grain.safetensors"]}),
        ({"prompt": "x <lora:FilmGrainXL:0.8>"}, {"lora": ["film_grain.safetensors"]}),
        ({"prompt": "x <lora:styles/film_grain:1>"}, {"lora": ["film_grain.safetensors"]}),
        ({"prompt": "x <lora:Film_Grain:1>"}, {"lora": ["film_grain.safetensors"]}),
        ({"prompt": f"x <lora:{normalize('NFD', 'café_noir')}:1>"}, {"lora": ["café_noir.safetensors"]}),
        ({"prompt": "x <hypernet:net:1>"}, {"hypernetwork": ["net.pt"]}),
        ({"negative_prompt": "easynegative, blurry"}, {"embedding": ["EasyNegative.pt"]}),
        (always("ADetailer", True, {"ad_model": "f.pt", "ad_prompt": TAG}), {"lora": ["film_grain.safetensors"]}),
        ({"refiner_checkpoint": "xl_refiner", "refiner_switch_at": 0.8},
         {"stable-diffusion": ["xl_refiner.safetensors"]}),
        ({"enable_hr": True, "hr_checkpoint_name": "XL_Refiner [0123456789]"},
         {"stable-diffusion": ["xl_refiner.safetensors"]}),
        ({"override_settings": {"sd_vae": "kl-f8.pt"}}, {"vae": ["kl-f8.pt"]}),
        (always("ControlNet", {"model": "control_v11p_sd15_mlsd [aca30ff0]"}),
         {"controlnet": ["control_v11p_sd15_mlsd.pth"]}),
        ({"script_name": "X/Y/Z plot", "script_args": [11, "v1-5, xl_refiner", []]},
         {"stable-diffusion": [CHECKPOINT, "xl_refiner.safetensors"]}),
        ({"enable_hr": True, "hr_upscaler": "R-ESRGAN 4x+"}, {"upscaler": ["RealESRGAN_x4plus.pth"]}),
        ({"infotext": f"{TAG}\nSteps: 20, Sampler: Euler, Seed: 5, Refiner: xl_refiner"},
         {"lora": ["film_grain.safetensors"], "stable-diffusion": ["xl_refiner.safetensors"]}),
    ],
)  # fmt: skip
def test_what_a_body_names_goes_to_the_worker(
    shelf: Stage, parameters: dict[str, Any], models: dict[str, list[str]]
) -> None:
    reply = post(**parameters)
    assert reply.status == 201, reply.body
    assert reply.json["models"] == models
    [sent] = shelf.sagemaker.invoked
    assert {kind: [file["name"] for file in files] for kind, files in sent["models"].items()} == models


def test_the_worker_learns_which_file_a_name_means(shelf: Stage) -> None:
    post("SD15/v1-5.safetensors [6ce0161689]", prompt="x <lora:FilmGrainXL:0.8>")
    [sent] = shelf.sagemaker.invoked
    assert sent["checkpoint"]["spellings"] == ["SD15/v1-5.safetensors [6ce0161689]"]
    assert sent["models"]["lora"][0]["spellings"] == ["FilmGrainXL"]


@pytest.mark.parametrize(
    ("parameters", "names"),
    [
        ({"hr_prompt": GONE, "enable_hr": True}, ["not_there (lora)"]),
        (always("ADetailer", True, {"ad_model": "f.pt", "ad_prompt": GONE}), ["not_there (lora)"]),
        ({"refiner_checkpoint": "gone"}, ["gone (stable-diffusion)"]),
        ({"enable_hr": True, "hr_checkpoint_name": "gone"}, ["gone (stable-diffusion)"]),
        ({"override_settings": {"sd_vae": "gone.pt"}}, ["gone.pt (vae)"]),
        (always("ControlNet", {"model": "gone [aca30ff0]"}), ["gone [aca30ff0] (controlnet)"]),
        ({"script_name": "x/y/z plot", "script_args": ["Checkpoint name", "gone, gone2", []]},
         ["gone (stable-diffusion)", "gone2 (stable-diffusion)"]),
        ({"enable_hr": True, "hr_upscaler": "R-ESRGAN 4x+ Anime6B"},
         ["R-ESRGAN 4x+ Anime6B (upscaler; RealESRGAN_x4plus_anime_6B.pth would be it)"]),
        ({"prompt": TAG, "script_name": "X/Y/Z plot", "script_args": ["Prompt S/R", "film_grain, gone", []]},
         ["gone (lora)"]),
        ({"script_name": "X/Y/Z plot", "script_args": ["[ControlNet] Model", "", ["gone"]]}, ["gone (controlnet)"]),
        ({"prompt": GONE, "refiner_checkpoint": "gone"}, ["not_there (lora)", "gone (stable-diffusion)"]),
    ],
)  # fmt: skip
def test_what_is_not_there_refuses_the_job_with_all_names(
    shelf: Stage, parameters: dict[str, Any], names: list[str]
) -> None:
    reply = post(**parameters)
    assert (reply.status, reply.code) == (422, "checkpoint_not_active")
    assert all(name in reply.json["detail"] for name in names), reply.json["detail"]
    assert all(error["loc"][:2] == ["body", "parameters"] for error in reply.json["errors"])
    assert shelf.rows() == []


@pytest.mark.parametrize(
    "parameters",
    [
        {"hr_prompt": GONE},
        {"prompt": GONE, "disable_extra_networks": True},
        {"prompt": f"a pier\n# {GONE}"},
        {"negative_prompt": GONE},
        {"enable_hr": False, "hr_upscaler": "gone", "hr_checkpoint_name": "gone"},
        always("Refiner", False, "gone", 0.8),
        always("ControlNet", {"enabled": False, "model": "gone"}),
        {"override_settings": {"sd_lora": "gone"}},
        {"prompt": GONE, "disable_extra_networks": "true"},
        always("ADetailer", True, {"ad_model": "face.pt", "ad_controlnet_model": "Passthrough"}),
        {"script_name": "X/Y/Z plot", "script_args": ["VAE", "auto, None", []]},
        {"script_name": "X/Y/Z plot", "script_args": [11, "", ["Euler a", "DPM++ 2M"]]},
    ],
)
def test_what_the_webui_would_not_load_is_left_alone(shelf: Stage, parameters: dict[str, Any]) -> None:
    reply = post(**parameters)
    assert (reply.status, reply.json.get("models")) == (201, {}), reply.body


@pytest.mark.parametrize("spelled", ["SD15/v1-5.safetensors [6ce0161689]", "v1-5", "V1-5", SHA[:10], "81761151"])
def test_a_checkpoint_is_found_in_either_field_by_every_spelling(shelf: Stage, spelled: str) -> None:
    for reply in (post(spelled), post(None, override_settings={"sd_model_checkpoint": spelled})):
        assert reply.status == 201, reply.body
        assert reply.json["checkpoint"] == CHECKPOINT


@pytest.mark.parametrize("said", [{}, {"override_settings": {"sd_vae": "Automatic"}}])
@pytest.mark.parametrize("vae", ["v1-5.vae.pt", "v1-5.safetensors", "V1-5.vae.safetensors"])
def test_automatic_means_the_vae_with_the_name_of_the_checkpoint(shelf: Stage, vae: str, said: dict[str, Any]) -> None:
    shelf.model("v1-5-other.vae.pt", "vae")
    assert post(**said).json["models"] == {}
    shelf.model(vae, "vae")
    shelf.configure()
    assert post(**said).json["models"] == {"vae": [vae]}
    assert post(override_settings={"sd_vae": "None"}).json["models"] == {"vae": ["None"]}
    assert shelf.sagemaker.invoked[-1]["models"]["vae"] == [{"name": "None", "s3": None}]


def test_a_file_that_was_just_uploaded_is_found_at_once(shelf: Stage) -> None:
    assert post(prompt="x <lora:new:1>").status == 422
    shelf.model("new.safetensors", "lora")
    assert post(prompt="x <lora:new:1>").status == 201


def test_a_replay_uses_the_files_of_the_first_run(shelf: Stage) -> None:
    first = post(prompt="x <lora:FilmGrainXL:1>", refiner_checkpoint="xl_refiner").json
    shelf.model("other.vae.pt", "vae")
    again = call("POST", f"/jobs/{first['id']}/replay").json
    assert again["models"] == first["models"]
    assert shelf.sagemaker.invoked[1]["models"] == shelf.sagemaker.invoked[0]["models"]


def upload(stage: Stage, kind: str, name: str, content: bytes, **more: Any) -> Reply:
    assert call("POST", "/checkpoints", {"kind": kind, "name": name, "size": len(content), **more}).status == 201
    row = stage.adapters.registry.get(ModelKey(kind, normalize("NFC", name)))  # type: ignore[arg-type]
    assert row is not None
    stage.s3.upload_part(Bucket="models", Key=row.object_key, UploadId=row.upload_id, PartNumber=1, Body=content)
    return call("POST", "/checkpoints/complete", {"kind": kind, "name": name})


def test_the_shelf_keeps_what_a_file_is_called(shelf: Stage) -> None:
    content = safetensors({"ss_output_name": "GrainOfFilm"}, data=b"\1" * 0x180000)
    digest = hashlib.sha256(content).hexdigest()
    row = upload(shelf, "lora", "grain2.safetensors", content, folder="styles/new", sha256=digest).json
    assert (row["aliases"], row["folder"]) == (["GrainOfFilm"], "styles/new")
    old_hash = old_hash_of(content[0x100000:0x110000])
    for name in ("GrainOfFilm", "styles/new/grain2", digest[:12], old_hash):
        assert post(prompt=f"x <lora:{name}:1>").json["models"] == {"lora": ["grain2.safetensors"]}, name


def test_rows_from_before_get_their_alias_when_they_are_listed(shelf: Stage) -> None:
    upload(shelf, "lora", "older.safetensors", safetensors({"ss_output_name": "Elder"}))
    key = {"kind": {"S": "lora"}, "name": {"S": "older.safetensors"}}
    shelf.dynamodb.update_item(TableName="models", Key=key, UpdateExpression="REMOVE aliases, old_hash")
    assert post(prompt="x <lora:Elder:1>").status == 422
    call("GET", "/checkpoints?kind=lora")
    assert post(prompt="x <lora:Elder:1>").json["models"] == {"lora": ["older.safetensors"]}


def test_a_name_from_a_mac_is_one_name_on_every_route(shelf: Stage) -> None:
    decomposed, composed = normalize("NFD", "né.safetensors"), normalize("NFC", "né.safetensors")
    assert upload(shelf, "lora", decomposed, safetensors()).json["name"] == composed
    assert call("POST", "/checkpoints", {"kind": "lora", "name": composed, "size": 99}).code == "checkpoint_exists"
    for name in (decomposed, composed):
        assert [row["name"] for row in call("GET", f"/checkpoints?q={name}").json["checkpoints"]] == [composed]
        assert post(models_lora=None, prompt=f"<lora:{name.rpartition('.')[0]}:1>").status == 201
    assert call("DELETE", f"/checkpoints?kind=lora&name={decomposed}").status == 204


def test_an_older_row_with_a_decomposed_name_can_be_used_and_deleted(shelf: Stage) -> None:
    decomposed = normalize("NFD", "né.safetensors")
    shelf.model(decomposed, "lora")
    assert post(prompt="<lora:né:1>").json["models"] == {"lora": [decomposed]}
    assert call("DELETE", "/checkpoints?kind=lora&name=né.safetensors").status == 204
    assert post(prompt="<lora:né:1>").status == 422


def test_an_alias_of_two_files_is_refused_with_both(shelf: Stage) -> None:
    upload(shelf, "lora", "one.safetensors", safetensors({"ss_output_name": "same"}))
    upload(shelf, "lora", "two.safetensors", safetensors({"ss_output_name": "same"}))
    assert "any of one.safetensors, two.safetensors" in post(prompt="<lora:same:1>").json["detail"]
