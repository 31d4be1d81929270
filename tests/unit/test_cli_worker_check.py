"""What `darkroom worker check` prints: the list of rows, the table, and the verdict."""

import io

import pytest
from rich.console import Console

from darkroom_cli.worker_check import report
from darkroom_cli.worker_check.checks import Level, Outcome, Row, all_checks
from tests.unit.command_line import run


def row(level: Level, outcome: Outcome, name: str = "stored", why: str = "") -> Row:
    return Row(name, level, outcome, "each picture is in S3", why)


def test_the_list_has_every_row_and_its_level() -> None:
    lines = [line.split("\t") for line in run("worker", "check", "--list").output.splitlines()]
    assert lines == [[check.name, check.level, check.what] for check in all_checks()]
    [one] = run("worker", "check", "--list", "--only", "keys").output.splitlines()
    assert one.startswith("keys\tmust\t")


def test_an_address_is_needed() -> None:
    assert "http://127.0.0.1:8080" in run("worker", "check", "localhost:8080", code=2).stderr
    run("worker", "check", code=2)


@pytest.mark.parametrize(
    ("rows", "keeps", "says"),
    [
        ([row("must", "holds")], True, "The worker keeps the contract."),
        ([row("must", "holds"), row("should", "does not hold", "seeds")], True, "It should also keep: seeds."),
        ([row("must", "holds"), row("must", "not tried", "sigterm")], True, "Not tried: sigterm."),
        ([row("must", "refused"), row("must", "holds")], True, "The worker keeps the contract."),
        ([row("must", "holds"), row("must", "does not hold", "keys")], False, "does not keep the contract: keys."),
        ([row("must", "not tried")], False, "Nothing that was tried holds."),
    ],
)
def test_the_verdict_is_that_of_what_must_hold(rows: list[Row], keeps: bool, says: str) -> None:
    assert report.keeps(rows) is keeps
    assert says in report.verdict(rows)


def test_the_table_shows_the_words_of_a_worker_as_they_are() -> None:
    out = io.StringIO()
    Console(file=out, width=200).print(report.table_of([row("must", "does not hold", why="it says [red]no[/red]")]))
    assert "it says [red]no[/red]" in out.getvalue()
    assert "does not hold" in out.getvalue()
