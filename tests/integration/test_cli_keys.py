"""`darkroom keys` against the real functions on moto."""

import json
import logging
import os
from collections.abc import Iterator

import pytest
from rich.console import Console
from typer.testing import CliRunner

from darkroom_cli.commands.keys import table_of
from darkroom_cli.main import app
from tests.support.http import call
from tests.support.stage import Stage
from tests.support.wire import answer_with, by_the_handlers


@pytest.fixture(autouse=True)
def _connected(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    answer_with(monkeypatch, by_the_handlers)
    monkeypatch.setenv("DARKROOM_URL", "https://darkroom.example.com/v1")
    monkeypatch.setenv("DARKROOM_KEY", "k")
    # The functions run in this process, and what they log is no output of the command.
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


def darkroom(*arguments: str, code: int = 0, answer: str | None = None) -> tuple[str, str]:
    result = CliRunner().invoke(app, ["keys", *arguments], input=answer)
    assert result.exit_code == code, result.output
    return result.stdout, result.stderr


def test_the_secret_is_all_there_is_on_the_output() -> None:
    output, aside = darkroom("create", "anna", "--role", "artist", "--days", "3", "--open-jobs", "2")
    [secret] = output.splitlines()
    assert secret.startswith("dk_")
    assert "of anna (artist), good until" in aside
    assert secret not in aside
    [listed] = json.loads(darkroom("list", "--json")[0])
    assert (listed["name"], listed["limits"]["open_jobs"]) == ("anna", 2)
    [line] = darkroom("list")[0].splitlines()
    assert line.split("\t")[1:4] == ["anna", "artist", secret[:8] + "…"]
    assert line.endswith("2 open jobs")


def test_a_program_gets_the_whole_key_as_json() -> None:
    ends = "2030-01-01T00:00:00Z"
    made = json.loads(darkroom("create", "anna", "--role", "viewer", "--expires-at", ends, "--json")[0])
    assert (made["expires_at"], made["role"]) == (ends, "viewer")
    assert made["secret"]


def test_a_problem_is_one_line() -> None:
    for _ in range(2):
        darkroom("create", "anna", "--role", "artist")
    _, aside = darkroom("create", "anna", "--role", "artist", code=1)
    assert aside.strip().endswith("(key_limit_reached)")
    assert len(aside.splitlines()) == 1
    darkroom("create", "anna", "--role", "king", code=2)


def test_delete_asks_whose_key_it_is() -> None:
    made = json.loads(darkroom("create", "anna", "--role", "artist", "--json")[0])
    output, aside = darkroom("delete", made["id"], code=1, answer="n\n")
    assert f"of anna (artist, {made['prefix']}…)?" in output
    assert "Nothing was withdrawn" in aside
    assert darkroom("list")[0]
    assert "Withdrew" in darkroom("delete", made["id"], answer="y\n")[0]
    assert darkroom("list")[0] == ""
    assert "key_not_found" in darkroom("delete", made["id"], "--yes", code=1)[1]


def test_a_long_list_is_read_to_its_end() -> None:
    for number in range(101):
        assert call("POST", "/keys", {"name": f"n{number}", "role": "viewer"}).status == 201
    assert len(darkroom("list")[0].splitlines()) == 101


def test_the_table_shows_what_a_person_asks_for() -> None:
    made = json.loads(darkroom("create", "anna", "--role", "artist", "--requests-per-minute", "9", "--json")[0])
    with open(os.devnull, "w") as nowhere:
        console = Console(record=True, width=200, file=nowhere)
        console.print(table_of([made]))
    text = console.export_text()
    for words in (made["id"], "anna", "artist", made["prefix"], "9 requests"):
        assert words in text
