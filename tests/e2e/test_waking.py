"""Endpoints wake and fall asleep without any alarm, where every call is held to its caller's permissions."""

import time
from collections.abc import Iterator

import pytest

from bench.stage import Stage
from tests.e2e.conftest import Running, txt2img
from tests.e2e.test_endpoints import simulator
from tests.support.waiting import eventually

NAME = "darkroom-local-waking"
SOON = {"DARKROOM_SLEEP_AFTER_SECONDS_LEAST": "2", "DARKROOM_SLEEP_AFTER_SECONDS_MOST": "2"}
CONCERNED = ("jobs_api", "scaler", "endpoint_events")
SMALL = {**txt2img(width=64, height=64), "endpoint": NAME}
POST_SECONDS = 2.0
"""From the request for a job to the instance that is asked for."""


@pytest.fixture(params=["count", "bounds"])
def waking(darkroom: Running, request: pytest.FixtureRequest) -> Iterator[Running]:
    """A stage whose endpoints sleep after two seconds, with one that nothing wakes but Darkroom's own calls."""
    eventually(lambda: NAME not in there(darkroom))
    stage = Stage(darkroom.stack)
    before = {function: stage.environment(function) for function in CONCERNED}
    darkroom.knobs(alarms=False, waking_seconds=1.0)
    for function, variables in before.items():
        stage.set_environment(function, {**variables, **SOON, "DARKROOM_WAKE_BY": request.param})
    try:
        darkroom.command("endpoints", "create", "waking")
        eventually(lambda: darkroom.client.request("GET", f"/endpoints/{NAME}")["scaling"])
        yield darkroom
    finally:
        for function, variables in before.items():
            stage.set_environment(function, variables)
        darkroom.client.request("DELETE", f"/endpoints/{NAME}")
        eventually(lambda: NAME not in there(darkroom))


def there(darkroom: Running) -> list[str]:
    found = simulator(darkroom, "sagemaker").list_endpoints(NameContains=NAME)["Endpoints"]
    return [endpoint["EndpointName"] for endpoint in found]


def state(darkroom: Running) -> tuple[str, int]:
    """The endpoint's status, and how many instances it is to have."""
    found = simulator(darkroom, "sagemaker").describe_endpoint(EndpointName=NAME)
    return found["EndpointStatus"], found["ProductionVariants"][0]["DesiredInstanceCount"]


def scale(darkroom: Running) -> tuple[str, int]:
    """One round of the scaler, as its schedule would call it; the endpoint's state then."""
    answer = darkroom.aws("lambda").invoke(FunctionName=darkroom.function("scaler"), Payload=b"{}")
    assert "FunctionError" not in answer, answer["Payload"].read()
    return state(darkroom)


def test_a_job_wakes_it_at_once_and_it_sleeps_again_and_again(waking: Running) -> None:
    for number in range(2):
        eventually(lambda: scale(waking) == ("InService", 0))
        waking.client.request("GET", "/jobs")
        began = time.monotonic()
        job = waking.client.submit(SMALL)
        _, desired = state(waking)
        assert (desired, time.monotonic() - began < POST_SECONDS) == (1, True)
        assert waking.client.settled(job["id"], 30)["status"] == "succeed"
        # Its job is over, but not for long enough.
        assert number or state(waking)[1] == 1
    eventually(lambda: scale(waking)[1] == 0)
    # A job that comes while the endpoint falls asleep wakes it, as soon as it has. On a slow machine it may have fallen
    # asleep by now; tests/unit/test_instances.py holds each order of events.
    late = waking.client.submit(SMALL)
    assert waking.client.settled(late["id"], 30)["status"] == "succeed"
    shown = waking.client.request("GET", f"/endpoints/{NAME}")
    assert (shown["min_instances"], shown["max_instances"]) == (0, 1)
