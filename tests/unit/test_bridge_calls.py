"""One call is one job: what becomes of it when clients break off, repeat, interrupt, or are many."""

import base64
import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests.support.bridges import begun
from tests.support.waiting import eventually
from tests.unit.bridge_stage import PICTURE, FakeDarkroom, bridge

TXT2IMG = "/sdapi/v1/txt2img"
LONG, SHORT = 3600.0, 0.2
"""A grace that no test lives to see, and one that is over soon."""


@pytest.fixture
def darkroom() -> FakeDarkroom:
    return FakeDarkroom(held=True)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(60) as threads:
        yield threads


def address(http: httpx.Client) -> str:
    return str(http.base_url).rstrip("/")


def statuses(darkroom: FakeDarkroom) -> list[str]:
    return [job["status"] for job in darkroom.jobs.values()]


def ask(pool: ThreadPoolExecutor, http: httpx.Client, **said: Any) -> "Future[httpx.Response]":
    return pool.submit(http.post, TXT2IMG, json={"prompt": "a pier", **said})


def test_a_job_whose_client_broke_off_is_cancelled_after_the_grace(darkroom: FakeDarkroom) -> None:
    with bridge(darkroom, grace=SHORT) as webui:
        client = begun(address(webui), TXT2IMG, {"prompt": "a pier"})
        darkroom.wait_for_jobs(1)
        client.close()
        eventually(lambda: statuses(darkroom) == ["cancelled"])


def test_the_same_request_gets_the_job_of_the_client_that_broke_off(
    darkroom: FakeDarkroom, pool: ThreadPoolExecutor
) -> None:
    with bridge(darkroom, grace=LONG) as webui:
        client = begun(address(webui), TXT2IMG, {"prompt": "a pier", "steps": 4, "force_task_id": "one"})
        [job] = darkroom.wait_for_jobs(1)
        client.close()
        eventually(lambda: clients(webui) == 0)
        repeat = ask(pool, webui, steps=4, force_task_id="two")
        eventually(lambda: clients(webui) == 1)
        darkroom.end(job)
        assert len(repeat.result().json()["images"]) == 1
        assert list(darkroom.jobs) == [job]


def test_a_client_that_breaks_off_the_repeat_too_starts_the_grace_anew(darkroom: FakeDarkroom) -> None:
    with bridge(darkroom, grace=SHORT * 10) as webui:
        for _ in range(2):
            client = begun(address(webui), TXT2IMG, {"prompt": "a pier"})
            eventually(lambda: clients(webui) == 1)
            darkroom.wait_for_jobs(1)
            client.close()
            eventually(lambda: clients(webui) == 0)
        eventually(lambda: statuses(darkroom) == ["cancelled"])


def clients(webui: httpx.Client) -> int:
    """How many clients wait for an open job."""
    size: int = webui.get("/internal/pending-tasks").json()["size"]
    return size


def test_a_repeat_gets_the_result_of_a_job_that_ended_meanwhile(darkroom: FakeDarkroom) -> None:
    with bridge(darkroom, grace=LONG) as webui:
        client = begun(address(webui), TXT2IMG, {"prompt": "a pier", "steps": 4})
        [job] = darkroom.wait_for_jobs(1)
        client.close()
        eventually(lambda: clients(webui) == 0)
        darkroom.end(job)
        eventually(lambda: webui.get("/sdapi/v1/progress").json()["state"]["job_count"] == 0)
        answer = webui.post(TXT2IMG, json={"steps": 4, "prompt": "a pier"})
        assert base64.b64decode(answer.json()["images"][0]) == PICTURE
        assert list(darkroom.jobs) == [job]


def test_another_request_does_not_get_it(darkroom: FakeDarkroom) -> None:
    with bridge(darkroom, grace=LONG) as webui:
        client = begun(address(webui), TXT2IMG, {"prompt": "a pier", "seed": 1})
        darkroom.wait_for_jobs(1)
        client.close()
        eventually(lambda: clients(webui) == 0)
        darkroom.held = False
        assert webui.post(TXT2IMG, json={"prompt": "a pier", "seed": 2}).status_code == 200
        other = {"Authorization": "Bearer b-key"}
        assert webui.post(TXT2IMG, json={"prompt": "a pier", "seed": 1}, headers=other).status_code == 200
        assert [job["owner"] for job in darkroom.jobs.values()] == ["anna", "anna", "ben"]


def test_two_equal_requests_that_are_both_alive_are_two_jobs(darkroom: FakeDarkroom, pool: ThreadPoolExecutor) -> None:
    with bridge(darkroom) as webui:
        answers = [ask(pool, webui, seed=1), ask(pool, webui, seed=1)]
        for job in darkroom.wait_for_jobs(2):
            darkroom.end(job)
        assert [answer.result().status_code for answer in answers] == [200, 200]


def test_a_repeat_after_a_lost_answer_makes_no_second_job(
    darkroom: FakeDarkroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darkroom_client.retry.FIRST_PAUSE", 0)
    with bridge(darkroom) as webui:
        darkroom.held, darkroom.broken = False, True
        lost = webui.post(TXT2IMG, json={"prompt": "a pier"})
        assert (lost.status_code, lost.json()["error"]) == (500, "ReadError")
        darkroom.broken = False
        assert webui.post(TXT2IMG, json={"prompt": "a pier"}).status_code == 200
        assert len(darkroom.jobs) == 1


def test_interrupt_cancels_the_newest_call_and_it_answers_without_pictures(
    darkroom: FakeDarkroom, pool: ThreadPoolExecutor
) -> None:
    with bridge(darkroom) as webui:
        first = ask(pool, webui, seed=1)
        darkroom.wait_for_jobs(1)
        second = ask(pool, webui, seed=2)
        older, newer = darkroom.wait_for_jobs(2)
        eventually(lambda: clients(webui) == 2)
        assert webui.post("/sdapi/v1/interrupt").json() == {}
        answer = second.result()
        assert (answer.status_code, answer.json()["images"]) == (200, [])
        assert json.loads(answer.json()["info"])["all_seeds"] == [2]
        assert statuses(darkroom) == ["in_progress", "cancelled"]
        darkroom.end(older)
        assert len(first.result().json()["images"]) == 1
        assert newer


def test_interrupt_and_progress_mean_nobody_elses_call(darkroom: FakeDarkroom, pool: ThreadPoolExecutor) -> None:
    with bridge(darkroom) as webui, elsewhere(webui) as neighbour:
        mine = ask(pool, webui, force_task_id="mine")
        [job] = darkroom.wait_for_jobs(1)
        ben = {"Authorization": "Basic " + base64.b64encode(b"anybody:b-key").decode()}
        for interrupted in (
            neighbour.post("/sdapi/v1/interrupt"),
            webui.post("/sdapi/v1/interrupt", headers=ben),
            webui.post("/sdapi/v1/interrupt", json={"force_task_id": "another"}),
        ):
            assert interrupted.json() == {}
        assert neighbour.get("/sdapi/v1/progress").json()["state"]["job_count"] == 0
        assert webui.get("/sdapi/v1/progress", headers=ben).json()["state"]["job_count"] == 0
        assert statuses(darkroom) == ["in_progress"]
        assert webui.get("/sdapi/v1/progress?force_task_id=mine").json()["state"]["job_count"] == 1
        webui.post("/sdapi/v1/interrupt", json={"force_task_id": "mine"})
        assert mine.result().json()["images"] == []
        assert darkroom.jobs[job]["status"] == "cancelled"


@contextmanager
def elsewhere(webui: httpx.Client) -> Iterator[httpx.Client]:
    """A client at another address, of this machine too."""
    transport = httpx.HTTPTransport(local_address="127.0.0.2")
    with httpx.Client(base_url=webui.base_url, transport=transport, timeout=60) as http:
        yield http


def test_skip_ends_a_call_of_one_batch_and_cannot_leave_out_one_of_several(
    darkroom: FakeDarkroom, pool: ThreadPoolExecutor
) -> None:
    with bridge(darkroom) as webui:
        several = ask(pool, webui, n_iter=3)
        [job] = darkroom.wait_for_jobs(1)
        assert webui.post("/sdapi/v1/skip").status_code == 501
        darkroom.end(job)
        assert len(several.result().json()["images"]) == 3
        one = ask(pool, webui)
        darkroom.wait_for_jobs(2)
        assert webui.post("/sdapi/v1/skip").json() is None
        assert one.result().json()["images"] == []


def test_progress_tells_the_forecast_while_the_endpoint_wakes_and_then_the_share(
    darkroom: FakeDarkroom, pool: ThreadPoolExecutor
) -> None:
    with bridge(darkroom) as webui:
        answer = ask(pool, webui, n_iter=2, steps=10, force_task_id="mine")
        [job] = darkroom.wait_for_jobs(1)
        told = eventually(lambda: waiting(webui))
        assert (told["progress"], told["state"]["job_count"]) == (0, 2)
        assert told["textinfo"] == "preview sleeps, and the job wakes it. The last wake-ups took 40 s."
        darkroom.jobs[job] |= {"phase": "a phase of tomorrow", "phase_detail": "It is new."}
        told = eventually(lambda: (told := waiting(webui))["textinfo"] == "It is new." and told)
        assert told["progress"] == 0
        expected = {"median": 184.0, "ninth_decile": 271.0, "wake_ups": 10}
        darkroom.jobs[job] |= {"phase": "waking", "forecast": expected, "place": 2}
        usual = "The first picture usually takes 3 min, nearly always under 5 min. 2 jobs are before it."
        assert eventually(lambda: waiting(webui)["textinfo"] == f"It is new. {usual}")
        darkroom.jobs[job] |= {"forecast": None, "place": None}
        darkroom.begin(job, 0.75)
        told = eventually(lambda: (told := waiting(webui))["progress"] and told)
        assert (told["progress"], told["state"]["job_no"], told["state"]["sampling_step"]) == (0.75, 1, 5)
        assert told["eta_relative"] > 0
        by_task = webui.post("/internal/progress", json={"id_task": "mine"}).json()
        assert (by_task["active"], by_task["completed"], by_task["progress"]) == (True, False, 0.75)
        darkroom.end(job)
        assert answer.result().status_code == 200
        told = webui.get("/sdapi/v1/progress").json()
        assert (told["progress"], told["state"]["job_count"], told["textinfo"]) == (0, 0, None)


def waiting(webui: httpx.Client) -> dict[str, Any]:
    told: dict[str, Any] = webui.get("/sdapi/v1/progress").json()
    return told if told["textinfo"] != "The job is being handed in." else {}


def test_fifty_clients_are_served_at_once_and_none_waits_for_another(
    darkroom: FakeDarkroom, pool: ThreadPoolExecutor
) -> None:
    with bridge(darkroom) as webui:
        webui.get("/sdapi/v1/options")
        answers = {number: ask(pool, webui, seed=number) for number in range(50)}
        jobs = {darkroom.jobs[job]["parameters"]["seed"]: job for job in darkroom.wait_for_jobs(50)}
        darkroom.end(jobs[17])
        assert json.loads(answers[17].result().json()["info"])["seed"] == 17
        assert not any(answer.done() for number, answer in answers.items() if number != 17)
        # The open jobs are listed, and not each of them looked at: all looks together are fewer than there are jobs.
        eventually(lambda: darkroom.requests.count("GET /jobs") >= 5, seconds=60)
        assert sum(asked.startswith("GET /jobs/") for asked in darkroom.requests) < 50
        for number in range(50):
            darkroom.end(jobs[number])
        assert {answer.result().status_code for answer in answers.values()} == {200}


def test_a_key_that_is_withdrawn_ends_the_waiting(darkroom: FakeDarkroom, pool: ThreadPoolExecutor) -> None:
    with bridge(darkroom) as webui:
        answer = ask(pool, webui)
        darkroom.wait_for_jobs(1)
        del darkroom.owners["a-key"]
        assert answer.result().status_code == 401
        assert webui.get("/sdapi/v1/options").status_code == 401


def test_a_job_that_somebody_deleted_ends_the_waiting(darkroom: FakeDarkroom, pool: ThreadPoolExecutor) -> None:
    with bridge(darkroom) as webui:
        answer = ask(pool, webui)
        [job] = darkroom.wait_for_jobs(1)
        with darkroom.lock:
            del darkroom.jobs[job]
        assert (answer.result().status_code, "deleted" in answer.result().json()["detail"]) == (500, True)


def test_a_bridge_that_stops_cancels_what_is_open(
    darkroom: FakeDarkroom, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darkroom_bridge.server.STOP_SECONDS", 1)
    with bridge(darkroom) as webui:
        answer = ask(pool, webui)
        darkroom.wait_for_jobs(1)
    assert statuses(darkroom) == ["cancelled"]
    assert isinstance(answer.exception(), httpx.TransportError) or answer.result().status_code >= 400


def test_a_job_that_darkroom_did_not_answer_for_is_handed_in_again_under_the_same_key(
    darkroom: FakeDarkroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darkroom_bridge.calls._PAUSES", (0, 0))
    handed_in: list[str] = []
    handle = darkroom.handle

    def times_out(request: httpx.Request) -> httpx.Response:
        answer = handle(request)
        if request.method == "POST" and request.url.path.endswith("/jobs"):
            handed_in.append(request.headers["idempotency-key"])
            return answer if len(handed_in) == 3 else httpx.Response(504, json={"code": "no_answer", "detail": "Late."})
        return answer

    darkroom.handle = times_out  # type: ignore[method-assign]
    darkroom.held = False
    with bridge(darkroom) as webui:
        assert webui.post(TXT2IMG, json={"prompt": "a pier"}).status_code == 200
    assert (len(handed_in), len(set(handed_in)), len(darkroom.jobs)) == (3, 1, 1)


def test_a_key_that_must_slow_down_does_not_hold_up_another(darkroom: FakeDarkroom, pool: ThreadPoolExecutor) -> None:
    slow = threading.Event()
    handle = darkroom.handle

    def waits(request: httpx.Request) -> httpx.Response:
        if request.method == "POST" and request.headers["authorization"] == "Bearer a-key":
            slow.wait(60)
        return handle(request)

    darkroom.handle = waits  # type: ignore[method-assign]
    darkroom.held = False
    with bridge(darkroom) as webui:
        waiting = [ask(pool, webui, seed=seed) for seed in range(30)]
        ben = webui.post(TXT2IMG, json={"prompt": "a pier"}, headers={"Authorization": "Bearer b-key"})
        assert ben.status_code == 200
        assert not any(answer.done() for answer in waiting)
        slow.set()
        assert {answer.result().status_code for answer in waiting} == {200}
