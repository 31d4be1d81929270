"""A model file goes to the shelf over the real gateway and S3, and a job uses it."""

import hashlib
from typing import Any

import httpx

from darkroom.checkpoints.model import part_size
from tests.e2e.conftest import IMPORTS, Running, txt2img
from tests.support.models import safetensors
from tests.support.waiting import eventually

NAME = "Film Grain (v2) ümlaut.safetensors"
MODEL: dict[str, Any] = {"kind": "lora", "name": NAME}


def test_an_upload_survives_a_corrupted_part_and_goes_on_where_it_stopped(darkroom: Running) -> None:
    content = safetensors({"modelspec.trigger_phrase": "film grain"}, data=b"\7" * (9 * 1024**2))
    request = darkroom.client.request
    size = part_size(len(content))
    pieces = [content[:size], content[size:]]
    registered = request("POST", "/checkpoints", json={**MODEL, "size": len(content)})
    assert registered["upload"] == {"part_size": size, "parts": 2}
    sums = [hashlib.sha256(piece).hexdigest() for piece in pieces]
    wanted = [{"number": number + 1, "sha256": digest} for number, digest in enumerate(sums)]
    urls = request("POST", "/checkpoints/parts", json={**MODEL, "parts": wanted})["urls"]
    corrupted = httpx.put(urls[0]["url"], content=pieces[0][:-1] + b"?", headers=urls[0]["headers"], timeout=60)
    assert corrupted.status_code == 400
    assert httpx.put(urls[0]["url"], content=pieces[0], headers=urls[0]["headers"], timeout=60).status_code == 200
    # Another machine asks what is there, and sends the rest.
    again = request("POST", "/checkpoints", json={**MODEL, "size": len(content)})
    assert again["checkpoint"]["status"] == "uploading"
    stored = request("POST", "/checkpoints/parts", json=MODEL)["stored"]
    assert [(part["number"], part["sha256"]) for part in stored] == [(1, sums[0])]
    assert httpx.put(urls[1]["url"], content=pieces[1], headers=urls[1]["headers"], timeout=60).status_code == 200
    done = request("POST", "/checkpoints/complete", json=MODEL)
    assert (done["status"], done["trigger_words"]) == ("active", ["film grain"])
    job = darkroom.client.submit({**txt2img(width=64, height=64), "models": {"lora": [NAME]}})
    assert darkroom.client.settled(job["id"], 30)["status"] == "succeed"
    assert [line["id"] for line in darkroom.client.history(lora=NAME)] == [job["id"]]
    request("DELETE", "/checkpoints", params=MODEL)
    assert request("GET", "/checkpoints", params={"kind": "lora"})["checkpoints"] == []


def test_imports_from_s3_arrive_and_addresses_of_our_own_network_are_not_fetched(darkroom: Running) -> None:
    s3 = darkroom.aws("s3")
    for bucket, name in ((IMPORTS, "ink.safetensors"), ("models-of-somebody", "not-named.safetensors")):
        s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket=bucket, Key=name, Body=safetensors(data=b"\1" * (9 * 1024**2)))
    request = darkroom.client.request
    for url in (
        f"s3://{IMPORTS}/ink.safetensors",
        "s3://models-of-somebody/not-named.safetensors",
        "https://127.0.0.1/inside.safetensors",
    ):
        assert request("POST", "/checkpoints/import", json={"kind": "lora", "url": url})["status"] == "importing"

    def imported() -> dict[str, Any] | None:
        rows = {row["name"]: row for row in request("GET", "/checkpoints", params={"kind": "lora"})["checkpoints"]}
        return None if "importing" in {row["status"] for row in rows.values()} else rows

    rows = eventually(imported, 60)
    assert rows
    assert rows["ink.safetensors"]["status"] == "active"
    assert rows["inside.safetensors"]["status"] == "fail"
    assert "no public address" in rows["inside.safetensors"]["reason"]
    assert rows["not-named.safetensors"]["status"] == "fail"
    assert "may not read it" in rows["not-named.safetensors"]["reason"]
    for name in rows:
        request("DELETE", "/checkpoints", params={"kind": "lora", "name": name})
