"""The model shelf over HTTP, on moto: register, send parts, complete, list, delete."""

import hashlib
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from bench.calls import counted
from darkroom.checkpoints import service
from darkroom.checkpoints.model import ModelKey
from tests.support.http import Reply, call
from tests.support.models import safetensors
from tests.support.stage import Stage

MODEL = safetensors({"modelspec.architecture": "stable-diffusion-v1-5"})
LORA: dict[str, Any] = {"kind": "lora", "name": "Film Grain [v2].safetensors"}


def register(content: bytes = MODEL, **more: Any) -> Reply:
    return call("POST", "/checkpoints", {**LORA, "size": len(content), **more})


def send(stage: Stage, content: bytes, number: int = 1) -> None:
    """Send a part as a client would, straight to S3."""
    row = stage.adapters.registry.get(ModelKey(LORA["kind"], LORA["name"]))
    assert row is not None
    stage.s3.upload_part(Bucket="models", Key=row.object_key, UploadId=row.upload_id, PartNumber=number, Body=content)


def uploads(stage: Stage) -> list[Any]:
    found: list[Any] = stage.s3.list_multipart_uploads(Bucket="models").get("Uploads", [])
    return found


def test_a_file_is_registered_sent_and_then_on_the_shelf(stage: Stage) -> None:
    reply = register(sha256=hashlib.sha256(MODEL).hexdigest())
    assert reply.status == 201, reply.body
    assert reply.json["checkpoint"]["status"] == "uploading"
    assert reply.json["upload"]["parts"] == 1
    parts = call("POST", "/checkpoints/parts", {**LORA, "parts": [{"number": 1, "sha256": "0" * 64}]}).json
    [url] = parts["urls"]
    assert "X-Amz-Signature" in url["url"]
    assert list(url["headers"]) == ["x-amz-checksum-sha256"]
    send(stage, MODEL)
    assert [part["number"] for part in call("POST", "/checkpoints/parts", LORA).json["stored"]] == [1]
    done = call("POST", "/checkpoints/complete", LORA)
    assert done.status == 200, done.body
    assert (done.json["status"], done.json["base_model"]) == ("active", "stable-diffusion-v1-5")
    assert call("POST", "/checkpoints/complete", LORA).json == done.json
    [row] = call("GET", "/checkpoints?kind=lora").json["checkpoints"]
    assert row == done.json
    assert row["owner"] == "alice"


def test_the_same_file_finds_its_open_upload_and_another_is_told_so(stage: Stage) -> None:
    first = register()
    again = register()
    assert (first.status, again.status) == (201, 200)
    other = register(MODEL + b"x" * 8)
    assert (other.status, other.code) == (409, "checkpoint_uploading")
    assert len(uploads(stage)) == 1


def test_a_repeat_finds_its_file_whatever_became_of_it(stage: Stage) -> None:
    again = {"Idempotency-Key": "film-grain"}

    def post(owner: str = "alice") -> Reply:
        return call("POST", "/checkpoints", {**LORA, "size": len(MODEL)}, headers=again, owner=owner)

    first = post()
    assert (first.status, post().status) == (201, 200)
    assert post().json == first.json
    send(stage, MODEL)
    active = call("POST", "/checkpoints/complete", LORA).json
    repeat = post()
    assert (repeat.status, repeat.json["checkpoint"], repeat.json["upload"]) == (200, active, first.json["upload"])
    assert uploads(stage) == []
    # Who did not make it is still told that the name is taken.
    assert register().code == "checkpoint_exists"
    assert post(owner="bob").code == "checkpoint_exists"


def test_a_repeat_does_not_begin_a_file_anew_that_was_no_model(stage: Stage) -> None:
    again = {"Idempotency-Key": "film-grain"}
    wrong = {**LORA, "size": 32}
    call("POST", "/checkpoints", wrong, headers=again)
    send(stage, b"x" * 32)
    assert call("POST", "/checkpoints/complete", LORA).code == "checkpoint_invalid"
    repeat = call("POST", "/checkpoints", wrong, headers=again)
    assert (repeat.status, repeat.json["checkpoint"]["status"]) == (200, "fail")
    assert call("POST", "/checkpoints", wrong, headers={"Idempotency-Key": "another"}).status == 201


def test_a_header_that_came_with_another_file_is_refused_before_anything_is_made(stage: Stage) -> None:
    again = {"Idempotency-Key": "film-grain"}
    assert call("POST", "/checkpoints", {**LORA, "size": 32}, headers=again).status == 201
    other = {**LORA, "name": "other.safetensors", "size": 32}
    refused = call("POST", "/checkpoints", other, headers=again)
    assert (refused.status, refused.code) == (422, "idempotency_key_reused")
    assert len(uploads(stage)) == 1
    assert call("POST", "/checkpoints", other, headers=again, owner="bob").status == 201
    # A day later the header may be used anew, even if DynamoDB has not removed its row yet.
    claims = [row for row in stage.dynamodb.scan(TableName="keys")["Items"] if row["hash"]["S"].startswith("claim#")]
    assert len(claims) == 2
    for row in claims:
        stage.dynamodb.update_item(
            TableName="keys",
            Key={"hash": row["hash"]},
            UpdateExpression="SET expires_at = :past",
            ExpressionAttributeValues={":past": {"N": "1"}},
        )
    assert call("POST", "/checkpoints", {**LORA, "name": "third.safetensors", "size": 32}, headers=again).status == 201


def test_two_uploads_of_one_name_at_once_leave_one_winner(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both look before either has written; the one that writes second gives its upload up."""
    shelf = stage.adapters.registry
    look = shelf.get
    looks = iter([None])
    monkeypatch.setattr(shelf, "get", lambda key: next(looks, look(key)))
    register()
    looks = iter([None])
    late = register(MODEL + b"x" * 8)
    assert (late.status, late.code) == (409, "checkpoint_uploading")
    assert len(uploads(stage)) == 1


def test_an_owner_may_have_so_many_uploads_open_in_a_kind(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MAX_OPEN", 2)
    names = [f"{number}.safetensors" for number in range(3)]
    assert [register(name=name).status for name in names[:2]] == [201, 201]
    refused = register(name=names[2])
    assert (refused.status, refused.code, refused.headers["Retry-After"]) == (429, "too_many_uploads", "60")
    assert len(uploads(stage)) == 2
    # Going on with one, another kind and another owner are not held up, and room comes back.
    assert register(name=names[0]).status == 200
    assert register(name=names[2], kind="vae").status == 201
    assert call("POST", "/checkpoints", {**LORA, "size": 4096}, owner="bob").status == 201
    assert call("DELETE", f"/checkpoints?kind=lora&name={names[0]}").status == 204
    assert register(name=names[2]).status == 201


def test_what_is_on_the_shelf_is_not_replaced(stage: Stage) -> None:
    register()
    send(stage, MODEL)
    call("POST", "/checkpoints/complete", LORA)
    assert register().code == "checkpoint_exists"
    assert call("POST", "/checkpoints/parts", LORA).code == "not_uploading"


@pytest.mark.parametrize("sent", [None, MODEL[:-1]])
def test_missing_and_short_parts_are_named(stage: Stage, sent: bytes | None) -> None:
    register()
    if sent is not None:
        send(stage, sent)
    reply = call("POST", "/checkpoints/complete", LORA)
    assert (reply.status, reply.code) == (409, "parts_missing")
    assert "1 of 1" in reply.json["detail"]


def test_a_file_that_is_no_model_is_refused_removed_and_does_not_block_its_name(stage: Stage) -> None:
    junk = b"<html>not found</html>" * 4
    register(junk)
    send(stage, junk)
    reply = call("POST", "/checkpoints/complete", LORA)
    assert (reply.status, reply.code) == (422, "checkpoint_invalid")
    [row] = call("GET", "/checkpoints?kind=lora").json["checkpoints"]
    assert row["status"] == "fail"
    assert "no model" in row["reason"]
    assert "Contents" not in stage.s3.list_objects_v2(Bucket="models")
    assert register().status == 201


def test_a_complete_that_broke_off_after_s3_is_safe_to_repeat(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    register()
    send(stage, MODEL)
    monkeypatch.setattr(stage.adapters.registry, "change", lambda *_: (_ for _ in ()).throw(RuntimeError))
    assert call("POST", "/checkpoints/complete", LORA).status == 500
    monkeypatch.undo()
    assert call("POST", "/checkpoints/complete", LORA).json["status"] == "active"


def test_an_upload_that_s3_forgot_begins_anew_under_its_name(stage: Stage) -> None:
    register()
    [upload] = uploads(stage)
    stage.s3.abort_multipart_upload(Bucket="models", Key=upload["Key"], UploadId=upload["UploadId"])
    assert call("POST", "/checkpoints/parts", LORA).json["stored"] == []
    send(stage, MODEL)
    assert call("POST", "/checkpoints/complete", LORA).json["status"] == "active"


def test_a_write_whose_first_answer_was_lost_is_no_other_ones_write(stage: Stage) -> None:
    """Botocore tries again, and meets what its first try wrote."""
    register()
    shelf = stage.adapters.registry
    row = shelf.get(ModelKey(LORA["kind"], LORA["name"]))
    assert row is not None
    active = replace(row, status="active", upload_id=None)
    assert shelf.begin(row)
    assert not shelf.begin(replace(row, upload_id="another"))
    assert [shelf.change(row, active) for _ in range(2)] == [True, True]
    assert not shelf.remove(row)
    assert [shelf.remove(active) for _ in range(2)] == [True, True]


def test_delete_takes_row_and_object_and_gives_an_open_upload_up(stage: Stage) -> None:
    query = f"kind=lora&name={quote(LORA['name'])}"
    register()
    assert call("DELETE", f"/checkpoints?{query}").status == 204
    assert uploads(stage) == []
    register()
    send(stage, MODEL)
    call("POST", "/checkpoints/complete", LORA)
    assert call("DELETE", f"/checkpoints?{query}").status == 204
    assert "Contents" not in stage.s3.list_objects_v2(Bucket="models")
    assert call("DELETE", f"/checkpoints?{query}").code == "checkpoint_not_found"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("x.ckpt", "format_not_taken"),
        ("x.pt", "format_not_taken"),
        ("x.exe", "format_not_taken"),
        ("x", "format_not_taken"),
        ("../x.safetensors", "invalid_request"),
        ("a/b.safetensors", "invalid_request"),
        ("a\\b.safetensors", "invalid_request"),
        (".x.safetensors", "invalid_request"),
        ("a\nb.safetensors", "invalid_request"),
        ("", "invalid_request"),
        ("x" * 300 + ".safetensors", "invalid_request"),
    ],
)
def test_names_and_formats_that_are_not_taken(stage: Stage, name: str, code: str) -> None:
    reply = register(name=name)
    assert (reply.status, reply.code) == (422, code)
    assert uploads(stage) == []


@pytest.mark.parametrize(
    "settings",
    [
        {"pickles": "any"},
        {"worker_image": None},
        {"worker_image": "000000000000.dkr.ecr.us-east-1.amazonaws.com/darkroom-worker:7"},
        {"worker_image": "000000000000.dkr.ecr.us-east-1.amazonaws.com/darkroom-worker@sha256:00"},
    ],
)
def test_pickles_are_taken_where_nothing_but_their_weights_is_loaded_and_are_marked(
    stage: Stage, settings: dict[str, Any]
) -> None:
    stage.configure(**settings)
    reply = register(name="old.ckpt")
    assert reply.status == 201
    assert reply.json["checkpoint"]["pickle"] is True


@pytest.mark.parametrize("size", [0, 15, 50 * 1024**3 + 1, "many", -1])
def test_sizes_that_cannot_be_are_refused(stage: Stage, size: object) -> None:
    assert register(size=size).status == 422


def test_a_thousand_files_are_listed_in_pages_of_one_query_each(stage: Stage) -> None:
    for number in range(1000):
        stage.model(f"{number:04d}.safetensors", kind="lora")
    found: list[str] = []
    after = ""
    while after is not None:
        with counted(stage) as calls:
            page = call("GET", f"/checkpoints?kind=lora&limit=300{after and '&after=' + quote(after)}").json
        assert dict(calls) == {"Query": 1}
        found += [row["name"] for row in page["checkpoints"]]
        after = page["next"]
    assert found == [f"{number:04d}.safetensors" for number in range(1000)]


def test_all_kinds_are_one_list_that_can_be_paged(stage: Stage) -> None:
    for kind in ("vae", "lora", "embedding"):
        for name in ("a.safetensors", "B.safetensors"):
            stage.model(name, kind=kind)
    found: list[tuple[str, str]] = []
    after = ""
    while after is not None:
        page = call("GET", f"/checkpoints?limit=2{after and '&after=' + quote(after)}").json
        assert len(page["checkpoints"]) <= 2
        found += [(row["kind"], row["name"]) for row in page["checkpoints"]]
        after = page["next"]
    assert len(found) == len(set(found)) == 7
    only = call("GET", "/checkpoints?q=B.SAFE").json["checkpoints"]
    assert [row["name"] for row in only] == ["B.safetensors"] * 3


@pytest.mark.parametrize(
    "query", ["after=x", "after=shoe/x", "kind=lora&after=vae/x", "limit=0", "limit=1001", "kind=x"]
)
def test_a_list_that_makes_no_sense_is_refused(stage: Stage, query: str) -> None:
    assert call("GET", f"/checkpoints?{query}").status == 400


@pytest.mark.parametrize("q", ["istanbul", "İSTANBUL", "full", "Ｆｕｌｌ", "strasse"])
def test_a_file_is_found_by_words_as_jobs_are(stage: Stage, q: str) -> None:
    stage.model("İstanbul Ｆｕｌｌ Straße.safetensors", kind="lora")
    stage.model("other.safetensors", kind="lora")
    found = call("GET", f"/checkpoints?kind=lora&q={quote(q)}").json["checkpoints"]
    assert [row["name"] for row in found] == ["İstanbul Ｆｕｌｌ Straße.safetensors"]


def job(prompt: str, **more: Any) -> Reply:
    body = {"type": "txt2img", "checkpoint": "v1-5.safetensors", "parameters": {"prompt": prompt, **more}}
    return call("POST", "/jobs", body)


def test_networks_are_found_by_their_names_in_the_prompt(stage: Stage) -> None:
    stage.model("film v1.0.safetensors", kind="lora")
    stage.model("film v1.0.2.safetensors", kind="lora")
    stage.model("soft.pt", kind="hypernetwork")
    stage.model("EasyNegative.safetensors", kind="embedding")
    stage.model("cat.pt", kind="embedding")
    reply = job(
        "<lora:film v1.0:0.8> a pier <hypernet:soft>, concatenated", negative_prompt="(easynegative:1.2), blurry"
    )
    assert reply.status == 201, reply.body
    [sent] = stage.sagemaker.invoked
    assert {kind: [file["name"] for file in files] for kind, files in sent["models"].items()} == {
        "lora": ["film v1.0.safetensors"],
        "hypernetwork": ["soft.pt"],
        "embedding": ["EasyNegative.safetensors"],
    }
    assert sent["models"]["lora"][0]["s3"] == "s3://models/models/lora/film v1.0.safetensors"
    [line] = call("GET", "/jobs?lora=film+v1.0").json["jobs"]
    assert line["id"] == reply.json["id"]


def test_what_a_prompt_calls_for_and_is_not_there_refuses_the_job_with_all_the_names(stage: Stage) -> None:
    stage.model("half.safetensors", kind="lora", status="uploading")
    reply = job("<lora:half:1> <lora:nope:0.5> <hypernet:none:1> a pier")
    assert (reply.status, reply.code) == (422, "checkpoint_not_active")
    for name in ("half (lora)", "nope (lora)", "none (hypernetwork)"):
        assert name in reply.json["detail"]
    assert stage.rows() == []


def test_an_embedding_that_was_deleted_a_moment_ago_does_not_refuse_the_job(stage: Stage) -> None:
    stage.model("easynegative.pt", kind="embedding")
    assert job("a pier", negative_prompt="easynegative").status == 201
    stage.dynamodb.delete_item(TableName="models", Key={"kind": {"S": "embedding"}, "name": {"S": "easynegative.pt"}})
    assert job("a pier", negative_prompt="easynegative").status == 201


def test_the_embeddings_are_listed_once_in_a_while_and_tags_cost_a_query_each(stage: Stage) -> None:
    stage.model("ink.safetensors", kind="lora")
    job("a pier")
    with counted(stage) as calls:
        job("a pier")
    assert calls.total() == 3
    with counted(stage) as calls:
        job("<lora:ink:1> and <lora:ink:0.5> a pier")
    assert calls["Query"] == 1


def test_more_tags_than_a_job_may_have_cost_no_query(stage: Stage) -> None:
    job("a pier")
    with counted(stage) as calls:
        reply = job(" ".join(f"<lora:x{number}:1>" for number in range(400)))
    assert (reply.status, reply.code, dict(calls)) == (422, "too_many_models", {})
