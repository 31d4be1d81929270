"""`darkroom jobs` against an API that is played."""

import codecs
import csv
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from darkroom_cli import history
from darkroom_cli.commands.jobs import id_of
from darkroom_cli.main import app
from darkroom_client.answers import Job
from tests.support.wire import answer_with

MADE = "2026-01-02T03:04:05Z"


def job(number: int, **changes: Any) -> dict[str, Any]:
    """A job as the API answers it."""
    job_id = f"01900000-0000-7000-8000-{number:012}"
    status = changes.get("status", "succeed")
    told = {"id": job_id, "label": f"{MADE}->txt2img->{status}->{job_id}", "type": "txt2img", "status": status}
    more = {"owner": "anna", "endpoint": "e", "created_at": MADE, "completed_at": MADE, "image_count": 1, "images": []}
    return {**dict.fromkeys(Job.__required_keys__), **told, **more, "prompt": f"pier {number}", "inputs": [], **changes}


class History:
    """`GET /jobs` over some jobs, in JSON and in CSV, and `GET /jobs/{id}` with a picture behind it."""

    def __init__(self, count: int) -> None:
        self.jobs = [job(number) for number in range(count)]
        self.asked: list[dict[str, list[str]]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/v1")
        if path == "/jobs":
            return self._page(request)
        if path.startswith("/picture"):
            return httpx.Response(200, content=path.encode())
        found = next((one for one in self.jobs if path == f"/jobs/{one['id']}"), None)
        if found is None:
            return httpx.Response(404, json={"code": "job_not_found", "detail": "There is no such job."})
        return httpx.Response(200, json=found)

    def _page(self, request: httpx.Request) -> httpx.Response:
        query = request.url.params
        self.asked.append({name: query.get_list(name) for name in query})
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
        mark = codecs.BOM_UTF8 if start == 0 else b""
        return httpx.Response(200, content=mark + out.getvalue().encode(), headers=headers)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> History:
    made = History(250)
    answer_with(monkeypatch, made)
    monkeypatch.setenv("DARKROOM_URL", "https://api.example.com/v1")
    monkeypatch.setenv("DARKROOM_KEY", "a-key")
    return made


def run(*arguments: object, code: int = 0, answer: str | None = None) -> Result:
    done = CliRunner().invoke(app, ["jobs", *map(str, arguments)], input=answer)
    assert done.exit_code == code, done.output
    return done


def test_every_filter_is_asked_for_by_its_name_in_the_api(api: History) -> None:
    words = {"endpoint": "e", "checkpoint": "c.pt", "owner": "anna", "lora": "ink", "q": "a pier", "to": "2026-02-01"}
    options = [part for name, value in words.items() for part in (f"--{name}", value)]
    run("list", "--type", "txt2img", "--type", "img2img", "--status", "fail", "--from", "2026-01-01", *options)
    [asked] = api.asked
    expected = {"type": ["txt2img", "img2img"], "status": ["fail"], "from": ["2026-01-01"], "limit": ["21"]}
    assert asked == {**expected, **{name: [value] for name, value in words.items()}}
    run("list", "--status", "lost", code=2)


def test_the_newest_are_listed_and_that_there_are_more(api: History) -> None:
    done = run("list")
    lines = done.stdout.splitlines()
    assert len(lines) == 20
    assert lines[0].split("\t")[:4] == ["2026-01-02 03:04", "txt2img", "succeed", api.jobs[0]["id"]]
    assert "--all shows them" in done.stderr
    everything = run("list", "--all")
    assert (len(everything.stdout.splitlines()), everything.stderr) == (250, "")
    assert len(json.loads(run("list", "--json", "--limit", 120).stdout)) == 120
    assert json.loads(run("list", "--json", "--limit", 1).stdout)[0]["prompt"] == "pier 0"
    run("list", "--all", "--limit", 3, code=1)


def test_a_csv_has_all_pages_with_one_mark_and_one_header(api: History) -> None:
    api.jobs[3]["prompt"] = 'a "桜",\r\ntwo lines'
    content = run("list", "--csv").stdout_bytes
    assert content.count(codecs.BOM_UTF8) == 1
    assert content.startswith(codecs.BOM_UTF8)
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert rows == [["id", "prompt"], *([one["id"], one["prompt"]] for one in api.jobs)]
    assert [asked["limit"] for asked in api.asked] == [["100"]] * 3
    few = run("list", "--csv", "--limit", 2).stdout_bytes.decode("utf-8-sig").splitlines()
    assert few == ["id,prompt", f"{api.jobs[0]['id']},pier 0", f"{api.jobs[1]['id']},pier 1"]
    run("list", "--csv", "--json", code=1)


def test_a_csv_of_nothing_is_its_header(api: History) -> None:
    api.jobs.clear()
    assert run("list", "--csv").stdout_bytes == codecs.BOM_UTF8 + b"id,prompt\r\n"
    assert run("list").stdout == ""


def test_the_table_shows_what_a_person_asks_for() -> None:
    lines: Any = [job(1, mode="inpaint", duration=12.34, cost=0.00123), job(2, prompt="[red]two[/red]\nlines")]
    console = Console(record=True, width=200, file=io.StringIO())
    console.print(history.table_of(lines))
    text = console.export_text()
    for words in ("2026-01-02 03:04", "txt2img/inpaint", "succeed", lines[0]["id"], "12.3 s", "$0.0012", "[red]two"):
        assert words in text


def test_a_job_is_shown_with_all_that_is_known(api: History) -> None:
    size = {"width": 512, "height": 768, "seed": 7}
    api.jobs[0].update(
        error={"code": "worker_failed", "message": "No memory."}, images=[size], parameters={"steps": 20}
    )
    shown = dict(line.split("\t") for line in run("show", api.jobs[0]["id"]).stdout.splitlines())
    assert shown["status"] == "succeed"
    assert shown["picture 1"] == "512 × 768, seed 7"
    assert "No memory." in shown["error"]
    assert shown["parameters"] == '{"steps": 20}'
    assert "completed_at" in shown
    assert "replay_of" not in shown
    assert json.loads(run("show", api.jobs[0]["id"], "--json").stdout) == api.jobs[0]


def test_pictures_are_saved_where_it_says_and_nothing_is_replaced_unasked(api: History, tmp_path: Path) -> None:
    urls = ["https://s3.example.com/picture/0", "https://s3.example.com/picture/1"]
    bodies = [b"/picture/0", b"/picture/1"]
    pictures = [
        {"url": url, "key": f"jobs/x/{url[-1]}.png", "sha256": hashlib.sha256(body).hexdigest()}
        for url, body in zip(urls, bodies, strict=True)
    ]
    api.jobs[0]["images"], api.jobs[1]["images"] = pictures, pictures[:1]
    done = run("get", api.jobs[0]["label"], api.jobs[1]["id"], "--to", tmp_path / "out")
    paths = [Path(line) for line in done.stdout.splitlines()]
    assert [path.read_bytes() for path in paths] == [*bodies, bodies[0]]
    assert {path.parent for path in paths} == {tmp_path / "out"}
    paths[0].write_bytes(b"mine")
    assert "is there already" in run("get", api.jobs[0]["id"], "--to", tmp_path / "out", code=1).stderr
    assert paths[0].read_bytes() == b"mine"
    run("get", api.jobs[0]["id"], "--to", tmp_path / "out", "--overwrite")
    assert paths[0].read_bytes() == bodies[0]


def test_a_job_without_pictures_says_why(api: History, tmp_path: Path) -> None:
    api.jobs[0].update(status="fail", error={"code": "worker_failed", "message": "No memory."})
    told = run("get", api.jobs[0]["id"], "--to", tmp_path, code=1).stderr
    assert "its status is fail: No memory." in told
    assert "job_not_found" in run("get", "nobodys", code=1).stderr
    api.jobs[1].update(caption="a pier")
    assert "no pictures" in run("get", api.jobs[1]["id"], "--to", tmp_path, code=1).stderr


def test_a_label_is_taken_wherever_an_id_is() -> None:
    one = job(1)
    assert id_of(one["label"]) == id_of(one["id"]) == id_of(f" {one['label']}\n") == one["id"]


def test_delete_asks(api: History) -> None:
    told = run("delete", api.jobs[0]["label"], code=1, answer="n\n")
    assert f"Delete the job {api.jobs[0]['id']}" in told.stdout
    assert "Nothing was deleted" in told.stderr
