"""`darkroom dead-letters` and `darkroom jobs` against a fake API."""

import json
from typing import Any

import httpx
import pytest

from darkroom.jobs.api import job_out
from darkroom.jobs.model import Job, JobLine
from tests.support.memory import MemoryOutputs
from tests.support.wire import answer_with
from tests.unit.command_line import run

JOB = "01900000-0000-7000-8000-000000000000"


class FakeApi:
    """Gives the answers that a test lists by method and path, one after the other; the last one is repeated."""

    def __init__(self) -> None:
        self.answers: dict[str, list[tuple[int, Any]]] = {}
        self.requests: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        route = f"{request.method} {request.url.path}"
        self.requests.append(route)
        answers = self.answers[route]
        status, body = answers.pop(0) if len(answers) > 1 else answers[0]
        return httpx.Response(status, json=body)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    api = FakeApi()
    answer_with(monkeypatch, api)
    monkeypatch.setenv("DARKROOM_URL", "https://api.example.com")
    monkeypatch.setenv("DARKROOM_KEY", "a-key")
    return api


def test_queues_are_listed_one_in_a_line(api: FakeApi) -> None:
    queues = [
        {"name": "events", "messages": 2, "oldest": "2026-01-01T00:00:00Z"},
        {"name": "x", "messages": 0, "oldest": None},
    ]
    api.answers["GET /dead-letters"] = [(200, {"queues": queues})]
    assert run("dead-letters", "list").output == "events\t2\t2026-01-01T00:00:00Z\nx\t0\t\n"
    assert json.loads(run("dead-letters", "list", "--json").output) == queues


def test_messages_are_listed_with_a_note_when_there_are_more(api: FakeApi) -> None:
    message = {
        "id": "1",
        "sent_at": "t",
        "received": 6,
        "kind": "result",
        "subject": JOB,
        "status": "Failed",
        "reason": None,
    }
    api.answers["GET /dead-letters/events"] = [(200, {"messages": [message], "more": True})]
    result = run("dead-letters", "show", "events")
    assert (result.stdout, result.stderr) == (f"t\tresult\t{JOB}\tFailed\t\t6\n", "There are more.\n")
    assert json.loads(run("dead-letters", "show", "events", "--json").stdout) == [message]


def test_a_redrive_repeats_until_no_message_is_left(api: FakeApi) -> None:
    rounds = [(700, 50), (50, 0)]
    api.answers["POST /dead-letters/events/redrive"] = [
        (200, {"moved": moved, "dropped": 0, "left": left}) for moved, left in rounds
    ]
    assert run("dead-letters", "redrive", "events").output == "events: 750 sent back, 0 left.\n"
    assert len(api.requests) == 2


def test_a_redrive_stops_when_nothing_more_can_be_moved(api: FakeApi) -> None:
    api.answers["POST /dead-letters/sweeps/redrive"] = [
        (200, {"moved": 0, "dropped": 3, "left": 1}),
        (200, {"moved": 0, "dropped": 0, "left": 1}),
    ]
    assert run("dead-letters", "redrive", "sweeps").output == "sweeps: 0 sent back, 3 dropped, 1 left.\n"


@pytest.mark.parametrize("arguments", [("dead-letters", "show", "unknown"), ("jobs", "cancel", JOB)])
def test_a_refusal_is_one_line(api: FakeApi, arguments: tuple[str, ...]) -> None:
    problem = {"code": "not_there", "detail": "It is not there."}
    for route in ("GET /dead-letters/unknown", f"POST /jobs/{JOB}/cancel"):
        api.answers[route] = [(404, problem)]
    assert run(*arguments, code=1).stderr == "It is not there. (not_there)\n"


def test_a_job_is_cancelled_and_replayed_by_its_id(api: FakeApi) -> None:
    line = JobLine(JOB, "alice", "txt2img", "cancelled", "darkroom-test-a")
    job = job_out(Job(line, {}), {}, MemoryOutputs()).model_dump(mode="json")
    api.answers[f"POST /jobs/{JOB}/cancel"] = [(200, job)]
    api.answers[f"POST /jobs/{JOB}/replay"] = [(201, job)]
    assert run("jobs", "cancel", JOB).output == f"{line.label}\n"
    assert run("jobs", "replay", JOB).output == f"{line.label}\n"
