"""`darkroom costs` and `darkroom budgets` against the real functions on moto."""

import json
import logging
import time
from collections.abc import Iterator

import pytest

from darkroom.costs.metering import Meter, Running
from tests.support.aws import SETTINGS
from tests.support.events import completed, deliver, manifest
from tests.support.http import call
from tests.support.stage import Stage
from tests.support.wire import answer_with, by_the_handlers
from tests.unit.command_line import run


@pytest.fixture(autouse=True)
def _connected(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    answer_with(monkeypatch, by_the_handlers)
    monkeypatch.setenv("DARKROOM_URL", "https://darkroom.example.com/v1")
    monkeypatch.setenv("DARKROOM_KEY", "k")
    # The functions run in this process, and what they log is no output of the command.
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


def test_costs_are_told_by_endpoint_and_owner(stage: Stage) -> None:
    body = {"type": "txt2img", "checkpoint": "v1-5.safetensors", "parameters": {"prompt": "a pier"}}
    job = call("POST", "/jobs", body).json["id"]
    deliver(completed(job, manifest(job)))
    awake = [Running("darkroom-test-a", {"ml.g5.xlarge": 1})]
    Meter(stage.adapters.meter_store, lambda: awake, SETTINGS.prices, time.time).run(lambda: 60.0)
    run("budgets", "set", "alice", "0.0016", "--warn-at", "0.5")
    lines = [line.split("\t") for line in run("costs").stdout.splitlines()]
    assert lines[0] == ["endpoint", "darkroom-test-a", "0.02", "0.0600", "1", "0.0015", "0.0000", "0.0585"]
    assert lines[1] == ["owner", "alice", "1", "0.0015", "0", "0", "94% of 0.00 (nearly spent)"]
    assert (lines[2][0], lines[2][2]) == ("total", "0.0600")
    assert json.loads(run("costs", "--json").stdout)["overhead"]["idle"] == 0.0585


def test_a_month_is_written_as_the_api_takes_it() -> None:
    assert json.loads(run("costs", "--month", "2026-05", "--json").stdout)["month"] == "2026-05"
    assert "month" in run("costs", "--month", "May", code=1).stderr


def test_budgets_are_set_listed_and_removed() -> None:
    assert run("budgets", "set", "stage", "150").stdout == "stage may spend 150.00 dollars a month.\n"
    run("budgets", "set", "bob", "7.5", "--warn-at", "0.5")
    lines = [line.split("\t")[:3] for line in run("budgets", "list").stdout.splitlines()]
    assert lines == [["stage", "150.00", "80%"], ["bob", "7.50", "50%"]]
    assert run("budgets", "remove", "stage").stdout == "stage has no budget any more.\n"
    assert [each["owner"] for each in json.loads(run("budgets", "list", "--json").stdout)] == ["bob"]
    assert "may" not in run("budgets", "set", "bob", "-1", code=2).stdout
