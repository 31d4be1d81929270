"""`darkroom jobs delete` and `darkroom jobs deletion` against an API that is played."""

import json
import time
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from darkroom_cli.main import app
from tests.support.wire import answer_with

DELETION = "01900000-0000-7000-8000-00000000000d"


class Api:
    """Deletions that go on by a step each time they are looked at."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.outcomes: dict[str, tuple[str, str | None]] = {}
        self.states: list[dict[str, Any]] = [{}, {"deleted": 100}, {"deleted": 250, "status": "done"}]
        self.stopped = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/v1")
        if path == "/jobs/delete":
            body = json.loads(request.content)
            self.bodies.append(body)
            if "ids" in body:
                told = [(job_id, *self.outcomes.get(job_id, ("deleted", None))) for job_id in body["ids"]]
                jobs = [{"id": job_id, "outcome": outcome, "reason": reason} for job_id, outcome, reason in told]
                return httpx.Response(200, json={"jobs": jobs})
            return httpx.Response(202, json=self._state())
        assert path.startswith(f"/jobs/deletions/{DELETION}")
        self.stopped = self.stopped or path.endswith("/stop")
        return httpx.Response(200, json=self._state())

    def _state(self) -> dict[str, Any]:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        counts = {"deleted": 0, "failed": 0, "failures": [], "reason": None, "ended_at": None, "started_at": "x"}
        return {"id": DELETION, "owner": "anna", "filters": {}, "status": "running", **counts, **state}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    made = Api()
    answer_with(monkeypatch, made)
    monkeypatch.setenv("DARKROOM_URL", "https://api.example.com/v1")
    monkeypatch.setenv("DARKROOM_KEY", "a-key")
    monkeypatch.setattr(time, "sleep", lambda _: None)
    return made


def run(*arguments: object, code: int = 0, answer: str | None = None) -> Result:
    done = CliRunner().invoke(app, ["jobs", *map(str, arguments)], input=answer)
    assert done.exit_code == code, done.output
    return done


def test_named_jobs_are_deleted_a_hundred_a_request(api: Api) -> None:
    jobs = [f"2026-01-02T03:04:05Z->txt2img->fail->job-{number}" for number in range(250)]
    done = run("delete", *jobs, "--yes")
    assert [len(body["ids"]) for body in api.bodies] == [100, 100, 50]
    assert api.bodies[0]["ids"][0] == "job-0"
    assert done.stdout.splitlines()[-1] == "Deleted job-249."


def test_what_was_not_deleted_is_told_with_the_reason(api: Api) -> None:
    api.outcomes = {"b": ("not_found", None), "c": ("failed", "AWS asked to slow down (s3).")}
    done = run("delete", "a", "b", "c", "--yes", code=1)
    assert done.stdout == "Deleted a.\n"
    assert "There is no job b (job_not_found). c: AWS asked to slow down (s3)." in done.stderr


def test_filters_begin_a_deletion_that_is_followed_to_its_end(api: Api) -> None:
    done = run("delete", "--status", "fail", "--status", "cancelled", "--to", "2026-01-01", "--yes")
    assert api.bodies == [{"filters": {"status": ["fail", "cancelled"], "to": "2026-01-01"}}]
    assert done.stdout.splitlines() == ["0 jobs deleted.", "100 jobs deleted.", "250 jobs deleted. Done."]
    assert f"Deletion {DELETION} has begun." in done.stderr


def test_a_deletion_of_everything_must_be_said(api: Api) -> None:
    for arguments in ((), ("--all", "--status", "fail"), ("a", "--status", "fail"), ("a", "--all")):
        assert "one of the three" in run("delete", *arguments, "--yes", code=1).stderr
    assert api.bodies == []
    run("delete", "--all", "--yes")
    assert api.bodies == [{"filters": {"all": True}}]


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (("a",), "Delete the job a and its pictures?"),
        (("a", "b"), "Delete 2 jobs and their pictures?"),
        (("--status", "fail", "--q", "a pier"), "Delete every job with status fail, q a pier, and its pictures?"),
        (("--all",), "Delete EVERY job and its pictures?"),
    ],
)
def test_it_asks_what_it_would_do_and_takes_no_for_an_answer(api: Api, arguments: Any, asked: str) -> None:
    told = run("delete", *arguments, code=1, answer="n\n")
    assert asked in told.stdout
    assert "Nothing was deleted" in told.stderr
    assert api.bodies == []


def test_ctrl_c_ends_the_telling_and_says_how_to_stop_the_deletion(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupt)
    done = run("delete", "--status", "fail", "--yes", code=130)
    assert "goes on in the cloud" in done.stderr
    assert f"darkroom jobs deletion {DELETION}" in done.stderr
    assert "--stop" in done.stderr
    assert not api.stopped


def test_a_deletion_is_looked_at_waited_for_and_stopped(api: Api) -> None:
    assert run("deletion", DELETION).stdout == "0 jobs deleted.\n"
    assert json.loads(run("deletion", DELETION, "--json").stdout)["deleted"] == 100
    assert run("deletion", DELETION, "--wait").stdout == "250 jobs deleted. Done.\n"
    api.states = [{"deleted": 7, "status": "stopped"}]
    assert run("deletion", DELETION, "--stop").stdout == "7 jobs deleted. Stopped.\n"
    assert api.stopped


def test_jobs_that_could_not_be_deleted_are_named_at_the_end(api: Api) -> None:
    failures = [{"id": "b", "outcome": "failed", "reason": "It could not be deleted (RuntimeError)."}]
    api.states = [{"deleted": 7, "failed": 1, "failures": failures, "status": "done"}]
    done = run("delete", "--all", "--yes", code=1)
    assert done.stdout.splitlines()[-1] == "7 jobs deleted, 1 could not be. Done."
    assert "Not deleted: b: It could not be deleted (RuntimeError)." in done.stderr
    api.states = [{"status": "fail", "reason": "A step failed (Busy). That was 6 times in a row."}]
    assert "A step failed (Busy)" in run("delete", "--all", "--yes", code=1).stderr
