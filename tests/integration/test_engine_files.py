"""Files that an engine needs and no job names: on the shelf with their purpose, and handed to the worker, on moto."""

from typing import Any

import pytest

from bench.calls import counted
from darkroom.checkpoints.model import ModelKey
from darkroom.checkpoints.purposes import PURPOSES
from tests.support.http import Reply, call
from tests.support.models import safetensors
from tests.support.pictures import png
from tests.support.stage import Stage

MODEL = safetensors()
WORDS = "a lighthouse keeper\nÄgypten\n".encode()


def register(name: str, purpose: str | None, content: bytes = MODEL, kind: str = "engine-file") -> Reply:
    said = {"purpose": purpose} if purpose else {}
    return call("POST", "/checkpoints", {"kind": kind, "name": name, "size": len(content), **said})


def upload(stage: Stage, name: str, purpose: str, content: bytes = MODEL) -> Reply:
    """Register, send and complete a file; returns the answer of the last step."""
    assert register(name, purpose, content).status == 201
    key = {"kind": "engine-file", "name": name}
    row = stage.adapters.registry.get(ModelKey("engine-file", name))
    assert row is not None
    stage.s3.upload_part(Bucket="models", Key=row.object_key, UploadId=row.upload_id, PartNumber=1, Body=content)
    return call("POST", "/checkpoints/complete", key)


def submit(stage: Stage, job: str, **parameters: Any) -> dict[str, Any]:
    """What the worker is asked for a new job."""
    images = {} if job == "txt2img" else {"init": stage.upload(png(64, 64))}
    body = {"type": job, "images": images, "parameters": parameters}
    if job in ("txt2img", "img2img"):
        body["checkpoint"] = "v1-5.safetensors"
    reply = call("POST", "/jobs", body)
    assert reply.status == 201, reply.body
    asked: dict[str, Any] = stage.sagemaker.invoked[-1]
    return asked


def names(asked: dict[str, Any]) -> dict[str, list[str]]:
    """The names of the files that the worker gets, by purpose."""
    return {purpose: [file["name"] for file in files] for purpose, files in asked.get("files", {}).items()}


def controlnet(*modules: str, enabled: bool = True) -> dict[str, Any]:
    units = [{"enabled": enabled, "module": module, "model": "None"} for module in modules]
    return {"alwayson_scripts": {"ControlNet": {"args": units}}}


def test_a_file_comes_to_the_shelf_with_its_purpose(stage: Stage) -> None:
    done = upload(stage, "blip.safetensors", "interrogate_clip")
    assert (done.json["status"], done.json["purpose"]) == ("active", "interrogate_clip")
    assert call("GET", "/checkpoints?kind=engine-file").json["checkpoints"] == [done.json]
    renamed = {"kind": "engine-file", "name": "blip.safetensors", "to": "caption.safetensors"}
    assert call("POST", "/checkpoints/rename", renamed).json["purpose"] == "interrogate_clip"


def test_without_a_purpose_it_is_refused_with_those_there_are(stage: Stage) -> None:
    refused = register("blip.safetensors", None)
    assert (refused.status, refused.code) == (422, "purpose_wrong")
    assert all(purpose in refused.json["detail"] for purpose in PURPOSES)
    imported = call("POST", "/checkpoints/import", {"kind": "engine-file", "url": "https://e.com/blip.safetensors"})
    assert imported.code == "purpose_wrong"
    assert register("film.safetensors", "openpose", kind="lora").code == "purpose_wrong"
    assert register("blip.safetensors", "portraits").code == "invalid_request"
    assert call("GET", "/checkpoints?kind=engine-file").json["checkpoints"] == []


def test_a_list_of_words_is_taken_for_an_engine_alone(stage: Stage) -> None:
    assert upload(stage, "artists.txt", "interrogate_clip", WORDS).json["status"] == "active"
    assert register("artists.txt", None, WORDS, kind="embedding").code == "format_not_taken"
    broken = upload(stage, "movements.txt", "interrogate_clip", b"\x89PNG\r\n" + bytes(20))
    assert broken.code == "checkpoint_invalid"
    assert "no text" in broken.json["detail"]


def test_the_worker_gets_the_files_that_the_type_of_the_job_needs(stage: Stage) -> None:
    for name in ("vit.safetensors", "blip.safetensors"):
        upload(stage, name, "interrogate_clip")
    upload(stage, "tags.safetensors", "interrogate_deepbooru")
    register("half.safetensors", "interrogate_clip")
    asked = submit(stage, "interrogate_clip")
    assert names(asked) == {"interrogate_clip": ["blip.safetensors", "vit.safetensors"]}
    row = stage.adapters.registry.get(ModelKey("engine-file", "blip.safetensors"))
    assert row is not None
    assert asked["files"]["interrogate_clip"][0]["s3"] == f"s3://models/{row.object_key}"
    assert names(submit(stage, "interrogate_deepbooru")) == {"interrogate_deepbooru": ["tags.safetensors"]}
    assert "files" not in submit(stage, "txt2img")


@pytest.mark.parametrize(
    ("module", "purpose"),
    [
        ("openpose_full", "openpose"),
        ("DW_OpenPose_full", "openpose"),
        ("depth_anything_v2", "depth_anything"),
        ("depth_midas", "depth_anything"),
    ],
)
def test_the_worker_gets_the_files_that_a_preprocessor_needs(stage: Stage, module: str, purpose: str) -> None:
    for each in ("openpose", "depth_anything"):
        upload(stage, f"{each}.safetensors", each)
    found = {purpose: [f"{purpose}.safetensors"]}
    assert names(submit(stage, "txt2img", **controlnet(module, "canny"))) == found
    assert names(submit(stage, "img2img", **controlnet(module))) == found
    assert "files" not in submit(stage, "txt2img", **controlnet(module, enabled=False))
    assert "files" not in submit(stage, "txt2img", **controlnet("canny"))


def test_a_job_is_not_refused_while_they_are_missing_for_the_engine_knows_whether_it_needs_them(stage: Stage) -> None:
    assert "files" not in submit(stage, "interrogate_clip")
    upload(stage, "blip.safetensors", "interrogate_clip")
    # A file that came a moment ago is found, although the names of a kind are kept for seconds.
    assert names(submit(stage, "interrogate_clip")) == {"interrogate_clip": ["blip.safetensors"]}


def test_a_replay_gets_the_files_of_its_day(stage: Stage) -> None:
    upload(stage, "blip.safetensors", "interrogate_clip")
    submit(stage, "interrogate_clip")
    job = call("GET", "/jobs").json["jobs"][0]["id"]
    call("DELETE", "/checkpoints?kind=engine-file&name=blip.safetensors")
    upload(stage, "newer.safetensors", "interrogate_clip")
    stage.configure()
    assert call("POST", f"/jobs/{job}/replay").status == 201
    assert names(stage.sagemaker.invoked[-1]) == {"interrogate_clip": ["newer.safetensors"]}


def test_a_job_that_needs_none_costs_no_look_at_them(stage: Stage) -> None:
    submit(stage, "txt2img", prompt="a pier")
    with counted(stage) as calls:
        submit(stage, "txt2img", prompt="a pier")
    assert calls.total() == 3
