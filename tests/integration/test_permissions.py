"""Every route, and everybody who may send it: the table against the gateway's policy and against the functions."""

import base64
import hashlib
import json
import re
import time
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from darkroom.checkpoints.model import ModelKey
from darkroom.keys.api import KeyIn
from darkroom.keys.model import digest
from darkroom.keys.routes import ROLES, ROUTES, allows
from tests.support.gateway import send
from tests.support.http import Reply, call
from tests.support.pictures import image_id, png
from tests.support.sagemaker import endpoint
from tests.support.stage import Stage

UNKNOWN = "01900000-0000-7000-8000-000000000000"
JOB = {"type": "txt2img", "checkpoint": "v1-5.safetensors", "parameters": {"prompt": "a pier"}}
LORA = {"kind": "lora", "name": "ink.safetensors"}


class People:
    """The secrets of some people of a stage."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.secrets = {role: self.key(f"the-{role}", role) for role in ROLES}
        self.alice, self.bob = self.key("alice", "artist"), self.key("bob", "artist")

    def key(self, name: str, role: str) -> str:
        return self.stage.services.keys.create(KeyIn.model_validate({"name": name, "role": role})).secret


@pytest.fixture
def people(stage: Stage) -> People:
    return People(stage)


def path_of(route: str, parameter: str = UNKNOWN) -> str:
    return re.sub(r"\{[^}]*\}", parameter, route)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_send_what_its_lines_say_and_nothing_else(people: People, role: str) -> None:
    for method, route in ROUTES:
        body: dict[str, Any] | None = {} if method in ("POST", "PATCH") else None
        reply = send(method, path_of(route), body, key=people.secrets[role])
        if allows(role, method, route):
            assert reply.status not in (401, 403), (method, route, reply.body)
        else:
            assert (reply.status, reply.code) == (403, "not_permitted"), (method, route)


@pytest.mark.parametrize("role", ["viewer", "artist", "king"])
def test_a_function_refuses_by_itself_what_the_gateway_would_have_refused(people: People, role: str) -> None:
    for method, route in ROUTES:
        body: dict[str, Any] | None = {} if method in ("POST", "PATCH") else None
        reply = call(method, path_of(route), body, role=role)
        if allows(role, method, route):
            assert reply.status not in (401, 403), (method, route)
        else:
            assert (reply.status, reply.code) == (403, "not_permitted"), (method, route)


def test_nobody_gets_in_without_a_key_or_with_a_wrong_a_withdrawn_or_an_expired_one(stage: Stage) -> None:
    made = stage.services.keys.create(KeyIn.model_validate({"name": "gone", "role": "admin"}))
    stage.services.keys.delete(made.id)
    old = stage.services.keys.create(KeyIn.model_validate({"name": "old", "role": "admin"})).secret
    stage.dynamodb.update_item(
        TableName="keys",
        Key={"hash": {"S": digest(old)}},
        UpdateExpression="SET expires_at = :now",
        ExpressionAttributeValues={":now": {"N": str(int(time.time()))}},
    )
    for method, route in ROUTES:
        for key in (None, "a-wrong-key-of-some-length", made.secret, old):
            reply = send(method, path_of(route), key=key)
            assert (reply.status, reply.code) == (401, "unauthenticated"), (method, route)


@pytest.mark.parametrize("role", ROLES)
def test_what_is_not_there_is_404_for_everybody(people: People, role: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        assert send(method, "/nothing", key=people.secrets[role]).code == "route_not_found"
    for method, path in (("PUT", "/jobs"), ("HEAD", "/keys"), ("OPTIONS", "/jobs")):
        assert send(method, path, key=people.secrets[role]).code == "method_not_allowed"


def without(reply: Reply, job_id: str) -> tuple[int, str]:
    """An answer without the id that was asked for."""
    return reply.status, reply.body.replace(job_id, "ID")


def test_another_owners_job_is_as_if_it_were_not_there(stage: Stage, people: People) -> None:
    theirs = send("POST", "/jobs", JOB, key=people.alice).json["id"]
    for method, route in (line for line in ROUTES if "{job_id}" in line[1]):
        bodies: dict[str, dict[str, Any]] = {"POST": {}, "PATCH": {"rating": 3}}
        body = bodies.get(method)
        seen = send(method, path_of(route, theirs), body, key=people.bob)
        nothing = send(method, path_of(route), body, key=people.bob)
        assert without(seen, theirs) == without(nothing, UNKNOWN), (method, route)
        assert (seen.status, seen.code) == (404, "job_not_found"), (method, route)
    assert send("GET", f"/jobs/{theirs}", key=people.alice).status == 200
    assert send("GET", f"/jobs/{theirs}", key=people.secrets["viewer"]).status == 200
    assert send("DELETE", f"/jobs/{theirs}", key=people.secrets["admin"]).status == 204


def test_an_artist_sees_the_own_history_in_every_form_and_viewers_and_admins_all(stage: Stage, people: People) -> None:
    stage.sagemaker.endpoints.append(endpoint("darkroom-test-b"))
    theirs = [send("POST", "/jobs", JOB, key=people.alice).json["id"] for _ in range(3)]
    own = send("POST", "/jobs", {**JOB, "endpoint": "darkroom-test-b"}, key=people.bob).json["id"]

    def listed(key: str, query: str = "", accept: str = "application/json") -> str:
        reply = send("GET", f"/jobs{query}", key=key, headers={"Accept": accept})
        assert reply.status == 200, reply.body
        return reply.body

    for accept in ("application/json", "text/csv", "application/x-ndjson"):
        for query in ("", "?owner=bob", "?type=txt2img", "?checkpoint=v1-5.safetensors", "?status=in_progress", "?q=a"):
            body = listed(people.bob, query, accept)
            assert own in body, (accept, query)
            assert not [job for job in theirs if job in body], (accept, query)
        nobody = listed(people.bob, "?owner=alice", accept)
        assert nobody == listed(people.bob, "?owner=nobody", accept)
        assert own not in nobody
    assert send("GET", "/jobs?owner=alice&from=nonsense", key=people.bob).status == 400
    summary = send("GET", "/jobs/summary", key=people.bob).json
    assert (summary["jobs"], summary["by_endpoint"]) == (1, {"darkroom-test-b": 1})
    for role in ("viewer", "admin"):
        assert all(job in listed(people.secrets[role]) for job in [*theirs, own])
        assert own not in listed(people.secrets[role], "?owner=alice")
        assert send("GET", "/jobs/summary", key=people.secrets[role]).json["jobs"] == 4


def test_a_stage_may_share_its_history_but_not_the_right_to_change_it(stage: Stage, people: People) -> None:
    theirs = send("POST", "/jobs", JOB, key=people.alice).json["id"]
    stage.configure(shared_history=True)
    assert theirs in send("GET", "/jobs", key=people.bob).body
    assert send("GET", f"/jobs/{theirs}", key=people.bob).status == 200
    assert send("GET", "/jobs/summary", key=people.bob).json["jobs"] == 1
    assert send("DELETE", f"/jobs/{theirs}", key=people.bob).code == "job_not_found"
    assert send("GET", f"/jobs/{theirs}", key=people.alice).status == 200


def test_a_model_file_is_changed_by_its_owner_or_an_admin(stage: Stage, people: People) -> None:
    """Everybody sees the shelf, so what is somebody else's is 403 and not 404."""
    assert send("POST", "/checkpoints", {**LORA, "size": 4096}, key=people.alice).status == 201
    before = send("GET", "/checkpoints?kind=lora", key=people.bob).body
    for method, path, body in [
        ("POST", "/checkpoints", {**LORA, "size": 4096}),
        ("POST", "/checkpoints/parts", LORA),
        ("POST", "/checkpoints/complete", LORA),
        ("DELETE", "/checkpoints?kind=lora&name=ink.safetensors", None),
        ("DELETE", "/checkpoints?kind=stable-diffusion&name=v1-5.safetensors", None),
    ]:
        reply = send(method, path, body, key=people.bob)
        assert (reply.status, reply.code) == (403, "not_your_checkpoint"), (method, path)
    assert send("POST", "/checkpoints/import", {**LORA, "url": "s3://models-x/a.pt"}, key=people.bob).status == 409
    assert send("GET", "/checkpoints?kind=lora", key=people.bob).body == before
    assert send("POST", "/checkpoints/parts", LORA, key=people.alice).status == 200
    assert send("POST", "/checkpoints/parts", LORA, key=people.secrets["admin"]).status == 200
    assert send("DELETE", "/checkpoints?kind=lora&name=ink.safetensors", key=people.alice).status == 204


def test_a_failed_upload_of_another_owner_is_not_taken_over(stage: Stage, people: People) -> None:
    assert send("POST", "/checkpoints", {**LORA, "size": 4096}, key=people.alice).status == 201
    key = ModelKey("lora", "ink.safetensors")
    row = stage.adapters.registry.get(key)
    assert row is not None
    assert stage.adapters.registry.change(row, replace(row, status="fail", upload_id=None, reason="It broke."))
    bodies: dict[str, dict[str, Any]] = {
        "/checkpoints": {**LORA, "size": 4096},
        "/checkpoints/import": {**LORA, "url": "https://models.example.com/ink.safetensors"},
    }
    for path, body in bodies.items():
        reply = send("POST", path, body, key=people.bob)
        assert (reply.status, reply.code) == (403, "not_your_checkpoint"), path
    still = stage.adapters.registry.get(key)
    assert still is not None
    assert (still.owner, still.status) == ("alice", "fail")
    assert send("POST", "/checkpoints", bodies["/checkpoints"], key=people.alice).status == 201


def test_every_part_is_signed_for_its_own_length(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    client = stage.clients("s3")
    sign = client.generate_presigned_url
    lengths = []

    def watched(method: str, **more: Any) -> str:
        lengths.append(more["Params"]["ContentLength"])
        return str(sign(method, **more))

    monkeypatch.setattr(client, "generate_presigned_url", watched)
    size = 8 * 1024**2 + 17
    call("POST", "/checkpoints", {**LORA, "size": size})
    wanted = [{"number": number, "sha256": "0" * 64} for number in (1, 2)]
    urls = call("POST", "/checkpoints/parts", {**LORA, "parts": wanted}).json["urls"]
    assert lengths == [8 * 1024**2, 17]
    for part in urls:
        [signed] = parse_qs(urlsplit(part["url"]).query)["X-Amz-SignedHeaders"]
        assert {"content-length", "x-amz-checksum-sha256"} <= set(signed.split(";"))


def test_a_picture_of_another_owner_is_not_known(stage: Stage, people: People) -> None:
    stage.upload(png(), owner="alice")
    wanted = {"sha256": image_id(png()), "bytes": len(png()), "content_type": "image/png"}
    assert send("POST", "/images", wanted, key=people.alice).status == 200
    assert send("POST", "/images", wanted, key=people.bob).status == 201


def test_an_upload_is_signed_for_one_key_type_size_and_checksum_and_a_quarter_of_an_hour(stage: Stage) -> None:
    content = png()
    wanted = {"sha256": image_id(content), "bytes": len(content), "content_type": "image/png"}
    upload = call("POST", "/images", wanted).json["upload"]
    policy = json.loads(base64.b64decode(upload["fields"]["policy"]))
    checksum = base64.b64encode(hashlib.sha256(content).digest()).decode()
    exact = {name: value for rule in policy["conditions"] if isinstance(rule, dict) for name, value in rule.items()}
    assert exact["bucket"] == "pictures"
    assert exact["key"] == f"images/alice/{image_id(content)}"
    assert exact["Content-Type"] == "image/png"
    assert (exact["x-amz-checksum-algorithm"], exact["x-amz-checksum-sha256"]) == ("SHA256", checksum)
    ranges: list[Any] = [rule for rule in policy["conditions"] if isinstance(rule, list)]
    assert ranges == [["content-length-range", len(content), len(content)]]
    left = time.mktime(time.strptime(policy["expiration"], "%Y-%m-%dT%H:%M:%SZ")) - time.mktime(time.gmtime())
    assert 0 < left <= 900
    assert upload["expires_in"] == 900


def test_every_presigned_link_lives_a_quarter_of_an_hour(stage: Stage) -> None:
    body = {"type": "interrogate_clip", "images": {"init": stage.upload(png())}}
    [picture] = call("POST", "/jobs", body).json["inputs"]
    call("POST", "/checkpoints", {**LORA, "size": 4096})
    [part] = call("POST", "/checkpoints/parts", {**LORA, "parts": [{"number": 1, "sha256": "0" * 64}]}).json["urls"]
    for url in (picture["url"], part["url"]):
        assert parse_qs(urlsplit(url).query)["X-Amz-Expires"] == ["900"]


def bomb(width: int, height: int) -> bytes:
    """A PNG whose header promises so many pixels, in a few bytes."""
    content = bytearray(png())
    content[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return bytes(content)


@pytest.mark.parametrize("size", [(8192, 8192), (60_000, 60_000), (100_000, 8), (2**31 - 1, 2**31 - 1)])
def test_a_decompression_bomb_is_told_by_its_header(stage: Stage, size: tuple[int, int]) -> None:
    content = bomb(*size)
    inside = {"type": "interrogate_clip", "parameters": {"image": base64.b64encode(content).decode()}}
    uploaded = {"type": "interrogate_clip", "images": {"init": stage.upload(content)}}
    for body in (inside, uploaded):
        reply = call("POST", "/jobs", body)
        assert (reply.status, reply.code) == (422, "image_too_large")
    assert stage.rows() == []


def test_a_large_cameras_picture_is_no_bomb(stage: Stage) -> None:
    body = {"type": "interrogate_clip", "images": {"init": stage.upload(bomb(8064, 6048))}}
    assert call("POST", "/jobs", body).status == 201
