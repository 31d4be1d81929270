"""The budgets of the history at two sizes; `make bench` shows them up to a million jobs."""

import pytest

from bench.history import Question, ask, broken, jobs, questions
from tests.support.memory import MemoryHistory


@pytest.fixture(scope="module", params=[1_000, 20_000])
def history(request: pytest.FixtureRequest) -> MemoryHistory:
    memory = MemoryHistory()
    for job in jobs(request.param):
        memory.put(job)
    return memory


@pytest.mark.parametrize("question", questions(), ids=lambda question: question.name)
def test_no_question_examines_more_items_than_its_budget(history: MemoryHistory, question: Question) -> None:
    page, _ = ask(history, question, rounds=1)
    assert not broken(question, page), page.examined
