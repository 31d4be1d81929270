"""A DELETE that the client sends again after its answer was lost."""

import time
from collections.abc import Callable

import httpx
import pytest

from darkroom_client import Darkroom, Refused, checkpoints, keys

URL = "https://api.example.com/v1"
JOB = "01900000-0000-7000-8000-000000000000"
DELETING: list[tuple[Callable[[Darkroom], None], str]] = [
    (lambda darkroom: darkroom.delete_job(JOB), "job_not_found"),
    (lambda darkroom: keys.delete(darkroom, "k"), "key_not_found"),
    (lambda darkroom: checkpoints.delete(darkroom, "lora", "x.pt"), "checkpoint_not_found"),
]
Answer = httpx.Response | Exception


def problem(status: int, code: str) -> httpx.Response:
    return httpx.Response(status, json={"code": code, "detail": "The words do not matter here."})


BUSY, SLOW = problem(503, "aws_busy"), problem(429, "rate_limited")


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


def answering(*answers: Answer) -> Darkroom:
    """A client that gets these answers, one after the other; an exception is a broken connection."""
    left = iter(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.method == "DELETE"
        found = next(left)
        if isinstance(found, Exception):
            raise found
        return found

    return Darkroom(URL, "a-key", transport=httpx.MockTransport(answer))


@pytest.mark.parametrize(("delete", "code"), DELETING)
@pytest.mark.parametrize("lost", [httpx.ReadError("gone"), httpx.ReadTimeout("slow"), BUSY])
def test_a_delete_whose_answer_was_lost_and_that_then_finds_nothing_has_worked(
    delete: Callable[[Darkroom], None], code: str, lost: Answer
) -> None:
    with answering(lost, problem(404, code)) as darkroom:
        delete(darkroom)


@pytest.mark.parametrize(("delete", "code"), DELETING)
@pytest.mark.parametrize("before", [[], [httpx.ConnectError("refused")], [SLOW]])
def test_a_delete_of_what_was_never_there_is_refused(
    delete: Callable[[Darkroom], None], code: str, before: list[Answer]
) -> None:
    with answering(*before, problem(404, code)) as darkroom, pytest.raises(Refused, match=code):
        delete(darkroom)


def test_a_lost_answer_does_not_hide_that_there_is_no_such_address() -> None:
    lost_then_missing = answering(httpx.ReadError("gone"), problem(404, "route_not_found"))
    with lost_then_missing as darkroom, pytest.raises(Refused, match="route_not_found"):
        darkroom.delete_job(JOB)
