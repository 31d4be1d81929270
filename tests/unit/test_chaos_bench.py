"""What `make chaos` counts: jobs that ended twice or were open again, and objects that belong to no job."""

from datetime import UTC, datetime
from typing import Any

import pytest

from bench.chaos import orphans
from bench.ledger import Ledger
from darkroom import ids
from darkroom.aws.job_items import to_item
from darkroom.jobs.model import Job, JobLine

SINCE = ids.first_of(datetime(2026, 1, 1, tzinfo=UTC))
JOB = ids.new_id_at(datetime(2026, 1, 2, tzinfo=UTC))
OLD_JOB = ids.new_id_at(datetime(2025, 12, 31, tzinfo=UTC))
Row = dict[str, Any]
Write = tuple[Row | None, Row | None]
"""A row before and after a write."""


class FakeTable:
    """DynamoDB and its stream, with the calls that the ledger makes. The stream holds the writes of one test."""

    def __init__(self, *writes: Write) -> None:
        images = [{"OldImage": old, "NewImage": new} for old, new in writes]
        self._records = [{"dynamodb": {name: row for name, row in pair.items() if row}} for pair in images]

    def describe_table(self, **_: Any) -> Any:
        return {"Table": {"StreamSpecification": {"StreamEnabled": True}, "LatestStreamArn": "arn"}}

    def describe_stream(self, **_: Any) -> Any:
        return {"StreamDescription": {"Shards": [{"ShardId": "only"}]}}

    def get_shard_iterator(self, **_: Any) -> Any:
        return {"ShardIterator": "start"}

    def get_records(self, **_: Any) -> Any:
        records, self._records = self._records, []
        return {"Records": records, "NextShardIterator": "next"}


def row(status: str, at: str = "12:00", code: str | None = None, basis: str = "callback") -> Row:
    """The row of a job that ended."""
    columns = {"id": JOB, "status": status, "settled_by": basis, "error_code": code}
    texts: Row = {name: {"S": value} for name, value in columns.items() if value}
    return texts | {"line": {"M": {"completed_at": {"S": at}}}}


def ledger_of(*writes: Write) -> Ledger:
    table = FakeTable(*writes)
    ledger = Ledger(table, table, "jobs", SINCE)
    ledger.open()
    ledger.read()
    return ledger


OPEN = {"id": {"S": JOB}, "status": {"S": "in_progress"}}
TIMED_OUT = row("fail", code="timed_out", basis="deadline")


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
def test_a_second_end_is_counted_and_a_repeat_of_the_first_is_not(second: Row, twice: bool) -> None:
    ledger = ledger_of((OPEN, row("succeed")), (row("succeed"), second))
    assert (ledger.twice() == {JOB}, ledger.ended()) == (twice, {JOB})


def test_a_success_after_a_timeout_is_not_a_second_end() -> None:
    assert ledger_of((OPEN, TIMED_OUT), (TIMED_OUT, row("succeed"))).twice() == set()
    assert ledger_of((OPEN, TIMED_OUT), (TIMED_OUT, row("fail", code="worker_failed"))).twice() == {JOB}


def test_a_deleted_job_has_ended_and_an_older_job_is_not_counted() -> None:
    ledger = ledger_of((OPEN, None), (None, {**OPEN, "id": {"S": OLD_JOB}}))
    assert (ledger.ended(), ledger.removed, ledger.written) == ({JOB}, {JOB}, {JOB})


@pytest.mark.parametrize("status", ["succeed", "cancelled"])
def test_objects_that_the_row_does_not_name_are_orphans(status: Any) -> None:
    item = to_item(Job(JobLine(JOB, "ann", "txt2img", status, "e"), {}), 1)
    unnamed = {f"jobs/{JOB}/output/0.png", f"jobs/{JOB}/cancelled", f"failures/{JOB}-error.out"}
    keys = [*unnamed, f"jobs/{OLD_JOB}/output/0.png"]
    assert {line.split(" ")[0] for line in orphans({JOB: item}, keys, SINCE)} == unnamed
    assert set(orphans({}, keys, SINCE)) == unnamed


@pytest.mark.parametrize(("status", "count"), [("succeed", 0), ("cancelled", 1)])
def test_the_answer_of_a_cancelled_job_is_an_orphan(status: Any, count: int) -> None:
    item = to_item(Job(JobLine(JOB, "ann", "txt2img", status, "e"), {}), 1)
    assert len(list(orphans({JOB: item}, [f"jobs/{JOB}/output/response.json"], SINCE))) == count
