"""`darkroom jobs` against a fake API."""

import codecs
import csv
import hashlib
import io
import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console
from typer.testing import Result

from darkroom_cli import history, waiting
from darkroom_cli.commands.jobs import id_of
from darkroom_client.answers import Job
from tests.support.wire import answer_with
from tests.unit import command_line

CREATED_AT = "2026-01-02T03:04:05Z"


def job(number: int, **changes: Any) -> dict[str, Any]:
    """A job as the API answers it."""
    job_id = f"01900000-0000-7000-8000-{number:012}"
    status = changes.get("status", "succeed")
    fields = {
        "id": job_id,
        "label": f"{CREATED_AT}->txt2img->{status}->{job_id}",
        "type": "txt2img",
        "status": status,
        "owner": "anna",
        "endpoint": "e",
        "created_at": CREATED_AT,
        "completed_at": CREATED_AT,
        "prompt": f"pier {number}",
        "inputs": [],
        "images": [],
        "image_count": 1,
    }
    return {**dict.fromkeys(Job.__required_keys__), **fields, **changes}


class FakeApi:
    """`GET /jobs` in JSON and in CSV, `GET` and `PATCH /jobs/{id}`, and pictures. `queries` are those of `GET /jobs`,
    `edits` the bodies of `PATCH`."""

    def __init__(self, count: int) -> None:
        self.jobs = [job(number) for number in range(count)]
        self.queries: list[dict[str, list[str]]] = []
        self.edits: list[Any] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/v1")
        if path == "/jobs":
            return self._page(request)
        if path.startswith("/picture"):
            return httpx.Response(200, content=path.encode())
        found = next((one for one in self.jobs if path == f"/jobs/{one['id']}"), None)
        if found is None:
            return httpx.Response(404, json={"code": "job_not_found", "detail": "There is no such job."})
        if request.method == "PATCH":
            self.edits.append(json.loads(request.content))
        return httpx.Response(200, json=found)

    def _page(self, request: httpx.Request) -> httpx.Response:
        query = request.url.params
        self.queries.append({name: query.get_list(name) for name in query})
        start, limit = int(query.get("before", 0)), int(query["limit"])
        lines = self.jobs[start : start + limit]
        following = str(start + limit) if start + limit < len(self.jobs) else None
        if request.headers["Accept"] != "text/csv":
            return httpx.Response(200, json={"jobs": lines, "next": following})
        out = io.StringIO()
        csv.writer(out).writerows([["id", "prompt"], *([one["id"], one["prompt"]] for one in lines)])
        headers = {"Content-Type": "text/csv; charset=utf-8"}
        if following:
            headers["Link"] = f'<?limit={limit}&before={following}>; rel="next"'
        byte_order_mark = codecs.BOM_UTF8 if start == 0 else b""
        return httpx.Response(200, content=byte_order_mark + out.getvalue().encode(), headers=headers)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    api = FakeApi(250)
    answer_with(monkeypatch, api)
    monkeypatch.setenv("DARKROOM_URL", "https://api.example.com/v1")
    monkeypatch.setenv("DARKROOM_KEY", "a-key")
    return api


def run(*arguments: object, code: int = 0, answer: str | None = None) -> Result:
    return command_line.run("jobs", *arguments, code=code, answer=answer)


def test_every_filter_is_sent_under_its_name_in_the_api(api: FakeApi) -> None:
    values = {"endpoint": "e", "checkpoint": "c.pt", "owner": "anna", "lora": "ink", "q": "a pier", "to": "2026-02-01"}
    options = [part for name, value in values.items() for part in (f"--{name}", value)]
    options += ["--rating", "4", "--rating", "5", "--tag", "sea", "--tag", "night sky", "--seed", "0"]
    run("list", "--type", "txt2img", "--type", "img2img", "--status", "fail", "--from", "2026-01-01", *options)
    [query] = api.queries
    expected = {"type": ["txt2img", "img2img"], "status": ["fail"], "from": ["2026-01-01"], "limit": ["21"]}
    expected |= {"rating": ["4", "5"], "tag": ["sea", "night sky"], "seed": ["0"]}
    assert query == {**expected, **{name: [value] for name, value in values.items()}}
    run("list", "--status", "unknown", code=2)


def test_the_newest_jobs_are_listed_with_a_note_when_there_are_more(api: FakeApi) -> None:
    newest = run("list")
    lines = newest.stdout.splitlines()
    assert len(lines) == 20
    assert lines[0].split("\t")[:4] == ["2026-01-02 03:04", "txt2img", "succeed", api.jobs[0]["id"]]
    assert "--all shows them" in newest.stderr
    all_jobs = run("list", "--all")
    assert (len(all_jobs.stdout.splitlines()), all_jobs.stderr) == (250, "")
    assert len(json.loads(run("list", "--json", "--limit", 120).stdout)) == 120
    assert json.loads(run("list", "--json", "--limit", 1).stdout)[0]["prompt"] == "pier 0"
    run("list", "--all", "--limit", 3, code=1)


def test_a_csv_has_all_pages_with_one_byte_order_mark_and_one_header(api: FakeApi) -> None:
    api.jobs[3]["prompt"] = 'a "桜",\r\ntwo lines'
    content = run("list", "--csv").stdout_bytes
    assert content.count(codecs.BOM_UTF8) == 1
    assert content.startswith(codecs.BOM_UTF8)
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert rows == [["id", "prompt"], *([one["id"], one["prompt"]] for one in api.jobs)]
    assert [query["limit"] for query in api.queries] == [["100"]] * 3
    first_two = run("list", "--csv", "--limit", 2).stdout_bytes.decode("utf-8-sig").splitlines()
    assert first_two == ["id,prompt", f"{api.jobs[0]['id']},pier 0", f"{api.jobs[1]['id']},pier 1"]
    run("list", "--csv", "--json", code=1)


def test_a_csv_without_jobs_has_only_its_header(api: FakeApi) -> None:
    api.jobs.clear()
    assert run("list", "--csv").stdout_bytes == codecs.BOM_UTF8 + b"id,prompt\r\n"
    assert run("list").stdout == ""


def test_the_table_has_every_column() -> None:
    lines: Any = [
        job(1, mode="inpaint", duration=12.34, cost=0.00123),
        job(2, prompt="[red]two[/red]\nlines", cost=0.00456, cost_estimated=True),
    ]
    console = Console(record=True, width=200, file=io.StringIO())
    console.print(history.table_of(lines))
    text = console.export_text()
    for words in (
        "2026-01-02 03:04",
        "txt2img/inpaint",
        "succeed",
        lines[0]["id"],
        "12.3 s",
        " $0.0012",
        "≤ $0.0046",
        "[red]two",
    ):
        assert words in text


def test_a_job_is_shown_with_all_its_known_fields(api: FakeApi) -> None:
    size = {"width": 512, "height": 768, "seed": 7}
    api.jobs[0].update(
        error={"code": "worker_failed", "message": "No memory."}, images=[size], parameters={"steps": 20}
    )
    fields = dict(line.split("\t") for line in run("show", api.jobs[0]["id"]).stdout.splitlines())
    assert fields["status"] == "succeed"
    assert fields["picture 1"] == "512 × 768, seed 7"
    assert "No memory." in fields["error"]
    assert fields["parameters"] == '{"steps": 20}'
    assert "completed_at" in fields
    assert "replay_of" not in fields
    assert json.loads(run("show", api.jobs[0]["id"], "--json").stdout) == api.jobs[0]


def test_pictures_are_saved_and_replace_a_file_only_with_overwrite(api: FakeApi, tmp_path: Path) -> None:
    urls = ["https://s3.example.com/picture/0", "https://s3.example.com/picture/1"]
    bodies = [b"/picture/0", b"/picture/1"]
    pictures = [
        {"url": url, "key": f"jobs/x/{url[-1]}.png", "sha256": hashlib.sha256(body).hexdigest()}
        for url, body in zip(urls, bodies, strict=True)
    ]
    api.jobs[0]["images"], api.jobs[1]["images"] = pictures, pictures[:1]
    result = run("get", api.jobs[0]["label"], api.jobs[1]["id"], "--to", tmp_path / "out")
    paths = [Path(line) for line in result.stdout.splitlines()]
    assert [path.read_bytes() for path in paths] == [*bodies, bodies[0]]
    assert {path.parent for path in paths} == {tmp_path / "out"}
    paths[0].write_bytes(b"mine")
    assert "is there already" in run("get", api.jobs[0]["id"], "--to", tmp_path / "out", code=1).stderr
    assert paths[0].read_bytes() == b"mine"
    run("get", api.jobs[0]["id"], "--to", tmp_path / "out", "--overwrite")
    assert paths[0].read_bytes() == bodies[0]


def test_get_with_wait_says_what_the_job_is_doing_on_the_error_stream(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = ["anime sleeps, and the job wakes it.", "anime sleeps, and the job wakes it.", "It is being painted."]
    open_states = [{"status": "in_progress", "completed_at": None, "phase_detail": told} for told in states]
    content = b"/picture/0"
    url, digest = "https://s3.example.com/picture/0", hashlib.sha256(content).hexdigest()
    ended: dict[str, Any] = {
        "status": "succeed",
        "completed_at": CREATED_AT,
        "phase_detail": None,
        "images": [{"url": url, "key": "jobs/x/0.png", "sha256": digest}],
    }
    api.jobs[0].update(open_states[0])
    following = [*open_states[1:], ended]
    monkeypatch.setattr(time, "sleep", lambda _: api.jobs[0].update(following.pop(0)))
    told = run("get", api.jobs[0]["id"], "--wait", "--to", tmp_path)
    assert told.stderr.splitlines() == [f"{api.jobs[0]['id']}: {state}" for state in dict.fromkeys(states)]
    assert [Path(line).read_bytes() for line in told.stdout.splitlines()] == [content]


def test_get_with_wait_gives_up_after_its_timeout_and_ends_with_ctrl_c(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.jobs[0].update(status="in_progress", completed_at=None)
    late = run("get", api.jobs[0]["id"], "--wait", "--timeout", 0, "--to", tmp_path, code=1)
    assert "has not ended after 0 seconds" in late.stderr

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupted)
    stopped = run("get", api.jobs[0]["id"], "--wait", "--to", tmp_path, code=130)
    assert "Stopped waiting; the job goes on in the cloud." in stopped.stderr


def test_on_a_terminal_a_status_line_says_what_the_job_is_doing(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(waiting, "Console", lambda stderr: Console(file=shown, force_terminal=True, width=100))
    api.jobs[0].update(status="in_progress", completed_at=None, phase_detail="anime [sleeps]")
    # Rich's own thread may sleep as well.
    monkeypatch.setattr(time, "sleep", lambda _: api.jobs[0].update(status="fail", completed_at=CREATED_AT))
    run("get", api.jobs[0]["id"], "--wait", "--to", tmp_path, code=1)
    assert "anime [sleeps]" in shown.getvalue()


def test_what_an_open_job_is_doing_is_one_line() -> None:
    running: Any = job(1, phase_detail="It is being painted.", progress=0.42)
    assert waiting.doing(running) == "It is being painted. 42% is done."
    loading: Any = job(3, phase="loading", phase_detail="Its model files are loading: 40%.")
    assert waiting.doing(loading) == "Its model files are loading: 40%."
    unknown: Any = job(2, status="created")
    assert waiting.doing(unknown) == "created"


def test_show_tells_how_long_a_waiting_job_waits_as_a_rule_and_its_place(api: FakeApi) -> None:
    expected = {"median": 184.0, "ninth_decile": 271.0, "wake_ups": 10}
    waits = {"status": "in_progress", "completed_at": None, "phase": "waking", "phase_detail": "anime sleeps."}
    api.jobs[0].update(**waits, forecast=expected, place=0)
    told = run("show", api.jobs[0]["id"]).stdout.splitlines()
    assert "forecast\tThe first picture usually takes 3 min, nearly always under 5 min." in told
    assert "place\tIt is the first in line." in told


def test_a_job_without_pictures_says_why(api: FakeApi, tmp_path: Path) -> None:
    api.jobs[0].update(status="fail", error={"code": "worker_failed", "message": "No memory."})
    error = run("get", api.jobs[0]["id"], "--to", tmp_path, code=1).stderr
    assert "its status is fail: No memory." in error
    assert "job_not_found" in run("get", "unknown", code=1).stderr
    api.jobs[1].update(caption="a pier")
    assert "no pictures" in run("get", api.jobs[1]["id"], "--to", tmp_path, code=1).stderr


def test_an_edit_sends_what_is_given_and_takes_away_what_is_empty(api: FakeApi) -> None:
    one = api.jobs[0]
    assert run("edit", one["id"], "--title", "Dawn", "--rating", 4).stdout == f"{one['label']}\n"
    run("edit", one["label"], "--tag", "sea", "--tag", "night sky")
    run("edit", one["id"], "--title", "", "--rating", 0, "--no-tags")
    assert api.edits == [
        {"title": "Dawn", "rating": 4},
        {"tags": ["sea", "night sky"]},
        {"title": None, "rating": None, "tags": None},
    ]
    assert "Say what to change" in run("edit", one["id"], code=1).stderr
    assert "exclude each other" in run("edit", one["id"], "--no-tags", "--tag", "sea", code=1).stderr
    run("edit", one["id"], "--rating", 6, code=2)
    assert len(api.edits) == 3


def test_a_label_is_taken_wherever_an_id_is() -> None:
    label, job_id = job(1)["label"], job(1)["id"]
    assert id_of(label) == id_of(job_id) == id_of(f" {label}\n") == job_id


def test_delete_asks_for_confirmation(api: FakeApi) -> None:
    result = run("delete", api.jobs[0]["label"], code=1, answer="n\n")
    assert f"Delete the job {api.jobs[0]['id']}" in result.stdout
    assert "Nothing was deleted" in result.stderr
