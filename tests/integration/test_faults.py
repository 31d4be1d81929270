"""A fault at every AWS call of every function, in turn: the promise holds, and the snapshot says what becomes of it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.fault_table import FUNCTIONS, SNAPSHOT, rows
from tests.support.faults import Scenario, World, calls_of, faulty_stage, run
from tests.support.scenarios import SCENARIOS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def fresh() -> Iterator[Callable[[], World]]:
    """One stage for all scenarios that a worker plays: making its clients takes a second."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("POWERTOOLS_LOG_LEVEL", "CRITICAL")
        with faulty_stage() as made:
            yield made


# A test for each scenario, so that pytest-xdist can spread them over its workers.
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: f"{scenario.function}: {scenario.what}")
def test_whatever_call_breaks_everything_comes_to_its_end_as_the_snapshot_says(
    fresh: Callable[[], World], scenario: Scenario
) -> None:
    found = [run(fresh, scenario, fault) for fault in calls_of(fresh, scenario)]
    assert [(outcome.fault, outcome.wrong) for outcome in found if outcome.wrong] == []
    section = SNAPSHOT.read_text().partition(f"## {scenario.function}\n")[2].partition("\n## ")[0]
    assert "\n".join(rows(found)) in section, "run `make reliability`"


def test_every_function_is_in_the_snapshot() -> None:
    functions = {folder.parent.name for folder in (ROOT / "functions").glob("*/handler.py")}
    assert set(FUNCTIONS) == functions
    lines = SNAPSHOT.read_text().splitlines()
    assert {line.removeprefix("## ") for line in lines if line.startswith("## ")} == functions
