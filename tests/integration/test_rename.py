"""Model files that get another name, over HTTP on moto: no bytes move, and jobs by the old name can be repeated."""

import hashlib
from typing import Any

import pytest

from bench.calls import counted
from darkroom.checkpoints.model import ModelKey
from tests.support.http import Reply, call
from tests.support.models import safetensors
from tests.support.stage import Stage

OLD, NEW = "ink.safetensors", "fine ink.safetensors"
CONTENT = safetensors(data=b"ink")
OTHER = safetensors(data=b"other ink")


def rename(name: str = OLD, to: str = NEW, kind: str = "lora") -> Reply:
    return call("POST", "/checkpoints/rename", {"kind": kind, "name": name, "to": to})


def upload(stage: Stage, name: str = OLD, content: bytes = CONTENT, **more: Any) -> None:
    assert call("POST", "/checkpoints", {"kind": "lora", "name": name, "size": len(content), **more}).status == 201
    row = stage.adapters.registry.get(ModelKey("lora", name))
    assert row is not None
    stage.s3.upload_part(Bucket="models", Key=row.object_key, UploadId=row.upload_id, PartNumber=1, Body=content)
    assert call("POST", "/checkpoints/complete", {"kind": "lora", "name": name}).status == 200


def submit(prompt: str) -> Reply:
    return call("POST", "/jobs", {"type": "txt2img", "checkpoint": "v1-5", "parameters": {"prompt": prompt}})


def bytes_sent_to(stage: Stage) -> bytes:
    """The bytes of the LoRA that the last job's worker was told of."""
    [file] = stage.sagemaker.invoked[-1]["models"]["lora"]
    bucket, _, key = file["s3"].removeprefix("s3://").partition("/")
    content: bytes = stage.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return content


def objects(stage: Stage) -> set[str]:
    return {found["Key"] for found in stage.s3.list_objects_v2(Bucket="models").get("Contents", [])}


def test_a_file_gets_another_name_and_its_bytes_stay(stage: Stage) -> None:
    upload(stage, folder="styles")
    before = objects(stage)
    row = rename().json
    assert (row["name"], row["aliases"], row["status"], row["folder"]) == (NEW, [OLD], "active", "styles")
    assert objects(stage) == before
    assert [found["name"] for found in call("GET", "/checkpoints?kind=lora").json["checkpoints"]] == [NEW]
    for spelled in ("fine ink", "ink", "styles/ink", "styles/fine ink", "INK"):
        assert submit(f"<lora:{spelled}:1>").json["models"] == {"lora": [NEW]}, spelled
        assert bytes_sent_to(stage) == CONTENT


def test_a_row_from_before_rows_named_their_objects_can_be_renamed(stage: Stage) -> None:
    stage.model(OLD, "lora")
    stage.s3.put_object(Bucket="models", Key=f"models/lora/{OLD}", Body=CONTENT)
    assert rename().status == 200
    assert submit("<lora:ink:1>").status == 201
    assert bytes_sent_to(stage) == CONTENT
    assert call("DELETE", f"/checkpoints?kind=lora&name={NEW.replace(' ', '%20')}").status == 204
    assert objects(stage) == set()


def test_the_history_finds_a_files_jobs_by_every_name_it_had(stage: Stage) -> None:
    upload(stage)
    before = submit("a pier <lora:ink:1>").json["id"]
    rename()
    after = submit("a pier <lora:fine ink:1>").json["id"]
    for name in (OLD, NEW, "fine%20ink", "ink"):
        lines = call("GET", f"/jobs?lora={name.replace(' ', '%20')}").json["jobs"]
        assert [line["id"] for line in lines] == [after, before], name


def test_a_job_can_be_repeated_after_its_file_was_renamed(stage: Stage) -> None:
    upload(stage)
    first = submit("a pier <lora:ink:1>").json
    rename()
    again = call("POST", f"/jobs/{first['id']}/replay")
    assert (again.status, again.json["models"]) == (201, {"lora": [NEW]})
    assert bytes_sent_to(stage) == CONTENT
    # The prompt still says the old name, so the worker is told which file it means.
    assert "ink" in stage.sagemaker.invoked[-1]["models"]["lora"][0]["spellings"]
    rename(NEW, "third.safetensors")
    assert call("POST", f"/jobs/{again.json['id']}/replay").json["models"] == {"lora": ["third.safetensors"]}
    assert bytes_sent_to(stage) == CONTENT


@pytest.mark.parametrize("older_row", [True, False])
def test_another_file_under_the_old_name_takes_nothing_from_the_renamed_one(stage: Stage, older_row: bool) -> None:
    if older_row:
        stage.model(OLD, "lora")
        stage.s3.put_object(Bucket="models", Key=f"models/lora/{OLD}", Body=CONTENT)
    else:
        upload(stage)
    first = submit("a pier <lora:ink:1>").json
    rename()
    upload(stage, content=OTHER)
    # A repeat means the file of the first run, a new job the one that has the name now.
    assert call("POST", f"/jobs/{first['id']}/replay").json["models"] == {"lora": [NEW]}
    assert bytes_sent_to(stage) == CONTENT
    assert submit("a pier <lora:ink:1>").json["models"] == {"lora": [OLD]}
    assert bytes_sent_to(stage) == OTHER
    assert call("DELETE", f"/checkpoints?kind=lora&name={OLD}").status == 204
    assert submit("<lora:fine ink:1>").status == 201
    assert bytes_sent_to(stage) == CONTENT


def test_a_file_that_was_replaced_is_the_new_one_at_once(stage: Stage) -> None:
    upload(stage)
    first = submit("<lora:ink:1>").json
    call("DELETE", f"/checkpoints?kind=lora&name={OLD}")
    upload(stage, content=OTHER)
    assert submit("<lora:ink:1>").status == 201
    assert bytes_sent_to(stage) == OTHER
    assert call("POST", f"/jobs/{first['id']}/replay").status == 201
    assert bytes_sent_to(stage) == OTHER


def test_a_repeated_rename_finds_that_it_was_done(stage: Stage) -> None:
    upload(stage)
    first = rename()
    assert (first.status, rename().status) == (200, 200)
    assert rename().json == first.json
    assert rename(NEW, NEW).json == first.json


def test_a_file_can_get_its_old_name_back_and_another_case(stage: Stage) -> None:
    upload(stage)
    rename()
    assert rename(NEW, OLD).json["aliases"] == [NEW]
    assert rename(OLD, "INK.safetensors").json["name"] == "INK.safetensors"


@pytest.mark.parametrize(
    ("name", "to", "status", "code"),
    [
        ("not there.safetensors", NEW, 404, "checkpoint_not_found"),
        (OLD, "other.safetensors", 409, "checkpoint_exists"),
        (OLD, "Other.safetensors", 409, "checkpoint_exists"),
        (OLD, "coming.safetensors", 409, "checkpoint_exists"),
        ("coming.safetensors", NEW, 409, "not_active"),
        (OLD, "ink.ckpt", 422, "format_differs"),
        (OLD, "ink", 422, "format_differs"),
        (OLD, "a/b.safetensors", 422, "invalid_request"),
        (OLD, "", 422, "invalid_request"),
    ],
)
def test_what_cannot_be_done_is_refused_and_changes_nothing(
    stage: Stage, name: str, to: str, status: int, code: str
) -> None:
    upload(stage)
    stage.model("other.safetensors", "lora")
    call("POST", "/checkpoints", {"kind": "lora", "name": "coming.safetensors", "size": 99})
    before = call("GET", "/checkpoints?kind=lora").json
    reply = rename(name, to)
    assert (reply.status, reply.code) == (status, code), reply.body
    assert call("GET", "/checkpoints?kind=lora").json == before


def test_an_alias_of_another_file_is_a_free_name(stage: Stage) -> None:
    upload(stage)
    rename()
    stage.model("other.safetensors", "lora")
    assert rename("other.safetensors", OLD).status == 200
    assert submit("<lora:ink:1>").json["models"] == {"lora": [OLD]}


def test_only_its_owner_and_admins_may_rename_a_file(stage: Stage) -> None:
    upload(stage)
    body = {"kind": "lora", "name": OLD, "to": NEW}
    refused = call("POST", "/checkpoints/rename", body, owner="bob", role="artist")
    assert (refused.status, refused.code) == (403, "not_your_checkpoint")
    assert call("POST", "/checkpoints/rename", body, owner="root", role="admin").status == 200
    # Nor may somebody else learn it by a repeat.
    assert call("POST", "/checkpoints/rename", body, owner="bob", role="artist").code == "not_your_checkpoint"


def test_a_file_that_is_renamed_while_a_job_is_written_is_found_by_its_new_place(stage: Stage) -> None:
    """The names are cached for seconds, so this job is written with what was true before."""
    upload(stage)
    assert submit("<lora:ink:1>").json["models"] == {"lora": [OLD]}
    rename()
    assert submit("<lora:ink:1>").json["models"] == {"lora": [NEW]}


def test_creating_a_job_still_takes_three_calls(stage: Stage) -> None:
    upload(stage)
    rename()
    submit("<lora:ink:1>")
    with counted(stage) as calls:
        assert submit("<lora:ink:1>").status == 201
    assert calls.total() == 3, calls


def test_names_of_one_file_name_in_two_folders_tell_them_apart(stage: Stage) -> None:
    upload(stage, "SD15_ink.safetensors", folder="SD15", aliases=[OLD])
    upload(stage, "SDXL_ink.safetensors", OTHER, folder="SDXL", aliases=[OLD])
    for spelled, content in (("SD15/ink", CONTENT), ("SDXL\\ink", OTHER), ("SDXL_ink", OTHER)):
        assert submit(f"<lora:{spelled}:1>").status == 201
        assert bytes_sent_to(stage) == content
    refused = submit("<lora:ink:1>")
    assert refused.status == 422
    assert "any of SD15_ink.safetensors, SDXL_ink.safetensors" in refused.json["detail"]
    assert submit("<lora:SD2/ink:1>").status == 422


def test_the_vae_beside_a_checkpoint_is_found_though_folders_stand_before_their_names(stage: Stage) -> None:
    for kind, name, folder, alias in (
        ("stable-diffusion", "SD15_base.safetensors", "SD15", "base.safetensors"),
        ("stable-diffusion", "SDXL_base.safetensors", "SDXL", "base.safetensors"),
        ("vae", "SD15_base.vae.safetensors", "SD15", "base.vae.safetensors"),
        ("vae", "base.vae.safetensors", "SDXL", None),
    ):
        item = {"kind": kind, "name": name, "status": "active", "folder": folder}
        aliases = {"aliases": {"L": [{"S": alias}]}} if alias else {}
        stage.dynamodb.put_item(TableName="models", Item={**{k: {"S": v} for k, v in item.items()}, **aliases})
    for checkpoint, vae in (
        ("SD15/base", "SD15_base.vae.safetensors"),
        ("SDXL/base", "base.vae.safetensors"),
        ("v1-5", None),
    ):
        reply = call("POST", "/jobs", {"type": "txt2img", "checkpoint": checkpoint, "parameters": {"prompt": "x"}})
        assert reply.json["models"] == ({"vae": [vae]} if vae else {}), checkpoint


def test_a_worker_is_told_what_the_shelf_knows_of_the_bytes_also_under_another_name(stage: Stage) -> None:
    digest = hashlib.sha256(CONTENT).hexdigest()
    upload(stage, sha256=digest)
    [key] = objects(stage)
    etag = stage.s3.head_object(Bucket="models", Key=key)["ETag"].strip('"')
    for _ in range(2):
        submit("<lora:ink:1>")
        [file] = stage.sagemaker.invoked[-1]["models"]["lora"]
        assert (file["bytes"], file["etag"], file["sha256"]) == (len(CONTENT), etag, digest)
        rename()


def test_of_a_row_from_before_etags_were_kept_the_size_alone_is_told(stage: Stage) -> None:
    submit("a pier")
    assert stage.sagemaker.invoked[-1]["checkpoint"]["bytes"] == 10
    assert stage.sagemaker.invoked[-1]["checkpoint"].keys() == {"name", "s3", "bytes", "spellings"}
