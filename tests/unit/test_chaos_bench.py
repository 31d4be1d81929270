"""What `make chaos` counts: a second end, a job that was open again, objects that nobody owns."""

from datetime import UTC, datetime
from typing import Any

import pytest

from bench.chaos import orphans
from bench.ledger import Ledger
from darkroom import ids
from darkroom.aws.jobs import to_item
from darkroom.jobs.model import Job, JobLine

SINCE = ids.first_of(datetime(2026, 1, 1, tzinfo=UTC))
JOB = ids.new_id_at(datetime(2026, 1, 2, tzinfo=UTC))
OLD = ids.new_id_at(datetime(2025, 12, 31, tzinfo=UTC))


class Table:
    """DynamoDB and its stream, as far as the ledger asks: the writes of one test."""

    def __init__(self, *writes: tuple[dict[str, Any] | None, dict[str, Any] | None]) -> None:
        images = [{"OldImage": old, "NewImage": new} for old, new in writes]
        told = [{name: image for name, image in pair.items() if image} for pair in images]
        self._records = [{"dynamodb": record} for record in told]

    def describe_table(self, **_: Any) -> Any:
        return {"Table": {"StreamSpecification": {"StreamEnabled": True}, "LatestStreamArn": "arn"}}

    def describe_stream(self, **_: Any) -> Any:
        return {"StreamDescription": {"Shards": [{"ShardId": "only"}]}}

    def get_shard_iterator(self, **_: Any) -> Any:
        return {"ShardIterator": "start"}

    def get_records(self, **_: Any) -> Any:
        records, self._records = self._records, []
        return {"Records": records, "NextShardIterator": "further"}


def row(status: str, at: str = "12:00", code: str | None = None, basis: str = "callback") -> dict[str, Any]:
    named = {"id": JOB, "status": status, "completed_at": at, "settled_by": basis, "error_code": code}
    return {name: {"S": value} for name, value in named.items() if value}


def ledger(*writes: tuple[dict[str, Any] | None, dict[str, Any] | None]) -> Ledger:
    table = Table(*writes)
    found = Ledger(table, table, "jobs", SINCE)
    found.open()
    found.read()
    return found


OPEN = {"id": {"S": JOB}, "status": {"S": "in_progress"}}
GIVEN_UP = row("fail", code="timed_out", basis="deadline")


@pytest.mark.parametrize(
    ("second", "twice"),
    [
        (row("succeed"), False),
        (row("succeed", at="12:01"), True),
        (row("fail", code="worker_failed"), True),
        (row("succeed", basis="s3"), True),
        (OPEN, True),
    ],
)
def test_another_end_is_told_and_the_same_one_is_not(second: dict[str, Any], twice: bool) -> None:
    found = ledger((OPEN, row("succeed")), (row("succeed"), second))
    assert (found.twice() == {JOB}, found.ended()) == (twice, {JOB})


def test_an_answer_that_came_after_all_is_no_second_end() -> None:
    assert ledger((OPEN, GIVEN_UP), (GIVEN_UP, row("succeed"))).twice() == set()
    assert ledger((OPEN, GIVEN_UP), (GIVEN_UP, row("fail", code="worker_failed"))).twice() == {JOB}


def test_a_deleted_job_has_ended_and_an_older_one_does_not_count() -> None:
    found = ledger((OPEN, None), (None, {**OPEN, "id": {"S": OLD}}))
    assert (found.ended(), found.removed, found.written) == ({JOB}, {JOB}, {JOB})


@pytest.mark.parametrize(
    ("status", "left"),
    [
        ("succeed", {f"jobs/{JOB}/output/0.png", f"jobs/{JOB}/cancelled", f"failures/{JOB}-error.out"}),
        ("cancelled", {f"jobs/{JOB}/output/0.png", f"jobs/{JOB}/cancelled", f"failures/{JOB}-error.out"}),
    ],
)
def test_what_the_row_does_not_name_is_an_orphan(status: Any, left: set[str]) -> None:
    row = to_item(Job(JobLine(JOB, "ann", "txt2img", status, "e"), {}), 1)
    keys = [*left, f"jobs/{OLD}/output/0.png"]
    assert {key.split(" ")[0] for key in orphans({JOB: row}, keys, SINCE)} == left
    assert set(orphans({}, keys, SINCE)) == left
    answer = f"jobs/{JOB}/output/response.json"
    assert len(list(orphans({JOB: row}, [answer], SINCE))) == (status == "cancelled")
