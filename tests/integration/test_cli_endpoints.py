"""`darkroom endpoints` on the real handlers."""

import pytest

from tests.support.stage import Stage
from tests.support.wire import answer_with, by_the_handlers
from tests.unit.command_line import run

G5, G4 = "ml.g5.xlarge", "ml.g4dn.xlarge"
NAME = "darkroom-test-anime"


@pytest.fixture(autouse=True)
def connected(monkeypatch: pytest.MonkeyPatch, stage: Stage) -> None:
    answer_with(monkeypatch, by_the_handlers)
    monkeypatch.setenv("DARKROOM_URL", "https://api.example.com")
    monkeypatch.setenv("DARKROOM_KEY", "a-key")


def test_types_are_said_in_order_of_preference_and_the_list_shows_what_runs(stage: Stage) -> None:
    made = run("endpoints", "create", "anime", "--type", G5, "--instance-type", G4, "--no-wait")
    assert f"{NAME}: Creating ({G5}, {G4})" in made.output
    stage.sagemaker.settle()
    stage.sagemaker.details[NAME].running = {G5: 0, G4: 1}
    assert f"{G5}, {G4} (1)" in run("endpoints", "list").output


def test_one_type_is_said_as_ever(stage: Stage) -> None:
    assert f"({G4})" in run("endpoints", "create", "anime", "--type", G4, "--no-wait").output
    assert stage.sagemaker.details[NAME].fallbacks == ()


def test_a_type_that_is_said_twice_is_refused(stage: Stage) -> None:
    refused = run("endpoints", "create", "anime", "--type", G4, "--type", G4, "--no-wait", code=1)
    assert "names a type twice" in refused.output
