"""`GET /jobs` with its filters, exports and summary over HTTP."""

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from darkroom import ids
from darkroom.aws.job_items import to_item
from darkroom.jobs.export import form_of
from darkroom.jobs.filters import Filters
from darkroom.jobs.model import Job, JobLine
from darkroom.jobs.summary import summarize
from tests.support.history import id_at
from tests.support.http import call
from tests.support.memory import MemoryHistory
from tests.support.stage import Stage

A, B = "darkroom-test-a", "darkroom-test-b"


MARKED: dict[str, Any] = {"rating": 4, "tags": ("Sea", "night sky"), "seeds": (0, 2**64 - 1)}


def at(text: str, number: int = 0) -> str:
    """An id made at this moment."""
    moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return ids.first_of(moment)[:14] + f"7000-8000-{number:012d}"


def put(stage: Stage, made_at: str, number: int = 0, **more: Any) -> str:
    given: dict[str, Any] = {"owner": "alice", "type": "txt2img", "status": "succeed", "endpoint": A} | more
    line = JobLine(id=at(made_at, number), **given)
    stage.dynamodb.put_item(TableName="jobs", Item=to_item(Job(line, {}), 1))
    return line.id


def listed(query: str = "") -> list[str]:
    reply = call("GET", f"/jobs?{query}")
    assert reply.status == 200, reply.body
    return [line["id"] for line in reply.json["jobs"]]


@pytest.fixture
def two_days(stage: Stage) -> dict[str, str]:
    return {
        "morning": put(stage, "2026-03-01T08:00:00", type="img2img", status="fail", prompt="A Red Lighthouse"),
        "evening": put(stage, "2026-03-01T23:59:59.500", owner="bob", lora=("film.safetensors",)),
        "next day": put(
            stage, "2026-03-02T00:00:00", endpoint=B, checkpoint="x.safetensors", prompt="red cat", **MARKED
        ),
    }


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["next day", "evening", "morning"]),
        ("type=img2img", ["morning"]),
        ("type=img2img&type=txt2img", ["next day", "evening", "morning"]),
        ("status=fail&status=created", ["morning"]),
        ("status=succeed&status=fail", ["next day", "evening", "morning"]),
        ("owner=bob", ["evening"]),
        ("endpoint=b&checkpoint=x.safetensors", ["next day"]),
        ("lora=film", ["evening"]),
        ("lora=film.safetensors", ["evening"]),
        ("q=RED", ["next day", "morning"]),
        ("q=lighthouse+red", ["morning"]),
        ("q=blue", []),
        ("rating=4", ["next day"]),
        ("rating=3&rating=5", []),
        ("rating=5&rating=4&owner=alice", ["next day"]),
        ("tag=SEA", ["next day"]),
        ("tag=sea&tag=Night+Sky", ["next day"]),
        ("tag=sea&tag=day", []),
        ("tag=night", []),
        ("seed=0", ["next day"]),
        ("seed=18446744073709551615&tag=sea&status=succeed", ["next day"]),
        ("seed=7", []),
        ("to=2026-03-01", ["evening", "morning"]),
        ("from=2026-03-02", ["next day"]),
        ("from=2026-03-01&to=2026-03-01", ["evening", "morning"]),
        ("from=20260301&to=20260301", ["evening", "morning"]),
        ("to=2026-W09-7", ["evening", "morning"]),
        ("to=2026-03-01T23:59:59Z", ["evening", "morning"]),
        ("to=2026-03-01T23:59:58Z", ["morning"]),
        # Ten in the morning in Tokyo is one in the night in UTC.
        ("from=2026-03-02T09:00:00%2B09:00", ["next day"]),
        ("from=2026-03-02T09:00:00+09:00", ["next day"]),
        ("from=2026-03-01T18:00:00-06:00", ["next day"]),
        ("from=0001-01-01&to=9999-12-31", ["next day", "evening", "morning"]),
    ],
)
def test_each_filter_finds_what_it_says(two_days: dict[str, str], query: str, expected: list[str]) -> None:
    assert listed(query) == [two_days[name] for name in expected]


def test_a_line_has_all_that_the_history_shows(two_days: dict[str, str]) -> None:
    [line] = call("GET", "/jobs?status=fail").json["jobs"]
    assert line["label"] == f"2026-03-01T08:00:00Z->img2img->fail->{two_days['morning']}"
    assert set(line) == {
        "label", "id", "type", "mode", "status", "owner", "endpoint", "checkpoint", "created_at", "completed_at",
        "duration", "run_seconds", "cost", "cost_estimated", "image_count", "prompt", "thumbnail",
        "title", "rating", "tags", "seed", "batch", "notice_count",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("before=nope", "before"),
        ("from=2026-03-02&to=2026-03-01", "from"),
        ("from=2026-03-01T00:00:01Z&to=2026-03-01T00:00:00Z", "from"),
        ("status=done", "status"),
        ("status=fail&status=done", "status"),
        ("type=video", "type"),
        ("from=yesterday", "from"),
        ("to=2026-02-30", "to"),
        ("to=2026-13", "to"),
        ("from=", "from"),
        ("owner=", "owner"),
        ("checkpoint=" + "x" * 300, "checkpoint"),
        ("q=" + "x" * 600, "q"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_by_the_fields_name(stage: Stage, query: str, field: str) -> None:
    reply = call("GET", f"/jobs?{query}")
    assert (reply.status, reply.code) == (400, "invalid_request")
    assert reply.json["errors"][0]["loc"][:2] == ["query", field]


def test_show_all_with_filters_is_following_next(stage: Stage) -> None:
    wanted = [put(stage, "2026-03-01T08:00:00", n, owner="bob") for n in range(0, 60, 2)]
    for n in range(1, 60, 2):
        put(stage, "2026-03-01T08:00:00", n)
    found, following = [], ""
    while following is not None:
        page = call("GET", "/jobs?owner=bob&limit=7" + (f"&before={following}" if following else "")).json
        found += [line["id"] for line in page["jobs"]]
        following = page["next"]
    assert found == wanted[::-1]


def test_a_page_comes_as_csv_with_a_link_to_the_next(stage: Stage) -> None:
    for n in range(3):
        put(stage, "2026-03-01T08:00:00", n, prompt="=HYPERLINK(1)" if n == 2 else 'said "a, b"\nand more')
    reply = call("GET", "/jobs?limit=2&type=txt2img", headers={"Accept": "text/csv"})
    assert reply.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert reply.headers["Content-Disposition"] == 'attachment; filename="darkroom-jobs.csv"'
    assert reply.body.startswith("\ufefflabel,"), "Excel takes a file without a byte order mark for another encoding"
    rows = list(csv.DictReader(io.StringIO(reply.body.removeprefix("\ufeff"))))
    assert [row["prompt"] for row in rows] == ["'=HYPERLINK(1)", 'said "a, b"\nand more']
    query = urlencode({"limit": 2, "type": "txt2img", "before": rows[-1]["id"]})
    assert reply.headers["Link"] == f'<?{query}>; rel="next"'
    last = call("GET", f"/jobs?{query}", headers={"Accept": "text/csv"})
    assert last.body.startswith("label,"), "only the first page begins with the mark"
    assert len(list(csv.DictReader(io.StringIO(last.body)))) == 1
    assert "Link" not in last.headers


def test_a_page_comes_as_ndjson_with_the_same_lines(two_days: dict[str, str]) -> None:
    page = call("GET", "/jobs").json["jobs"]
    reply = call("GET", "/jobs", headers={"Accept": "application/x-ndjson, */*"})
    assert reply.headers["Content-Type"] == "application/x-ndjson"
    assert reply.headers["Content-Disposition"] == 'attachment; filename="darkroom-jobs.ndjson"'
    assert [json.loads(line)["label"] for line in reply.body.splitlines()] == [line["label"] for line in page]


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/html", "application/json, text/csv", ";;,"])
def test_anything_else_is_json(two_days: dict[str, str], accept: str) -> None:
    assert len(call("GET", "/jobs", headers={"Accept": accept}).json["jobs"]) == 3


def test_the_summary_counts_a_range_by_all_that_menus_need(two_days: dict[str, str]) -> None:
    whole = call("GET", "/jobs/summary").json
    assert (whole["jobs"], whole["exact"], whole["since"]) == (3, True, None)
    assert whole["by_status"] == {"succeed": 2, "fail": 1}
    assert whole["by_type"] == {"txt2img": 2, "img2img": 1}
    assert whole["by_endpoint"] == {A: 2, B: 1}
    assert whole["by_checkpoint"] == {"x.safetensors": 1}
    assert whole["by_day"] == {"2026-03-01": 2, "2026-03-02": 1}
    assert call("GET", "/jobs/summary?to=2026-03-01").json["jobs"] == 2
    assert call("GET", "/jobs/summary?from=never").code == "invalid_request"


@pytest.mark.parametrize("shards", [1, 3])
def test_a_summary_is_exact_up_to_its_most_and_counts_just_the_newest_of_more(shards: int) -> None:
    history = MemoryHistory(shards)
    for number in range(50):
        history.put(JobLine(id_at(number, number), "alice", "txt2img", "fail", "a"))
    for most, exact in ((49, False), (50, True), (51, True)):
        counted = summarize(history.read, Filters(), shards, most=most)
        assert (counted.jobs, counted.exact) == (min(most, 50), exact)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("text/csv;q=0, application/json", "application/json"),
        ("application/json;q=0.1, text/csv", "text/csv"),
        ("application/x-ndjson;q=x", "application/x-ndjson"),
        ("*/*, text/csv", "application/json"),
    ],
)
def test_the_form_is_the_one_the_caller_likes_best(accept: str, form: str) -> None:
    assert form_of(accept) == form


def test_words_are_found_however_their_accents_are_encoded(stage: Stage) -> None:
    made = put(stage, "2026-03-01T08:00:00", prompt="un cafe\u0301 noir")
    assert listed("q=CAF%C3%89") == [made]


def test_a_summary_of_more_than_it_counts_says_so(stage: Stage) -> None:
    for n in range(20):
        put(stage, f"2026-03-{n + 1:02d}T08:00:00")
    counted = summarize(stage.adapters.store.read, Filters(), 1, most=5)
    assert (counted.jobs, counted.exact, counted.since) == (5, False, "2026-03-16T08:00:00Z")


def test_csv_and_ndjson_have_the_same_columns_but_for_links(stage: Stage) -> None:
    put(stage, "2026-03-01T08:00:00", prompt="桜")
    lines, table = (
        call("GET", "/jobs", headers={"Accept": form}).body for form in ("application/x-ndjson", "text/csv")
    )
    [head, row] = csv.reader(io.StringIO(table.removeprefix("\ufeff")))
    assert head == [name for name in json.loads(lines) if name != "thumbnail"]
    assert {"run_seconds", "cost"} <= set(head)
    assert row[head.index("prompt")] == "桜"
