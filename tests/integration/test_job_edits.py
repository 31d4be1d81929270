"""`PATCH /jobs/{id}`: title, rating and tags, and finding jobs by them."""

from typing import Any

import pytest

from tests.support.events import completed, deliver, manifest, progress
from tests.support.http import call
from tests.support.stage import Stage

BODY = {
    "type": "txt2img",
    "checkpoint": "v1-5.safetensors",
    "parameters": {"prompt": "a pier", "seed": 11, "batch_size": 2, "n_iter": 3, "width": 513},
}
UNKNOWN = "01900000-0000-7000-8000-000000000000"


@pytest.fixture
def job_id(stage: Stage) -> str:
    return str(call("POST", "/jobs", BODY).json["id"])


def edited(job_id: str, **changes: Any) -> Any:
    reply = call("PATCH", f"/jobs/{job_id}", changes)
    assert reply.status == 200, reply.body
    return [reply.json[name] for name in ("title", "rating", "tags")]


def found(query: str) -> list[str]:
    return [line["id"] for line in call("GET", f"/jobs?{query}").json["jobs"]]


def test_what_is_left_out_stays_and_null_takes_away(job_id: str) -> None:
    assert edited(job_id, title="  Dawn  ", rating=4, tags=["Sea", " night sky ", "SEA"]) == [
        "Dawn",
        4,
        ["Sea", "night sky"],
    ]
    assert edited(job_id, rating=5) == ["Dawn", 5, ["Sea", "night sky"]]
    assert edited(job_id, title=None, tags=[]) == [None, 5, []]
    assert edited(job_id, rating=None, tags=None) == [None, None, []]
    assert call("GET", f"/jobs/{job_id}").json["rating"] is None


def test_what_was_given_is_shown_in_lists_and_found(job_id: str) -> None:
    other = call("POST", "/jobs", BODY).json["id"]
    edited(job_id, title="Dawn", rating=4, tags=["Sea", "night sky"])
    [line] = call("GET", "/jobs?rating=4&rating=5").json["jobs"]
    assert [line[name] for name in ("id", "title", "rating", "tags")] == [job_id, "Dawn", 4, ["Sea", "night sky"]]
    assert found("tag=sea&tag=NIGHT+SKY") == [job_id]
    assert found("tag=sea&rating=3") == []
    assert found("seed=11") == [other, job_id]
    csv = call("GET", "/jobs?rating=4", headers={"Accept": "text/csv"}).body
    assert "Sea; night sky" in csv


def test_it_outlives_the_end_of_the_job(job_id: str) -> None:
    edited(job_id, title="Dawn", rating=4, tags=["sea"])
    deliver(progress(job_id, 0.5), completed(job_id, manifest(job_id, notices=["Left out."])))
    [line] = call("GET", "/jobs?tag=sea").json["jobs"]
    assert (line["status"], line["title"], line["rating"], line["image_count"]) == ("succeed", "Dawn", 4, 1)
    # The worker answered with one picture of the six, and 513 pixels were rounded down.
    assert (line["seed"], line["batch"], line["notice_count"]) == (7, 6, 2)
    assert found("seed=7") == [job_id]
    assert found("seed=11") == []
    assert edited(job_id, rating=2) == ["Dawn", 2, ["sea"]]


def test_a_replay_begins_without_them(job_id: str) -> None:
    edited(job_id, title="Dawn", rating=4, tags=["sea"])
    again = call("POST", f"/jobs/{job_id}/replay").json
    assert [again[name] for name in ("title", "rating", "tags")] == [None, None, []]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"rating": 0},
        {"rating": 6},
        {"rating": 4.5},
        {"rating": "4"},
        {"rating": True},
        {"title": ""},
        {"title": " "},
        {"title": "x" * 201},
        {"title": "two\nlines"},
        {"tags": "sea"},
        {"tags": [""]},
        {"tags": ["x" * 51]},
        {"tags": [str(number) for number in range(21)]},
        {"status": "succeed"},
    ],
)
def test_what_makes_no_sense_is_refused(job_id: str, body: dict[str, Any]) -> None:
    reply = call("PATCH", f"/jobs/{job_id}", body)
    assert (reply.status, reply.code) == (422, "invalid_request"), reply.body


@pytest.mark.parametrize("query", ["rating=0", "rating=6", "rating=x", "tag=", "seed=-1", "seed=x", "seed=1&seed=2"])
def test_a_filter_that_makes_no_sense_is_refused(stage: Stage, query: str) -> None:
    reply = call("GET", f"/jobs?{query}")
    assert (reply.status, reply.code) == (400, "invalid_request"), reply.body


def test_only_a_job_that_is_there_is_changed(job_id: str, stage: Stage) -> None:
    assert call("PATCH", f"/jobs/{UNKNOWN}", {"rating": 3}).code == "job_not_found"
    assert call("PATCH", "/jobs/sweep", {"rating": 3}).code == "job_not_found"
    call("DELETE", f"/jobs/{job_id}")
    assert call("PATCH", f"/jobs/{job_id}", {"rating": 3}).code == "job_not_found"
    assert stage.rows() == []
