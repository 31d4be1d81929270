"""`darkroom checkpoints` against a fake of Darkroom and S3 on this machine."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.progress import Progress

from darkroom_cli.commands.checkpoints import UPLOAD_STOPPED, table_of
from darkroom_cli.progress import Bar
from darkroom_client import retry, transfer
from darkroom_client.model_files import ModelFile
from tests.support.shelf import PART, Shelf, row_of
from tests.unit.command_line import run


class WatchedShelf(Shelf):
    """A shelf of which a test can wait until no part is on its way to it."""

    def __init__(self) -> None:
        self._answered = threading.Condition()
        super().__init__()

    def answer(self, request: BaseHTTPRequestHandler) -> tuple[int, Any]:
        try:
            return super().answer(request)
        finally:
            with self._answered:
                self._answered.notify_all()

    def wait_until_idle(self) -> None:
        with self._answered:
            assert self._answered.wait_for(lambda: not self.in_flight, 30), "parts are still on their way"


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Iterator[WatchedShelf]:
    monkeypatch.setattr(transfer, "FIRST_PAUSE", 0)
    monkeypatch.setattr(retry, "FIRST_PAUSE", 0)
    with WatchedShelf() as shelf:
        monkeypatch.setenv("DARKROOM_URL", shelf.url + "/")
        monkeypatch.setenv("DARKROOM_KEY", "k")
        yield shelf


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    path = tmp_path / "models" / "Lora" / "x.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(os.urandom(9 * PART + 1))
    return path


def checkpoints(*arguments: object, code: int = 0, answer: str | None = None) -> str:
    """What `darkroom checkpoints` prints."""
    return run("checkpoints", *arguments, code=code, answer=answer).output


def test_a_directory_is_uploaded_in_plain_lines(shelf: Shelf, lora: Path) -> None:
    output = checkpoints("upload", lora.parents[2])
    assert "lora x.safetensors: uploaded" in output
    assert "\x1b" not in output
    assert "there already" in checkpoints("upload", lora)


def test_one_file_that_fails_does_not_stop_the_others(shelf: Shelf, lora: Path) -> None:
    (lora.parent / "empty.pt").write_bytes(b"")
    output = checkpoints("upload", lora.parents[2], code=1)
    assert "lora x.safetensors: uploaded" in output
    assert "1 of 2 files were not uploaded" in output


def test_two_files_of_one_name_are_both_brought(shelf: Shelf, lora: Path) -> None:
    for folder in ("SD15", "SDXL"):
        (lora.parent / folder).mkdir()
        (lora.parent / folder / "same.pt").write_bytes(os.urandom(20))
    output = checkpoints("upload", lora.parents[2])
    assert "is called SD15_same.pt on the shelf" in output
    assert "3 uploaded." in output
    rows = {name: (row["folder"], row["aliases"]) for (_, name), row in shelf.rows.items()}
    assert rows == {
        "x.safetensors": ("", []),
        "SD15_same.pt": ("SD15", ["same.pt"]),
        "SDXL_same.pt": ("SDXL", ["same.pt"]),
    }
    assert "3 there already." in checkpoints("upload", lora.parents[2])


def test_as_gives_a_single_file_its_name(shelf: Shelf, lora: Path) -> None:
    checkpoints("upload", lora, "--as", "other.safetensors")
    assert shelf.rows["lora", "other.safetensors"]["aliases"] == ["x.safetensors"]
    (lora.parent / "y.pt").write_bytes(os.urandom(20))
    assert "--as names one file, and these are 2" in checkpoints("upload", lora.parent, "--as", "z.pt", code=1)


def test_what_was_left_out_is_counted_at_the_end(shelf: Shelf, lora: Path) -> None:
    (lora.parent / "readme.txt").write_text("words")
    (lora.parent / "preview.png").write_bytes(b"png")
    (lora.parent / "gone.pt").symlink_to(lora.parent / "nothing.pt")
    output = checkpoints("upload", lora.parents[2])
    assert "Left out 2: not a model file\n" in output
    assert f"Left out 1: a broken link\n  {lora.parent / 'gone.pt'}\n" in output
    report = json.loads(checkpoints("upload", lora.parents[2], "--json"))
    assert [(file["name"], file["outcome"]) for file in report["files"]] == [("x.safetensors", "there already")]
    assert report["left_out_by_reason"] == {"not a model file": 2, "a broken link": 1}
    assert {Path(one["path"]).name for one in report["left_out"]} == {"readme.txt", "preview.png", "gone.pt"}


def test_rename_says_the_new_name(shelf: Shelf) -> None:
    shelf.rows["vae", "z.pt"] = row_of("vae", "z.pt", status="active")
    assert "vae z.pt is called y.pt now." in checkpoints("rename", "vae", "z.pt", "y.pt")
    assert list(shelf.rows) == [("vae", "y.pt")]
    assert "checkpoint_not_found" in checkpoints("rename", "vae", "z.pt", "y.pt", code=1)


def test_an_import_without_a_file_name_asks_for_one(shelf: Shelf) -> None:
    shelf.problems["POST /checkpoints/import"] = (422, "invalid_request", "The URL has no file name.")
    shelf.errors = [{"loc": ["body", "name"], "msg": "give `name`"}]
    output = checkpoints("import", "https://civitai.com/api/download/models/123", "--kind", "lora", code=1)
    assert "say what to call it with --as" in output


def test_ctrl_c_says_that_the_upload_can_be_continued_and_it_can(shelf: WatchedShelf, lora: Path) -> None:
    shelf.hold = threading.Event()
    # A shell script starts a command with `&` in this way, so that Ctrl-C is ignored.
    ignoring_ctrl_c = ["/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh"]
    command = [sys.executable, "-m", "darkroom_cli", "checkpoints", "upload", str(lora), "--parallel", "2"]
    process = subprocess.Popen(  # noqa: S603 - the command is our own
        [*ignoring_ctrl_c, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
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
    shelf.wait_until_idle()
    stored = set(shelf.stored)
    shelf.puts.clear()
    assert stored
    checkpoints("upload", lora)
    assert set(shelf.puts) == set(range(1, 11)) - stored


def test_the_key_comes_from_a_file_or_the_environment(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text("other\n")
    checkpoints("list", "--key-file", tmp_path / "key")
    assert shelf.keys == {"Bearer other"}
    monkeypatch.delenv("DARKROOM_KEY")
    assert "No access key" in checkpoints("list", code=1)
    assert "No such file" in checkpoints("list", "--key-file", tmp_path / "missing", code=1)
    monkeypatch.delenv("DARKROOM_URL")
    assert "Where is Darkroom?" in checkpoints("list", code=1)
    assert "cannot be reached" in checkpoints(
        "list", "--url", "http://127.0.0.1:9", "--key-file", tmp_path / "key", code=1
    )


def test_a_problem_is_one_line(shelf: Shelf, lora: Path) -> None:
    shelf.problems["POST /checkpoints"] = (401, "unauthorized", "The key\nis not known.")
    assert checkpoints("upload", lora, code=1) == "The key is not known. (unauthorized)\n"
    shelf.problems["POST /checkpoints"] = (409, "checkpoint_uploading", "Another size is being uploaded.")
    assert "Another size is being uploaded. (checkpoint_uploading)\n" in checkpoints("upload", lora, code=1)


def test_list_reads_every_page(shelf: Shelf) -> None:
    for name in ("a.safetensors", "b.pt", "c.pt", "d.pt", "e.pt"):
        shelf.rows["lora", name] = row_of("lora", name, status="active", size=20)
    shelf.rows["vae", "z.pt"] = row_of("vae", "z.pt")
    rows = json.loads(checkpoints("list", "--json", "--kind", "lora"))
    assert [row["name"][0] for row in rows] == list("abcde")
    lines = checkpoints("list", "--q", "z").splitlines()
    assert [line.split("\t")[:2] for line in lines] == [["vae", "z.pt"]]


def test_the_table_has_every_column() -> None:
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


def test_the_progress_bar_counts_parts_that_were_stored_before(tmp_path: Path) -> None:
    with Progress(disable=True) as progress:
        bar = Bar(progress)
        bar.begin(ModelFile(tmp_path / "x.pt", "lora"), 100, 1)
        bar.found(60)
        bar.sent(40)
        assert progress.tasks[0].completed == 100


def test_delete_asks_for_confirmation(shelf: Shelf) -> None:
    shelf.rows["vae", "z.pt"] = row_of("vae", "z.pt")
    assert "Nothing was deleted" in checkpoints("delete", "vae", "z.pt", code=1, answer="n\n")
    assert "Nothing was deleted" in checkpoints("delete", "vae", "z.pt", code=1)
    assert shelf.rows
    assert "Deleted vae z.pt" in checkpoints("delete", "vae", "z.pt", "--yes")
    assert "checkpoint_not_found" in checkpoints("delete", "vae", "z.pt", "--yes", code=1)


def test_a_file_for_an_engine_is_brought_with_its_purpose(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "blip.safetensors").write_bytes(os.urandom(40))
    (tmp_path / "artists.txt").write_text("somebody\nsomebody else\n")
    paths = (tmp_path / "blip.safetensors", tmp_path / "artists.txt")
    output = checkpoints("upload", *paths, "--kind", "engine-file", "--for", "interrogate_clip")
    assert "2 uploaded." in output
    assert {row["purpose"] for row in shelf.rows.values()} == {"interrogate_clip"}
    assert "engine-file\tartists.txt\t" in checkpoints("list")
    assert checkpoints("list").count("\tinterrogate_clip") == 2


def test_a_folder_of_lists_is_brought_for_an_engine_and_the_lists_of_no_other_kind(shelf: Shelf, lora: Path) -> None:
    lists = lora.parents[2] / "interrogate"
    lists.mkdir()
    (lists / "mediums.txt").write_text("an oil painting\n")
    (lora.parent / "readme.txt").write_text("words of somebody")
    checkpoints("upload", lists, lora.parent, "--kind", "engine-file", "--for", "interrogate_clip")
    assert [(kind, row["purpose"]) for (kind, _), row in sorted(shelf.rows.items())] == [
        ("engine-file", "interrogate_clip"),
        ("lora", None),
    ]


def test_without_for_a_file_for_an_engine_is_refused_and_no_other_has_it(shelf: Shelf, lora: Path) -> None:
    output = checkpoints("upload", lora, "--kind", "engine-file", code=1)
    assert "--for: interrogate_clip, interrogate_deepbooru, openpose, depth_anything" in output
    assert "--kind engine-file" in checkpoints("upload", lora, "--for", "openpose", code=1)
    source = ("import", "https://e.com/x.safetensors", "--kind", "engine-file")
    assert "--for: interrogate_clip" in checkpoints(*source, code=1)
    assert shelf.rows == {}
