"""What a job looks like in the table, attribute for attribute: rows of earlier releases must stay readable."""

from dataclasses import replace
from typing import Any

import pytest

from darkroom.aws.job_items import (
    attributes,
    brought_by,
    from_item,
    line_brought_by,
    line_from_item,
    packed,
    progress_number,
    short_place,
    to_item,
    unpacked,
    values_of,
    whole_place,
)
from darkroom.jobs.contract import PaintedImage, Timings, WorkError
from darkroom.jobs.model import Job, JobLine, Ran, Transition

ID = "0198d4a6-2b00-7000-8000-000000000001"
LINE = JobLine(
    id=ID,
    owner="alice",
    type="img2img",
    status="created",
    endpoint="darkroom-test-a",
    mode="inpaint",
    checkpoint="v1-5.safetensors",
    prompt="桜 on a pier",
    lora=("film.safetensors", "ink.pt"),
    price=0.736,
    seeds=(2**63 - 1,),
    batch=4,
    notice_count=1,
    title="Dawn",
    rating=4,
    tags=("sea", "night"),
)
FULL = Job(
    line=LINE,
    parameters={"prompt": "桜 on a pier", "steps": 20, "cfg_scale": 7.0, "seed": 2**63 - 1, "eta": 1e-05},
    inputs={"init": "0" * 64},
    models={"lora": ["film.safetensors", "ink.pt"], "vae": ["None"]},
    expires_at=1790000000,
    instance_type="ml.g5.xlarge",
    replay_of=ID,
    notices=("Rounded down.",),
)
FULL_ITEM: dict[str, Any] = {
    "id": {"S": ID},
    "owner": {"S": "alice"},
    "type": {"S": "img2img"},
    "status": {"S": "created"},
    "listed_as": {"S": "created"},
    "endpoint": {"S": "darkroom-test-a"},
    "checkpoint": {"S": "v1-5.safetensors"},
    "line": {
        "M": {
            "mode": {"S": "inpaint"},
            "prompt": {"S": "桜 on a pier"},
            "lora": {"L": [{"S": "film.safetensors"}, {"S": "ink.pt"}]},
            "price": {"N": "0.736"},
            "seeds": {"L": [{"N": "9223372036854775807"}]},
            "batch": {"N": "4"},
            "notice_count": {"N": "1"},
            "title": {"S": "Dawn"},
            "rating": {"N": "4"},
            "tags": {"L": [{"S": "sea"}, {"S": "night"}]},
        }
    },
    "feed": {"S": "0"},
    "type_shard": {"S": "img2img#0"},
    "status_shard": {"S": "created#0"},
    "open_shard": {"S": "0"},
    "parameters": {"S": '{"steps":20,"cfg_scale":7.0,"seed":9223372036854775807,"eta":1e-05}'},
    "inputs": {"S": '{"init":"' + "0" * 64 + '"}'},
    "models": {"S": '{"lora":["film.safetensors","ink.pt"],"vae":["None"]}'},
    "instance_type": {"S": "ml.g5.xlarge"},
    "replay_of": {"S": ID},
    "notices": {"L": [{"S": "Rounded down."}]},
    "expires_at": {"N": "1790000000"},
}
PICTURE = PaintedImage(key=f"jobs/{ID}/output/0.png", width=64, height=64, seed=1, infotext="桜")


def test_a_job_with_everything_is_this_item() -> None:
    assert to_item(FULL, 4) == FULL_ITEM


def test_a_job_with_nothing_is_this_item() -> None:
    assert to_item(Job(JobLine(ID, "alice", "txt2img", "created"), {}), 1) == {
        "id": {"S": ID},
        "owner": {"S": "alice"},
        "type": {"S": "txt2img"},
        "status": {"S": "created"},
        "listed_as": {"S": "created"},
        "line": {"M": {}},
        "feed": {"S": "0"},
        "type_shard": {"S": "txt2img#0"},
        "status_shard": {"S": "created#0"},
        "open_shard": {"S": "0"},
        "parameters": {"S": "{}"},
    }


def test_a_job_that_succeeded_is_in_no_index_of_statuses_or_open_jobs() -> None:
    assert {"status_shard", "open_shard"}.isdisjoint(to_item(Job(JobLine(ID, "alice", "txt2img", "succeed"), {}), 1))


def test_a_success_brings_these_attributes() -> None:
    success = Transition(
        "succeed",
        "callback",
        output_location="s3://a",
        failure_location="s3://b",
        images=(PICTURE,),
        caption="c",
        timings=Timings(queued=0.1, model=1, run=2.0005),
        submitted_at="s",
        completed_at="t",
        cancelled_when="during",
    )
    assert attributes(brought_by(ID, success)) == {
        "output_location": {"S": "s3://a"},
        "failure_location": {"S": "s3://b"},
        "caption": {"S": "c"},
        "submitted_at": {"S": "s"},
        "cancelled_when": {"S": "during"},
        "images": {"S": '[{"key":"/0.png","width":64,"height":64,"seed":1,"infotext":"桜"}]'},
        "timings": {"S": '{"queued":0.1,"model":1.0,"run":2.0005}'},
    }
    assert attributes(line_brought_by(ID, success)) == {
        "completed_at": {"S": "t"},
        "image_count": {"N": "1"},
        "first_image": {"S": "/0.png"},
        "seeds": {"L": [{"N": "1"}]},
        "run_seconds": {"N": "3.001"},
    }


def test_a_failure_brings_these_attributes() -> None:
    failure = Transition("fail", "s3", error=WorkError(code="oom", message="m"), completed_at="t")
    assert attributes(line_brought_by(ID, failure)) == {"completed_at": {"S": "t"}}
    assert attributes(brought_by(ID, failure)) == {
        "error": {"S": '{"code":"oom","message":"m"}'},
        "error_code": {"S": "oom"},
    }


def test_progress_has_four_decimals() -> None:
    numbers = attributes({str(share): progress_number(share) for share in (0.0, 0.5, 1 / 3, 1.0)})
    assert [number["N"] for number in numbers.values()] == ["0.0000", "0.5000", "0.3333", "1.0000"]


def test_a_whole_item_is_read_back_as_the_job_that_it_is() -> None:
    assert from_item(FULL_ITEM) == FULL
    columns = {
        "completed_at": {"S": "2026-01-01T00:00:00.000Z"},
        "image_count": {"N": "1"},
        "first_image": {"S": "/thumbnails/0.webp"},
        "run_seconds": {"N": "3.001"},
    }
    later = {
        **FULL_ITEM,
        "status": {"S": "succeed"},
        "listed_as": {"S": "succeed"},
        "line": {"M": FULL_ITEM["line"]["M"] | columns},
        "images": {"S": f"[{PICTURE.model_dump_json()}]"},
        "timings": {"S": '{"queued":0.1,"model":1.0,"run":2.0005}'},
        "progress": {"N": "0.5000"},
        "hand_overs": {"N": "2"},
    }
    job = from_item(later)
    assert (job.line.image_count, job.line.run_seconds, job.progress, job.hand_overs) == (1, 3.001, 0.5, 2)
    assert (job.images, job.timings) == ((PICTURE,), Timings(queued=0.1, model=1, run=2.0005))
    assert job.line.first_image == f"jobs/{ID}/output/thumbnails/0.webp"
    assert job.line == line_from_item(later)


def test_a_list_shows_the_status_that_it_is_told_and_not_that_of_the_row() -> None:
    item = to_item(FULL, 4, listed_as="in_progress")
    assert (item["status"], item["status_shard"]["S"]) == ({"S": "created"}, "in_progress#0")
    assert (line_from_item(item).status, from_item(item).line.status) == ("in_progress", "created")


@pytest.mark.parametrize("text", ["", "short", "é" * 500, "a pier, " * 1_000, "".join(map(chr, range(0x4E00, 0x5300)))])
def test_a_long_text_is_packed_and_comes_back_as_it_was(text: str) -> None:
    stored = packed(text)
    assert unpacked(values_of(attributes({"text": stored}))["text"]) == text
    assert len(stored if isinstance(stored, bytes) else stored.encode()) <= len(text.encode())
    assert isinstance(stored, str) == (len(text.encode()) <= 200)


@pytest.mark.parametrize("prompt", [None, "", "a pier", "a pier, " * 400])
def test_parameters_come_back_with_their_prompt_wherever_it_is_stored(prompt: str | None) -> None:
    parameters: dict[str, Any] = {"steps": 20} | ({} if prompt is None else {"prompt": prompt})
    job = Job(replace(LINE, prompt=prompt[:2_000] if prompt else None), parameters)
    assert from_item(to_item(job, 1)) == job


@pytest.mark.parametrize("name", ["0.png", "jobs/0.png", "/0.png", "a/b.webp"])
def test_the_keys_of_pictures_come_back_as_they_were(name: str) -> None:
    image = PaintedImage(key=f"jobs/{ID}/output/{name}", width=8, height=8, thumbnail="jobs/another/output/0.webp")
    ended = Transition("succeed", "callback", images=(image,))
    row = to_item(FULL, 1) | attributes(brought_by(ID, ended))
    line = row["line"]["M"] | attributes(line_brought_by(ID, ended))
    job = from_item(row | {"line": {"M": line}})
    assert (job.images, job.line.first_image) == ((image,), image.thumbnail)


@pytest.mark.parametrize(
    ("place", "stored"),
    [
        (f"s3://b/jobs/{ID}/output/response.json", "~s3://b/jobs/~/output/response.json"),
        ("s3://b/failures/x-error.out", "s3://b/failures/x-error.out"),
        (f"s3://b/~/{ID}", f"s3://b/~/{ID}"),
    ],
)
def test_the_places_of_answers_come_back_as_they_were(place: str, stored: str) -> None:
    assert short_place(ID, place) == stored
    assert whole_place(ID, stored) == place


def test_a_job_of_several_instance_types_keeps_their_prices_until_its_end() -> None:
    pooled = replace(FULL, line=replace(LINE, price_estimated=True), instance_type=None, pool={"b": 1.5, "a": None})
    item = to_item(pooled, 4)
    assert item["pool"] == {"S": '{"b":1.5,"a":null}'}
    assert item["line"]["M"]["price_estimated"] == {"BOOL": True}
    read = from_item(item)
    assert read == pooled
    # In the order of preference.
    assert list(read.pool) == ["b", "a"]


def test_the_end_brings_the_type_and_its_price() -> None:
    end = Transition("succeed", "callback", ran=Ran("ml.g4dn.xlarge", 0.736))
    assert brought_by(ID, end)["instance_type"] == "ml.g4dn.xlarge"
    line = line_brought_by(ID, end)
    assert (line["price"], line["price_estimated"]) == (0.736, False)


def test_a_cost_is_an_estimate_only_where_there_is_one() -> None:
    assert not replace(LINE, price_estimated=True).cost_estimated
    assert replace(LINE, price_estimated=True, run_seconds=1.0).cost_estimated
