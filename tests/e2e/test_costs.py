"""What work costs, and budgets, on the real stack with the real permissions."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from darkroom_client import Refused, costs
from tests.e2e.conftest import Running, txt2img
from tests.support.waiting import eventually

SMALL = txt2img(width=64, height=64)
OWNER = "admin"


@pytest.fixture
def unbounded(darkroom: Running) -> Iterator[Running]:
    yield darkroom
    for owner in (OWNER, costs.STAGE):
        costs.remove_budget(darkroom.client, owner)


def mine(darkroom: Running) -> dict[str, Any]:
    told = json.loads(darkroom.command("costs", "--json").stdout)
    return next(each for each in told["owners"] if each["owner"] == OWNER)


def refused(darkroom: Running) -> bool:
    """Whether the next job is refused because of a budget."""
    try:
        darkroom.client.submit(SMALL)
    except Refused as why:
        return (why.status, why.code) == (402, "budget_spent")
    return False


def test_a_job_is_counted_and_stays_counted_when_it_is_deleted(darkroom: Running) -> None:
    job = darkroom.client.settled(darkroom.client.submit(SMALL)["id"], 60)
    assert job["cost"] is not None
    before = mine(darkroom)
    assert before["jobs"] > 0
    assert before["cost"] >= round(job["cost"], 4)
    # One round counts the job, and meters the endpoint that painted it.
    darkroom.sweep()
    darkroom.client.delete_job(job["id"])
    darkroom.sweep()
    assert mine(darkroom) == before
    told = costs.month(darkroom.client)
    assert any(each["awake_hours"] > 0 for each in told["endpoints"])
    assert told["total"] >= told["jobs_cost"]
    lines = [line.split("\t") for line in darkroom.command("costs").stdout.splitlines()]
    assert {"endpoint", "owner", "total"} <= {line[0] for line in lines}


def test_a_spent_budget_refuses_jobs_until_it_is_raised(unbounded: Running) -> None:
    darkroom = unbounded
    darkroom.command("budgets", "set", OWNER, "0")
    # A warm function may know the list of budgets from half a minute ago.
    eventually(lambda: refused(darkroom), seconds=60, every=2)
    assert OWNER in darkroom.command("budgets", "list").stdout
    darkroom.command("budgets", "remove", OWNER)
    eventually(lambda: not refused(darkroom), seconds=60, every=2)
