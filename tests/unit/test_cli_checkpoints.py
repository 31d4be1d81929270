"""The command line against a shelf on this machine."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.progress import Progress
from typer.testing import CliRunner

from darkroom_cli.commands.checkpoints import UPLOAD_STOPPED, table_of
from darkroom_cli.main import app
from darkroom_cli.progress import Bar
from darkroom_client import retry, transfer
from darkroom_client.model_files import ModelFile
from tests.support.shelf import PART, Shelf, row_of


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    monkeypatch.setattr(transfer, "FIRST_PAUSE", 0)
    monkeypatch.setattr(retry, "FIRST_PAUSE", 0)
    with Shelf() as shelf:
        monkeypatch.setenv("DARKROOM_URL", shelf.url + "/")
        monkeypatch.setenv("DARKROOM_KEY", "k")
        yield shelf


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    path = tmp_path / "models" / "Lora" / "x.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(os.urandom(9 * PART + 1))
    return path


def darkroom(*arguments: object, code: int = 0, answer: str | None = None) -> str:
    result = CliRunner().invoke(app, ["checkpoints", *map(str, arguments)], input=answer)
    assert result.exit_code == code, result.output
    return result.output


def test_a_directory_is_uploaded_in_plain_lines(shelf: Shelf, lora: Path) -> None:
    output = darkroom("upload", lora.parents[2])
    assert "lora x.safetensors: uploaded" in output
    assert "\x1b" not in output
    assert "there already" in darkroom("upload", lora)


def test_a_failure_does_not_keep_the_others_back(shelf: Shelf, lora: Path) -> None:
    (lora.parent / "empty.pt").write_bytes(b"")
    output = darkroom("upload", lora.parents[2], code=1)
    assert "lora x.safetensors: uploaded" in output
    assert "1 of 2 files were not uploaded" in output


def test_ctrl_c_says_that_it_goes_on_and_it_does(shelf: Shelf, lora: Path) -> None:
    shelf.hold = threading.Event()
    # As a shell script starts what it puts behind `&`: with Ctrl-C ignored.
    ignoring = ["/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh"]
    command = [sys.executable, "-m", "darkroom_cli", "checkpoints", "upload", str(lora), "--parallel", "2"]
    process = subprocess.Popen(  # noqa: S603 - the command is our own
        [*ignoring, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert shelf.held.wait(30)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    finally:
        process.kill()
    assert (process.returncode, errors.strip()) == (130, UPLOAD_STOPPED)
    shelf.hold.set()
    shelf.hold = None
    while shelf.in_flight:
        time.sleep(0.01)
    before = set(shelf.stored)
    shelf.puts.clear()
    assert before
    darkroom("upload", lora)
    assert set(shelf.puts) == set(range(1, 11)) - before


def test_the_key_comes_from_a_file_or_the_environment(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text("other\n")
    darkroom("list", "--key-file", tmp_path / "key")
    assert shelf.keys == {"Bearer other"}
    monkeypatch.delenv("DARKROOM_KEY")
    assert "No access key" in darkroom("list", code=1)
    assert "No such file" in darkroom("list", "--key-file", tmp_path / "none", code=1)
    monkeypatch.delenv("DARKROOM_URL")
    assert "Where is Darkroom?" in darkroom("list", code=1)
    assert "cannot be reached" in darkroom(
        "list", "--url", "http://127.0.0.1:9", "--key-file", tmp_path / "key", code=1
    )


def test_a_problem_is_one_line(shelf: Shelf, lora: Path) -> None:
    shelf.problems["POST /checkpoints"] = (401, "unauthorized", "The key\nis not known.")
    assert darkroom("upload", lora, code=1) == "The key is not known. (unauthorized)\n"
    shelf.problems["POST /checkpoints"] = (409, "checkpoint_uploading", "Another size is on its way.")
    assert "Another size is on its way. (checkpoint_uploading)\n" in darkroom("upload", lora, code=1)


def test_list_goes_through_every_page(shelf: Shelf) -> None:
    for name in ("a.safetensors", "b.pt", "c.pt", "d.pt", "e.pt"):
        shelf.rows["lora", name] = row_of("lora", name, status="active", size=20)
    shelf.rows["vae", "z.pt"] = row_of("vae", "z.pt")
    rows = json.loads(darkroom("list", "--json", "--kind", "lora"))
    assert [row["name"][0] for row in rows] == list("abcde")
    lines = darkroom("list", "--q", "z").splitlines()
    assert [line.split("\t")[:2] for line in lines] == [["vae", "z.pt"]]


def test_the_table_shows_what_a_person_asks_for() -> None:
    changes = {"size": 2_000_000, "created_at": "2026-01-02T03:04:05Z", "base_model": "sdxl"}
    rows: list[Any] = [
        row_of("vae", "z.pt", status="fail", reason="No model.", **changes),
        row_of("lora", "[a].safetensors"),
    ]
    console = Console(record=True, width=160, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(table_of(rows))
    console.file.close()
    text = console.export_text()
    for words in ("z.pt", "2.0 MB", "ana", "2026-01-02 03:04", "fail: No model.", "sdxl", "pickle", "[a].safetensors"):
        assert words in text


def test_the_bar_counts_what_was_there_but_not_as_speed(tmp_path: Path) -> None:
    with Progress(disable=True) as progress:
        bar = Bar(progress)
        bar.begin(ModelFile(tmp_path / "x.pt", "lora"), 100, 1)
        bar.found(60)
        bar.sent(40)
        assert progress.tasks[0].completed == 100


def test_delete_asks(shelf: Shelf) -> None:
    shelf.rows["vae", "z.pt"] = row_of("vae", "z.pt")
    assert "Nothing was deleted" in darkroom("delete", "vae", "z.pt", code=1, answer="n\n")
    assert "Nothing was deleted" in darkroom("delete", "vae", "z.pt", code=1)
    assert shelf.rows
    assert "Deleted vae z.pt" in darkroom("delete", "vae", "z.pt", "--yes")
    assert "checkpoint_not_found" in darkroom("delete", "vae", "z.pt", "--yes", code=1)
