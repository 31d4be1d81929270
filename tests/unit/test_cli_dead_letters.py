"""`darkroom dead-letters` and `darkroom jobs` against an API that is played."""

import json
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from darkroom.jobs.api import job_out
from darkroom.jobs.model import Job, JobLine
from darkroom_cli.main import app
from tests.support.memory import MemoryOutputs
from tests.support.wire import answer_with

JOB = "01900000-0000-7000-8000-000000000000"


class Played:
    """An API: answers by method and path, each list used up from its front, the last one for ever."""

    def __init__(self) -> None:
        self.answers: dict[str, list[tuple[int, Any]]] = {}
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        route = f"{request.method} {request.url.path}"
        self.asked.append(route)
        answers = self.answers[route]
        status, body = answers.pop(0) if len(answers) > 1 else answers[0]
        return httpx.Response(status, json=body)


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Played:
    made = Played()
    answer_with(monkeypatch, made)
    monkeypatch.setenv("DARKROOM_URL", "https://api.example.com")
    monkeypatch.setenv("DARKROOM_KEY", "a-key")
    return made


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_queues_are_listed_in_plain_lines(played: Played) -> None:
    queues = [
        {"name": "events", "messages": 2, "oldest": "2026-01-01T00:00:00Z"},
        {"name": "x", "messages": 0, "oldest": None},
    ]
    played.answers["GET /dead-letters"] = [(200, {"queues": queues})]
    assert run("dead-letters", "list").output == "events\t2\t2026-01-01T00:00:00Z\nx\t0\t\n"
    assert json.loads(run("dead-letters", "list", "--json").output) == queues


def test_messages_are_shown_and_that_there_are_more(played: Played) -> None:
    letter = {
        "id": "1",
        "sent_at": "t",
        "received": 6,
        "kind": "result",
        "subject": JOB,
        "status": "Failed",
        "reason": None,
    }
    played.answers["GET /dead-letters/events"] = [(200, {"messages": [letter], "more": True})]
    shown = run("dead-letters", "show", "events")
    assert (shown.stdout, shown.stderr) == (f"t\tresult\t{JOB}\tFailed\t\t6\n", "There are more.\n")
    assert json.loads(run("dead-letters", "show", "events", "--json").stdout) == [letter]


def test_a_redrive_goes_on_until_nothing_is_left(played: Played) -> None:
    rounds = [(700, 50), (50, 0)]
    played.answers["POST /dead-letters/events/redrive"] = [
        (200, {"moved": moved, "dropped": 0, "left": left}) for moved, left in rounds
    ]
    assert run("dead-letters", "redrive", "events").output == "events: 750 sent back, 0 left.\n"
    assert len(played.asked) == 2


def test_a_redrive_that_moves_nothing_ends(played: Played) -> None:
    played.answers["POST /dead-letters/sweeps/redrive"] = [
        (200, {"moved": 0, "dropped": 3, "left": 1}),
        (200, {"moved": 0, "dropped": 0, "left": 1}),
    ]
    assert run("dead-letters", "redrive", "sweeps").output == "sweeps: 0 sent back, 3 dropped, 1 left.\n"


@pytest.mark.parametrize("arguments", [("dead-letters", "show", "nobodys"), ("jobs", "cancel", JOB)])
def test_a_refusal_is_one_line(played: Played, arguments: tuple[str, ...]) -> None:
    problem = {"code": "not_there", "detail": "It is not there."}
    for route in ("GET /dead-letters/nobodys", f"POST /jobs/{JOB}/cancel"):
        played.answers[route] = [(404, problem)]
    done = run(*arguments)
    assert (done.exit_code, done.stderr) == (1, "It is not there. (not_there)\n")


def test_a_job_is_cancelled_and_replayed_by_its_id(played: Played) -> None:
    line = JobLine(JOB, "alice", "txt2img", "cancelled", "darkroom-test-a")
    job = job_out(Job(line, {}), {}, MemoryOutputs()).model_dump(mode="json")
    played.answers[f"POST /jobs/{JOB}/cancel"] = [(200, job)]
    played.answers[f"POST /jobs/{JOB}/replay"] = [(201, job)]
    assert run("jobs", "cancel", JOB).output == f"{line.label}\n"
    assert run("jobs", "replay", JOB).output == f"{line.label}\n"
