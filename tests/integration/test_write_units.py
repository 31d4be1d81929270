"""What the writes of a job cost, row and indexes, and that the counting counts."""

from typing import Any

import pytest

from bench.writes import LONG, TYPICAL, WORST, Case, Write, index_units, life_of, metered, size_of, without_progress
from darkroom.errors import Busy
from darkroom.tables import JOBS
from tests.support.events import completed, deliver, manifest
from tests.support.http import call
from tests.support.sagemaker import FakeSageMaker
from tests.support.stage import Stage

LISTS = {index.name for index in JOBS.indexes} - {"open"}
BODY = {"type": "txt2img", "checkpoint": "v1-5.safetensors", "parameters": {"prompt": "a pier"}}


@pytest.mark.parametrize(("case", "most"), [(TYPICAL, 22), (LONG, 23), (WORST, 145)], ids=lambda value: str(value)[:20])
def test_a_job_costs_no_more_write_units_than_its_budget(case: Case, most: int) -> None:
    assert without_progress(life_of(case)) <= most


def test_a_typical_job_writes_each_index_when_it_is_made_and_when_it_ends_and_never_in_between() -> None:
    create, mark, progress, end = life_of(TYPICAL)
    once = dict.fromkeys([*LISTS, "open"], 1)
    assert (create.indexes, end.indexes) == (once, once)
    assert (mark.indexes, progress.indexes) == ({}, {})
    # Two for the row, in a transaction, and two for the condition on the checkpoint.
    assert (create.row, mark.row, progress.row, end.row) == (4, 2, 2, 2)


def test_an_edit_writes_the_indexes_that_list_the_job(stage: Stage) -> None:
    job_id = call("POST", "/jobs", BODY).json["id"]
    deliver(completed(job_id, manifest(job_id)))
    with metered(stage) as writes:
        call("PATCH", f"/jobs/{job_id}", {"rating": 4})
        call("PATCH", f"/jobs/{job_id}", {"rating": 4})
    once, again = writes
    assert once.indexes == dict.fromkeys(LISTS - {"by_status"}, 1)
    assert again == Write("UpdateItem")


def test_a_hand_over_that_fails_is_shown_at_the_price_of_the_indexes(stage: Stage, sagemaker_is_busy: None) -> None:
    with metered(stage) as writes:
        call("POST", "/jobs", BODY)
    created, shown = writes
    assert created.indexes == dict.fromkeys([*LISTS, "open"], 1)
    assert shown.indexes == dict.fromkeys(LISTS, 1) | {"by_status": 2}
    assert [line["status"] for line in call("GET", "/jobs?status=created").json["jobs"]] == ["created"]


@pytest.fixture
def sagemaker_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object) -> None:
        raise Busy("aws_busy", "SageMaker is busy.")

    monkeypatch.setattr(FakeSageMaker, "invoke", busy)


def test_an_index_costs_what_changes_in_it() -> None:
    [feed] = [index for index in JOBS.indexes if index.name == "feed"]
    item: dict[str, Any] = {
        "id": {"S": "x"},
        "feed": {"S": "0"},
        "line": {"M": {"prompt": {"S": "p" * 900}}},
        "status": {"S": "a"},
    }
    longer = item | {"line": {"M": {"prompt": {"S": "p" * 1_100}}}}
    assert index_units({}, item, feed) == 1
    assert index_units(item, item | {"status": {"S": "b"}}, feed) == 0
    assert index_units(item, longer, feed) == 2
    assert index_units(item, item | {"feed": {"S": "1"}}, feed) == 2
    assert index_units(longer, {}, feed) == 2
    assert index_units({"id": {"S": "sweep"}}, {}, feed) == 0


def test_sizes_are_those_that_dynamodb_counts() -> None:
    assert size_of({"id": {"S": "été"}}) == 2 + 5
    assert size_of({"n": {"N": "-12.5"}}) == 1 + 3
    assert size_of({"b": {"B": b"123"}}) == 1 + 3
    assert size_of({"m": {"M": {"a": {"S": "x"}}}}) == 1 + 3 + 1 + 2
    assert size_of({"l": {"L": [{"S": "x"}, {"S": "y"}]}}) == 1 + 3 + 2 + 2
    assert size_of({"t": {"BOOL": True}}) == 1 + 1
