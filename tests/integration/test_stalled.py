"""Imports and deletions whose messages are lost, on moto: the sweeper ends them after an hour without a step."""

import json
from typing import Any
from unittest.mock import patch

import pytest

from darkroom.errors import Busy
from darkroom.stalled import STALLED_SECONDS
from functions.sweeper.handler import handler
from tests.support.events import deliver_to
from tests.support.http import Context, call
from tests.support.lines import written
from tests.support.models import safetensors
from tests.support.stage import Stage

JOB = {"type": "txt2img", "checkpoint": "v1-5.safetensors", "parameters": {"prompt": "a pier"}}
LORA = {"kind": "lora", "name": "ink.safetensors"}
URL = "https://models.example.com/ink.safetensors"
HOUR = STALLED_SECONDS
MODEL = safetensors(data=b"\5" * (17 * 1024**2))


class Clock:
    """Epoch seconds, moved on by hand."""

    now = 1_780_000_000.0

    def __call__(self) -> float:
        return self.now


class Queue:
    """Steps that wait, without the safety nets."""

    def __init__(self) -> None:
        self.waiting: list[str] = []

    def send(self, body: str, delay: int) -> None:
        if not (delay >= 60 and json.loads(body)["step"] == 1):
            self.waiting.append(body)


class Web:
    """A file on the web."""

    def size(self, url: str) -> int:
        return len(MODEL)

    def read(self, url: str, first: int, length: int, total: int) -> bytes:
        return MODEL[first : first + length]


@pytest.fixture
def clock(stage: Stage) -> Clock:
    made = Clock()
    stage.configure(clock=made)
    return made


@pytest.fixture
def imports(stage: Stage, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Queue:
    """The queue of imports, of which each step stores one part."""
    monkeypatch.setattr("darkroom.checkpoints.imports.STEP_SECONDS", 0.0)
    stage.adapters.web = Web()
    made = stage.adapters.import_queue = Queue()
    return made


@pytest.fixture
def deletions(stage: Stage, clock: Clock) -> Queue:
    made = stage.adapters.deletion_queue = Queue()
    return made


def half_imported(queue: Queue) -> None:
    """An import whose size is known, and of which one part of three is stored."""
    assert call("POST", "/checkpoints/import", {**LORA, "url": URL}).status == 202
    for _ in range(2):
        assert deliver_to("checkpoint_imports", queue.waiting.pop(0)) == []
    assert shown()["status"] == "importing"


def shown() -> Any:
    (row,) = call("GET", "/checkpoints?kind=lora").json["checkpoints"]
    return row


def sweep(stage: Stage) -> Any:
    return stage.services.rounds["steps"](lambda: 100.0)


def stored(stage: Stage) -> list[Any]:
    """Objects and unfinished uploads of the models bucket."""
    uploads = stage.s3.list_multipart_uploads(Bucket="models").get("Uploads", [])
    return [*uploads, *stage.s3.list_objects_v2(Bucket="models").get("Contents", [])]


def test_an_import_without_a_step_for_an_hour_ends_and_leaves_nothing(
    stage: Stage, clock: Clock, imports: Queue
) -> None:
    half_imported(imports)
    clock.now += HOUR
    assert sweep(stage) == {"stalled": 0, "broken": []}
    clock.now += 1
    assert sweep(stage) == {"stalled": 1, "broken": []}
    assert shown()["status"] == "fail"
    assert shown()["reason"] == "The import failed: no step was made for an hour; import it again."
    assert stored(stage) == []
    # Its message comes from the dead letters after all, and the name is free.
    assert deliver_to("checkpoint_imports", imports.waiting.pop(0)) == []
    assert shown()["status"] == "fail"
    assert sweep(stage)["stalled"] == 0
    half_imported(imports)


def test_an_import_that_goes_on_for_many_hours_is_left_alone(stage: Stage, clock: Clock, imports: Queue) -> None:
    half_imported(imports)
    while imports.waiting:
        clock.now += HOUR
        assert sweep(stage)["stalled"] == 0
        deliver_to("checkpoint_imports", imports.waiting.pop(0))
    assert shown()["status"] == "active"
    clock.now += 2 * HOUR
    assert sweep(stage)["stalled"] == 0
    assert shown()["status"] == "active"


def test_an_import_whose_first_step_never_came_ends_too(stage: Stage, clock: Clock, imports: Queue) -> None:
    assert call("POST", "/checkpoints/import", {**LORA, "url": URL}).status == 202
    clock.now += HOUR + 1
    assert sweep(stage)["stalled"] == 1
    assert (shown()["status"], stored(stage)) == ("fail", [])


def test_an_import_that_goes_on_while_the_sweeper_looks_is_not_ended(
    stage: Stage, clock: Clock, imports: Queue
) -> None:
    half_imported(imports)
    clock.now += HOUR + 1
    look = stage.adapters.registry.get

    def then_a_step(key: Any) -> Any:
        row = look(key)
        with patch.object(stage.adapters.registry, "get", look):
            deliver_to("checkpoint_imports", imports.waiting.pop(0))
        return row

    with patch.object(stage.adapters.registry, "get", then_a_step):
        assert sweep(stage) == {"stalled": 0, "broken": []}
    while imports.waiting:
        deliver_to("checkpoint_imports", imports.waiting.pop(0))
    assert shown()["status"] == "active"


def make_jobs(number: int) -> list[str]:
    return [call("POST", "/jobs", JOB).json["id"] for _ in range(number)]


def begin_deletion() -> str:
    reply = call("POST", "/jobs/delete", {"filters": {"type": ["txt2img"]}})
    assert reply.status == 202, reply.body
    return str(reply.json["id"])


def told(deletion: str) -> Any:
    return call("GET", f"/jobs/deletions/{deletion}").json


def test_a_deletion_without_a_step_for_an_hour_ends_and_says_what_to_do(
    stage: Stage, clock: Clock, deletions: Queue
) -> None:
    make_jobs(3)
    begun, other = begin_deletion(), begin_deletion()
    clock.now += HOUR
    # The one goes on, the other does not.
    ours = next(body for body in deletions.waiting if json.loads(body)["deletion"] == other)
    with patch("darkroom.jobs.deletion_steps.STEP_SECONDS", 0.0):
        deliver_to("job_deletions", ours)
    clock.now += 1
    assert sweep(stage) == {"stalled": 1, "broken": []}
    ended = told(begun)
    assert (ended["status"], ended["deleted"]) == ("fail", 0)
    assert ended["reason"] == "No step was made for an hour. Start it again: what was deleted stays deleted."
    assert ended["ended_at"]
    assert told(other)["status"] == "running"
    again = begin_deletion()
    for body in deletions.waiting:
        deliver_to("job_deletions", body)
    assert told(again)["status"] == "done"


def test_deletions_that_ended_or_were_stopped_are_not_looked_at_again(
    stage: Stage, clock: Clock, deletions: Queue
) -> None:
    make_jobs(1)
    done, stopped = begin_deletion(), begin_deletion()
    deliver_to("job_deletions", deletions.waiting[0])
    call("POST", f"/jobs/deletions/{stopped}/stop")
    clock.now += HOUR + 1
    with patch.object(stage.adapters.deletion_store, "find") as looked:
        assert sweep(stage) == {"stalled": 0, "broken": []}
    assert not looked.called
    assert (told(done)["status"], told(stopped)["status"]) == ("done", "stopped")


def test_running_deletions_count_as_no_open_jobs(stage: Stage, deletions: Queue) -> None:
    make_jobs(2)
    begin_deletion()
    assert stage.adapters.store.open_jobs().total == 2


def test_one_that_cannot_be_ended_stops_no_other_and_is_told(
    stage: Stage, clock: Clock, imports: Queue, deletions: Queue
) -> None:
    half_imported(imports)
    make_jobs(1)
    begun = begin_deletion()
    clock.now += HOUR + 1
    busy = Busy("aws_busy", "AWS is busy.")
    failing = patch.object(stage.adapters.registry, "change", side_effect=busy)
    with failing, written() as lines, pytest.raises(Exception, match=r"steps \(broken: 1\)"):
        handler({}, Context())
    (line,) = [line for line in lines if line.get("round") == "steps" and "_aws" not in line]
    assert (line["stalled"], line["broken"], line["which"]) == (1, 1, {"broken": ["import of a lora: aws_busy"]})
    assert told(begun)["status"] == "fail"
    assert sweep(stage)["stalled"] == 1
    assert shown()["status"] == "fail"
