"""A fault at every AWS call of every function, in turn: the promise holds, and the snapshot says what becomes of it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.fault_table import FUNCTIONS, SNAPSHOT, recorded
from tests.support.faults import FAULTS, Fault, Scenario, World, calls_of, faulty_stage, run, some_of
from tests.support.scenarios import SCENARIOS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def fresh() -> Iterator[Callable[[], World]]:
    """One stage for all scenarios that a worker plays: making its clients takes a second."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("POWERTOOLS_LOG_LEVEL", "CRITICAL")
        with faulty_stage() as made:
            yield made


# A test for each scenario, so that pytest-xdist can spread them over its workers. `make reliability` tries all kinds of
# faults at each call; here are two at most (see `some_of`).
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: f"{scenario.function}: {scenario.what}")
def test_whatever_call_breaks_everything_comes_to_its_end_as_the_snapshot_says(
    fresh: Callable[[], World], scenario: Scenario
) -> None:
    faults = calls_of(fresh, scenario)
    said = recorded(scenario.function, scenario.what)
    calls = {name if (name := fault.name) in said else name.rpartition(" ")[0] for fault in faults}
    assert calls == set(said), "run `make reliability`"
    for fault in some_of(scenario, faults):
        outcome = run(fresh, scenario, fault)
        assert outcome.wrong == (), fault
        of_call = said.get(fault.name) or said[fault.name.rpartition(" ")[0]]
        assert outcome.words == of_call.words(fault), f"{fault}: run `make reliability`"


def test_all_kinds_of_faults_are_among_those_that_are_tried(fresh: Callable[[], World]) -> None:
    tried = {(fault.kind, fault.lasts) for scenario in SCENARIOS[:10] for fault in _tried(fresh, scenario)}
    assert {kind for kind, lasts in tried if lasts} == set(FAULTS)
    assert any(not lasts for _, lasts in tried)


def _tried(fresh: Callable[[], World], scenario: Scenario) -> list[Fault]:
    return some_of(scenario, calls_of(fresh, scenario))


def test_every_function_is_in_the_snapshot() -> None:
    functions = {folder.parent.name for folder in (ROOT / "functions").glob("*/handler.py")}
    assert set(FUNCTIONS) == functions
    lines = SNAPSHOT.read_text().splitlines()
    assert {line.removeprefix("## ") for line in lines if line.startswith("## ")} == functions
