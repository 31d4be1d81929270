"""A job wakes its endpoint: the ledger tells when what was there, and what the next job may expect."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from darkroom.endpoints.model import EndpointDetails, WakeUp
from functions.scaler.handler import handler as scaler
from tests.support.events import completed, deliver, manifest, progress, put_picture
from tests.support.http import Context, call
from tests.support.sagemaker import Details, endpoint
from tests.support.stage import Stage, moto_stage

NAME = "darkroom-test-asleep"
JOB = {
    "type": "txt2img",
    "checkpoint": "v1-5.safetensors",
    "parameters": {"prompt": "a lighthouse"},
    "endpoint": "asleep",
}


class Clock:
    """A clock that stands until it is turned by hand; ids are made by the real one."""

    def __init__(self) -> None:
        self.begun = time.time()
        self.ahead = 0.0

    def __call__(self) -> float:
        return self.begun + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def asleep(clock: Clock) -> Iterator[Stage]:
    """A stage with an endpoint that sleeps."""
    with moto_stage() as stage:
        stage.sagemaker.endpoints[:] = [endpoint(NAME)]
        stage.sagemaker.tagged[NAME] = {"darkroom:min": "0", "darkroom:max": "1"}
        instances(stage, 0)
        stage.configure(clock=clock)
        yield stage


def instances(stage: Stage, number: int) -> None:
    stage.sagemaker.details[NAME] = Details(config=NAME, instances=number)


def submit(stage: Stage) -> str:
    """A job for the endpoint that sleeps; its instance is not there yet."""
    job_id = str(call("POST", "/jobs", JOB).json["id"])
    instances(stage, 0)
    stage.services.endpoints.forget()
    return job_id


def look(stage: Stage) -> dict[str, Any]:
    return dict(stage.services.wake_ups.run(lambda: 100.0))


def rows(stage: Stage) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stage.dynamodb.scan(TableName="usage")["Items"]
    return found


def ledger(stage: Stage) -> list[WakeUp]:
    return stage.services.wake_ups.last(NAME)


def paint(stage: Stage, job_id: str) -> None:
    put_picture(f"jobs/{job_id}/output/0.png")
    assert deliver(completed(job_id, manifest(job_id))) == []


def test_a_job_that_wakes_its_endpoint_is_the_first_line_of_a_wake_up(asleep: Stage) -> None:
    submit(asleep)
    (found,) = ledger(asleep)
    assert (found.instance, found.container, found.picture) == (None, None, None)
    assert look(asleep) == {"noted": 0, "broken": []}


def test_the_rounds_add_the_instance_the_container_and_the_first_picture(asleep: Stage, clock: Clock) -> None:
    job_id = call("POST", "/jobs", JOB).json["id"]
    clock.ahead = 60
    instances(asleep, 1)
    assert look(asleep)["noted"] == 1
    assert look(asleep)["noted"] == 0
    (found,) = ledger(asleep)
    assert found.instance is not None
    assert round(found.instance - found.asked) == 60
    assert (found.container, found.picture) == (None, None)
    clock.ahead = 100
    paint(asleep, job_id)
    clock.ahead = 120
    assert look(asleep)["noted"] == 1
    (found,) = ledger(asleep)
    assert found.container is not None
    assert found.picture is not None
    # The worker told that it was at work for 1.5 seconds.
    assert round(found.picture - found.container, 1) == 1.5
    assert round(found.picture - found.asked) == 100
    assert look(asleep)["noted"] == 0


def test_a_job_that_comes_to_an_endpoint_that_is_kept_awake_tells_nothing_of_its_start(
    asleep: Stage, clock: Clock
) -> None:
    """Else the endpoint would be kept awake for as long after each job as somebody was late in the morning."""
    # Ids are made by the real clock: the endpoint was asked to wake half an hour before the job.
    clock.ahead = -1800
    asleep.services.waker.ask(NAME, "warm")
    clock.ahead = -1740
    instances(asleep, 1)
    assert look(asleep)["noted"] == 1
    paint(asleep, call("POST", "/jobs", JOB).json["id"])
    clock.ahead = 60
    assert look(asleep)["noted"] == 0
    (found,) = ledger(asleep)
    assert found.instance is not None
    assert (found.start, found.picture) == (pytest.approx(60), None)


def test_what_the_worker_tells_of_its_beginning_counts_unless_it_cannot_be(asleep: Stage, clock: Clock) -> None:
    job_id = call("POST", "/jobs", JOB).json["id"]
    deliver(progress(job_id, 0.1))
    instances(asleep, 1)
    clock.ahead = 30
    look(asleep)
    (found,) = ledger(asleep)
    told = asleep.services.jobs.find(job_id).started_at
    assert told is not None
    assert found.container is None or found.container >= found.asked


def test_jobs_of_an_endpoint_that_is_awake_write_nothing(asleep: Stage) -> None:
    instances(asleep, 1)
    for _ in range(2):
        paint(asleep, call("POST", "/jobs", JOB).json["id"])
    assert look(asleep) == {"noted": 0, "broken": []}
    assert rows(asleep) == []


def test_the_endpoint_shows_its_wake_ups_and_a_waiting_job_what_they_let_expect(asleep: Stage, clock: Clock) -> None:
    store, now = asleep.adapters.wake_up_store, clock()
    for number, seconds in enumerate((200, 100, 300)):
        asked = now - 10_000 * (number + 1)
        done = WakeUp(NAME, asked, asked + seconds - 40, asked + seconds - 20, asked + seconds)
        store.add(done)
        store.complete(done)
    shown = call("GET", "/endpoints/asleep").json
    assert [one["seconds"] for one in shown["wake_ups"]] == [200, 100, 300]
    assert shown["forecast"] == {"median": 200, "ninth_decile": 300, "wake_ups": 3}
    first, second = submit(asleep), submit(asleep)
    waiting = call("GET", f"/jobs/{second}").json
    assert (waiting["phase"], waiting["place"]) == ("waking", 1)
    assert waiting["forecast"] == shown["forecast"]
    assert "180 s, 80 s, 280 s" in waiting["phase_detail"]
    assert call("GET", f"/jobs/{first}").json["place"] == 0
    paint(asleep, first)
    assert call("GET", f"/jobs/{second}").json["place"] == 0
    ended = call("GET", f"/jobs/{first}").json
    assert (ended["place"], ended["forecast"]) == (None, None)


def test_a_job_in_line_says_its_place_and_no_forecast(asleep: Stage) -> None:
    instances(asleep, 1)
    for place in range(3):
        job_id = call("POST", "/jobs", JOB).json["id"]
        shown = call("GET", f"/jobs/{job_id}").json
        assert (shown["phase"], shown["place"], shown["forecast"]) == ("in_line", place, None)


def test_the_time_that_starts_take_here_is_what_the_ledger_tells(asleep: Stage, clock: Clock) -> None:
    asleep.scaling.woke[NAME] = [999.0]
    assert asleep.services.endpoints.wakeups(NAME) == [999.0]
    done = WakeUp(NAME, clock() - 5000, clock() - 4900, clock() - 4880, clock() - 4870)
    asleep.adapters.wake_up_store.add(done)
    asleep.adapters.wake_up_store.complete(done)
    asleep.configure(clock=clock)
    (start,) = asleep.services.endpoints.wakeups(NAME)
    assert round(start) == 120


def test_one_endpoint_that_cannot_be_read_keeps_no_other(asleep: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    asleep.sagemaker.endpoints.append(endpoint("darkroom-test-broken"))
    describe = asleep.sagemaker.describe

    def fails(name: str) -> EndpointDetails | None:
        if name == "darkroom-test-broken":
            raise RuntimeError
        return describe(name)

    call("POST", "/jobs", JOB)
    instances(asleep, 1)
    monkeypatch.setattr(asleep.sagemaker, "describe", fails)
    assert look(asleep) == {"noted": 1, "broken": ["darkroom-test-broken: RuntimeError"]}


def test_rows_go_by_themselves(asleep: Stage, clock: Clock) -> None:
    call("POST", "/jobs", JOB)
    (row,) = rows(asleep)
    assert float(row["expires_at"]["N"]) == pytest.approx(clock() + 100 * 86_400, abs=60)
    assert json.dumps(row).count("lighthouse") == 0


def test_the_scaler_looks_once_a_minute(asleep: Stage, clock: Clock) -> None:
    submit(asleep)
    instances(asleep, 1)
    clock.ahead = 45
    scaler({}, Context())
    (found,) = ledger(asleep)
    assert found.instance is not None
    assert round(found.instance - found.asked) == 45
