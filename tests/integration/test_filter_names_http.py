"""Filters take the names that `POST /jobs` takes: short endpoints, and model files in every spelling."""

import csv
import io
import json
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from darkroom import ids
from darkroom.aws.job_items import to_item
from darkroom.checkpoints.model import Kind
from darkroom.jobs.model import Job, JobLine
from darkroom.webui.spelling import KnownFile
from tests.support.events import completed, deliver, failed, manifest, progress
from tests.support.http import call
from tests.support.stage import Stage
from tests.support.wire import answer_with, by_the_handlers
from tests.unit.command_line import run

CAFE = "café_noir.safetensors"
DECOMPOSED = "cafe\u0301_noir"


def put(stage: Stage, **more: Any) -> str:
    given: dict[str, Any] = {"owner": "alice", "type": "txt2img", "status": "fail", "endpoint": "darkroom-test-a"}
    line = JobLine(id=ids.new_id(), **(given | more))
    stage.dynamodb.put_item(TableName="jobs", Item=to_item(Job(line, {}), 1))
    return line.id


def on_shelf(stage: Stage, kind: str, name: str, folder: str, alias: str, sha256: str) -> None:
    texts = {"kind": kind, "name": name, "status": "active", "folder": folder, "sha256": sha256}
    item = {key: {"S": value} for key, value in texts.items()}
    stage.dynamodb.put_item(TableName="models", Item={**item, "aliases": {"L": [{"S": alias}]}})


def listed(**query: str) -> list[str]:
    reply = call("GET", f"/jobs?{urlencode(query, quote_via=quote)}")
    assert reply.status == 200, reply.body
    return [line["id"] for line in reply.json["jobs"]]


def test_an_endpoint_is_found_by_its_short_and_its_full_name_also_when_it_is_gone(stage: Stage) -> None:
    gone = put(stage, endpoint="darkroom-test-preview")
    put(stage, endpoint="darkroom-test-a")
    assert listed(endpoint="preview") == listed(endpoint="darkroom-test-preview") == [gone]
    assert listed(endpoint="view") == []


def test_a_checkpoint_is_found_in_every_spelling_while_its_file_is_there(stage: Stage) -> None:
    on_shelf(stage, "stable-diffusion", "Anime-v3.safetensors", "SD15", "animeXL", "6ce0161689" + "0" * 54)
    made = put(stage, checkpoint="Anime-v3.safetensors")
    put(stage, checkpoint="Anime-v3b.safetensors")
    for spelled in (
        "Anime-v3.safetensors",
        "Anime-v3",
        "anime-V3",
        "ANIME-V3.SAFETENSORS",
        "SD15/Anime-v3.safetensors [6ce0161689]",
        "SD15\\Anime-v3",
        "6ce0161689",
        "animeXL",
    ):
        assert listed(checkpoint=spelled) == [made], spelled


def test_a_checkpoint_whose_file_is_gone_is_found_by_its_name_with_or_without_extension(stage: Stage) -> None:
    made = [put(stage, checkpoint="old.ckpt"), put(stage, checkpoint="old.safetensors")]
    assert listed(checkpoint="old") == made[::-1]
    assert listed(checkpoint="old.ckpt") == made[:1]
    assert listed(checkpoint="SD15/old.ckpt [6ce0161689]") == made[:1]
    assert listed(checkpoint="old.pt") == []
    kept = put(stage, checkpoint="SD15/kept.ckpt")
    for spelled in ("SD15/kept.ckpt", "SD15/kept", "SD15\\kept [6ce0161689]"):
        assert listed(checkpoint=spelled) == [kept], spelled


def test_a_checkpoint_that_is_there_hides_no_job_of_one_that_is_gone(stage: Stage) -> None:
    stage.model("style.safetensors")
    made = [put(stage, checkpoint="style.ckpt"), put(stage, checkpoint="style.safetensors")]
    assert listed(checkpoint="style") == made[::-1]


def test_accents_match_however_they_are_encoded_in_every_filter(stage: Stage) -> None:
    stage.model(CAFE)
    made = put(stage, checkpoint=CAFE, lora=(CAFE,), prompt="un café")
    for text in (DECOMPOSED, f"{DECOMPOSED}.safetensors", CAFE):
        assert listed(checkpoint=text) == listed(lora=text) == [made]
    assert listed(q="cafe\u0301") == [made]
    earlier = put(stage, checkpoint=f"{DECOMPOSED}.safetensors", lora=(f"{DECOMPOSED}.safetensors",))
    for text in (DECOMPOSED, CAFE):
        assert listed(checkpoint=text) == listed(lora=text) == [earlier, made]


def test_a_lora_is_found_in_any_case_by_its_alias_and_when_it_is_gone(stage: Stage) -> None:
    on_shelf(stage, "lora", "film_grain.safetensors", "styles", "FilmGrainXL", "a" * 64)
    made = put(stage, lora=("film_grain.safetensors", "Gone.pt"))
    put(stage, lora=("film_grain_2.safetensors",))
    for spelled in ("film_grain", "FILM_GRAIN.safetensors", "styles/film_grain", "FilmGrainXL", "filmgrainxl", "gone"):
        assert listed(lora=spelled) == [made], spelled
    assert listed(lora="gone.safetensors") == []


def test_an_owner_is_exact(stage: Stage) -> None:
    put(stage, owner="alice")
    assert listed(owner="Alice") == listed(owner="alic") == []


def test_exports_and_pages_go_on_with_the_name_as_it_was_written(stage: Stage) -> None:
    made = [put(stage, checkpoint="old.ckpt", endpoint="darkroom-test-preview") for _ in range(3)]
    query = "/jobs?limit=2&checkpoint=old&endpoint=preview"
    rows, lines = (call("GET", query, headers={"Accept": form}) for form in ("text/csv", "application/x-ndjson"))
    assert [row["id"] for row in csv.DictReader(io.StringIO(rows.body.removeprefix("\ufeff")))] == made[:0:-1]
    assert [json.loads(line)["id"] for line in lines.body.splitlines()] == made[:0:-1]
    following = rows.headers["Link"].split(">")[0].removeprefix("<")
    assert [line["id"] for line in call("GET", f"/jobs{following}").json["jobs"]] == made[:1]


def test_the_command_line_finds_the_same(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    made = put(stage, checkpoint="old.ckpt", endpoint="darkroom-test-preview", prompt="İstanbul")
    answer_with(monkeypatch, by_the_handlers)
    monkeypatch.setenv("DARKROOM_URL", "https://api.example.com/v1")
    monkeypatch.setenv("DARKROOM_KEY", "a-key")
    minute = ids.created_at(made).strftime("%Y-%m-%dT%H:%M")
    same = ("--from", minute, "--to", minute, "--endpoint", "preview", "--checkpoint", "old", "--q", "istanbul")
    assert [line["id"] for line in json.loads(run("jobs", "list", *same, "--json").stdout)] == [made]
    assert made in run("jobs", "list", *same, "--csv").stdout
    assert "is no date or time" in run("jobs", "list", "--from", "last week", code=1).stderr
    assert run("jobs", "list", "--from", "2025-W48", "--to", "2025-W48").stdout == ""


def test_the_summarys_names_are_those_that_filters_take(stage: Stage) -> None:
    made = put(stage, checkpoint="old.ckpt", endpoint="darkroom-test-preview")
    counted = call("GET", "/jobs/summary").json
    [endpoint], [checkpoint] = counted["by_endpoint"], counted["by_checkpoint"]
    assert listed(endpoint=endpoint, checkpoint=checkpoint) == [made]


def test_the_shelf_is_read_once_for_several_pages(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[str] = []
    known = stage.adapters.registry.known_files

    def counted(kind: Kind) -> list[KnownFile]:
        reads.append(kind)
        return known(kind)

    monkeypatch.setattr(stage.adapters.registry, "known_files", counted)
    for _ in range(3):
        listed(checkpoint="v1-5")
    assert reads == ["stable-diffusion"]


@pytest.mark.parametrize("reported", [None, 0.0, 0.4])
def test_a_job_that_succeeded_shows_all_its_progress_and_others_keep_theirs(
    stage: Stage, reported: float | None
) -> None:
    ids_of = {}
    for end in ("succeed", "fail", "cancelled"):
        body = {"type": "txt2img", "checkpoint": "v1-5", "parameters": {"prompt": "a"}}
        job = ids_of[end] = call("POST", "/jobs", body).json["id"]
        if reported is not None:
            deliver(progress(job, reported))
    deliver(completed(ids_of["succeed"], manifest(ids_of["succeed"])), failed(ids_of["fail"]))
    call("POST", f"/jobs/{ids_of['cancelled']}/cancel")
    shown = {end: call("GET", f"/jobs/{job}").json for end, job in ids_of.items()}
    assert {end: job["status"] for end, job in shown.items()} == {end: end for end in ids_of}
    assert {end: job["progress"] for end, job in shown.items()} == {
        "succeed": 1.0,
        "fail": reported,
        "cancelled": reported,
    }
