"""A fault at every AWS call of every function, in turn: the promise holds, and docs/reliability.md tells how."""

from functools import cache
from pathlib import Path

import pytest

from tests.support.fault_table import BEGIN, END, FUNCTIONS, PAGE, outcomes, section
from tests.support.faults import Outcome

ROOT = Path(__file__).parents[2]
played = cache(outcomes)


@pytest.fixture(params=FUNCTIONS, scope="module")
def function(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def found(function: str) -> list[Outcome]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("POWERTOOLS_LOG_LEVEL", "CRITICAL")
        return played(function)


def test_whatever_call_breaks_everything_comes_to_its_end(found: list[Outcome]) -> None:
    assert [(outcome.scenario.what, outcome.fault, outcome.wrong) for outcome in found if outcome.wrong] == []


def test_the_page_tells_what_becomes_of_every_fault(function: str, found: list[Outcome]) -> None:
    assert section(function, found) in PAGE.read_text(), "run `make reliability`"


def test_every_function_is_on_the_page() -> None:
    functions = {folder.parent.name for folder in (ROOT / "functions").glob("*/handler.py")}
    assert set(FUNCTIONS) == functions
    written = PAGE.read_text().partition(BEGIN)[2].partition(END)[0]
    assert {line.removeprefix("### ") for line in written.splitlines() if line.startswith("### ")} == functions
