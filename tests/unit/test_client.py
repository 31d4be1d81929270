"""The client against an API that loses answers, is busy, refuses requests, or is not Darkroom at all."""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from darkroom_client import Darkroom, Failure, NotDarkroom, Refused, checkpoints, endpoints, keys, retry
from darkroom_client.answers import Job
from darkroom_client.model_files import ModelFile
from tests.support.shelf import row_of

JOB = "01900000-0000-7000-8000-000000000000"
URL = "https://api.example.com/v1"
KEY = {"id": "k", "name": "anna", "role": "artist", "prefix": "dk_12345", "created_at": "t", "last_used": None}
CREATED_KEY = {
    **KEY,
    "expires_at": "t",
    "limits": {"requests_per_minute": None, "open_jobs": None},
    "secret": "dk_1234567",
}


class FakeApi:
    """Gives one answer after the other and repeats the last one. An exception is a broken connection."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(self) -> Darkroom:
        return Darkroom(URL, "a-key", transport=httpx.MockTransport(self))


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between tries, in seconds; none of them takes any time."""
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    return pauses


def job(**changes: Any) -> dict[str, Any]:
    """A job as the API answers it."""
    return {**dict.fromkeys(Job.__required_keys__), "id": JOB, "images": [], "status": "succeed", **changes}


CREATING: list[tuple[Callable[[Darkroom], Any], dict[str, Any]]] = [
    (lambda darkroom: darkroom.submit({"type": "txt2img"}), job()),
    (lambda darkroom: darkroom.replay(JOB), job()),
    (lambda darkroom: keys.create(darkroom, {"name": "anna", "role": "artist"}), CREATED_KEY),
    (
        lambda darkroom: checkpoints.import_from(darkroom, "https://e.com/x.pt", "lora"),
        row_of("lora", "x.pt", status="importing"),
    ),
    (
        lambda darkroom: checkpoints.register(darkroom, ModelFile(Path("x.pt"), "lora"), 20),
        {"checkpoint": row_of("lora", "x.pt"), "upload": {"part_size": 20, "parts": 1}},
    ),
]


@pytest.mark.parametrize(("create", "created"), CREATING)
def test_a_request_without_an_answer_is_repeated_with_the_same_idempotency_key(
    create: Callable[[Darkroom], Any], created: dict[str, Any]
) -> None:
    busy = httpx.Response(503, json={"code": "aws_busy", "detail": "Busy."})
    api = FakeApi(httpx.ReadError("gone"), busy, httpx.Response(201, json=created))
    with api.client() as darkroom:
        assert create(darkroom) == created
        sent = [request.headers["Idempotency-Key"] for request in api.requests]
        assert len(sent) == 3
        assert len(set(sent)) == 1
        create(darkroom)
    assert api.requests[-1].headers["Idempotency-Key"] not in sent


def test_creating_an_endpoint_sends_an_idempotency_key_and_reading_one_does_not() -> None:
    api = FakeApi(httpx.Response(404, json={"code": "endpoint_not_found", "detail": "None."}))
    with api.client() as darkroom:
        assert endpoints.find(darkroom, "anime") is None
        with pytest.raises(Refused):
            endpoints.create(darkroom, {"name": "anime"})
    assert ["Idempotency-Key" in request.headers for request in api.requests] == [False, True]


def test_a_request_is_repeated_after_the_time_that_a_busy_darkroom_names(pauses: list[float]) -> None:
    busy = httpx.Response(429, json={"code": "rate_limited", "detail": "Slow."}, headers={"Retry-After": "7"})
    with FakeApi(busy, busy, httpx.Response(200, json={"version": "1", "stage": "dev"})).client() as darkroom:
        assert darkroom.ping()["stage"] == "dev"
    assert len(pauses) == 2
    assert all(7 <= pause <= 7 * 1.3 for pause in pauses)


def test_a_connection_that_always_fails_is_given_up_after_some_tries(pauses: list[float]) -> None:
    api = FakeApi(httpx.ConnectError("refused"))
    with api.client() as darkroom, pytest.raises(httpx.ConnectError):
        darkroom.ping()
    assert len(api.requests) == retry.TRIES
    assert pauses == sorted(pauses)
    assert sum(pauses) < 6


class Turned:
    """A clock that only pauses move, and requests that take `seconds`; it stands in for `time.monotonic`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.pauses = 1000.0, list[float]()
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(time, "sleep", self.sleep)

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


OPEN = job(status="in_progress", phase="waking")
DONE = httpx.Response(200, json=job(completed_at="t"))


def waits(api: FakeApi) -> list[str]:
    return [request.url.params["wait"] for request in api.requests]


def test_waiting_for_a_job_follows_retry_after(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Turned(monkeypatch)
    waiting = [httpx.Response(200, json=OPEN, headers={"Retry-After": told}) for told in ("15", "2")]
    api, seen = FakeApi(*waiting, httpx.Response(200, json={**OPEN, "phase": "running"}), DONE), list[Any]()
    with api.client() as darkroom:
        assert darkroom.settled(JOB, 600, lambda job: seen.append(job["phase"]))["status"] == "succeed"
    assert seen == ["waking", "waking", "running"]
    assert waits(api) == ["20"] * 4
    assert 15 <= clock.pauses[0] <= 15 * 1.3
    assert 2 <= clock.pauses[1] <= 2 * 1.3
    # The API itself has waited for the job that runs.
    assert clock.pauses[2:] == [0]


@pytest.mark.parametrize(
    ("told", "least", "most"),
    [("0", 1, 1.3), ("-3", 1, 1.3), ("soon", 1, 1.3), ("nan", 1, 1.3), ("inf", 1, 1.3), ("86400", 60, 78)],
)
def test_a_strange_retry_after_neither_makes_a_hot_loop_nor_stops_the_client(
    monkeypatch: pytest.MonkeyPatch, told: str, least: float, most: float
) -> None:
    clock = Turned(monkeypatch)
    api = FakeApi(httpx.Response(200, json=OPEN, headers={"Retry-After": told}), DONE)
    with api.client() as darkroom:
        darkroom.settled(JOB, 600)
    assert least <= clock.pauses[0] <= most


def test_waiting_ends_at_its_own_deadline_with_a_last_look(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Turned(monkeypatch)
    api = FakeApi(httpx.Response(200, json=OPEN, headers={"Retry-After": "15"}))
    with api.client() as darkroom, pytest.raises(TimeoutError, match="after 40 seconds"):
        darkroom.settled(JOB, 40)
    assert clock.now == pytest.approx(1040)
    assert waits(api)[-1] == "0"
    assert len(api.requests) <= 4


def test_a_job_that_has_ended_is_found_without_any_time_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    Turned(monkeypatch)
    with FakeApi(DONE).client() as darkroom:
        assert darkroom.settled(JOB, 0)["id"] == JOB
    with FakeApi(httpx.Response(200, json=OPEN)).client() as darkroom, pytest.raises(TimeoutError):
        darkroom.settled(JOB, 0)


def test_ctrl_c_ends_the_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupted)
    api = FakeApi(httpx.Response(200, json=OPEN, headers={"Retry-After": "15"}))
    with api.client() as darkroom, pytest.raises(KeyboardInterrupt):
        darkroom.settled(JOB, 600)
    assert len(api.requests) == 1


def test_a_refusal_has_the_code_and_the_text_of_the_server() -> None:
    fields = [{"loc": ["body", "type"], "msg": "is missing"}]
    problem = {"code": "invalid_request", "detail": "type: is missing", "errors": fields}
    with FakeApi(httpx.Response(422, json=problem)).client() as darkroom, pytest.raises(Refused) as refused:
        darkroom.submit({})
    assert (refused.value.status, refused.value.code) == (422, "invalid_request")
    assert (refused.value.detail, list(refused.value.errors)) == ("type: is missing", fields)


@pytest.mark.parametrize("answer", ["<html>", "[]", '{"version": "1"}'])
def test_an_answer_that_is_not_from_darkroom_is_recognized(answer: str) -> None:
    with FakeApi(httpx.Response(200, text=answer)).client() as darkroom, pytest.raises(NotDarkroom):
        darkroom.ping()


def test_all_pages_of_the_history_are_read_with_the_same_filters() -> None:
    page = {"jobs": [job()], "next": "page-2"}
    api = FakeApi(httpx.Response(200, json=page), httpx.Response(200, json={**page, "next": None}))
    with api.client() as darkroom:
        assert len(list(darkroom.history(status=["fail", "succeed"], from_="2026-01-01"))) == 2
    query = "status=fail&status=succeed&from=2026-01-01"
    assert [request.url.query.decode() for request in api.requests] == [query, f"{query}&before=page-2"]


@pytest.mark.parametrize("byte_order_mark", ["", "\ufeff"])
def test_the_csv_of_all_pages_has_one_header_and_no_byte_order_mark(byte_order_mark: str) -> None:
    link = {"Content-Type": "text/csv; charset=utf-8", "Link": '<?q=%E6%A1%9C&before=fur+ther>; rel="next"'}
    first = f'{byte_order_mark}id,prompt\r\n1,"two\r\nlines, 桜"\r\n'
    api = FakeApi(
        httpx.Response(200, content=first.encode(), headers=link),
        httpx.Response(200, content=b"id,prompt\r\n2,x\r\n", headers={"Content-Type": "text/csv"}),
    )
    with api.client() as darkroom:
        rows = list(darkroom.history_rows(q="桜"))
    assert rows == [["id", "prompt"], ["1", "two\r\nlines, 桜"], ["2", "x"]]
    assert [request.url.params.get("before") for request in api.requests] == [None, "fur ther"]
    assert api.requests[1].url.params["q"] == "桜"


def picture(number: int, content: bytes, suffix: str = ".png") -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    return {
        "url": f"https://s3.example.com/{number}?signed",
        "key": f"jobs/x/output/{number}{suffix}",
        "sha256": digest,
    }


def test_pictures_are_saved_byte_for_byte_and_replace_no_file(tmp_path: Path) -> None:
    api = FakeApi(httpx.Response(200, content=b"one"), httpx.Response(200, content=b"two"))
    finished: Any = job(images=[picture(0, b"one"), picture(1, b"two", ".webp")])
    with api.client() as darkroom:
        paths = darkroom.save_pictures(finished, tmp_path / "new")
        assert [path.name for path in paths] == [f"{JOB}-1.png", f"{JOB}-2.webp"]
        assert [path.read_bytes() for path in paths] == [b"one", b"two"]
        count = len(api.requests)
        paths[0].unlink()
        with pytest.raises(Failure, match="is there already"):
            darkroom.save_pictures(finished, tmp_path / "new")
        assert (len(api.requests), paths[0].exists()) == (count, False)
    assert all("Authorization" not in request.headers for request in api.requests)


def test_a_picture_with_another_digest_is_not_saved(tmp_path: Path) -> None:
    finished: Any = job(images=[picture(0, b"whole")])
    with FakeApi(httpx.Response(200, content=b"half")).client() as darkroom, pytest.raises(Failure, match="try again"):
        darkroom.save_pictures(finished, tmp_path)
    assert list(tmp_path.iterdir()) == []
