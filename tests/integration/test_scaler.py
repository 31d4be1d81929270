"""The scaler as its schedule calls it: the handler over real tables, SageMaker in memory."""

from datetime import UTC, datetime, timedelta

import pytest

from darkroom import ids
from darkroom.endpoints.instances import START_SECONDS
from darkroom.endpoints.model import JobSpan
from darkroom.errors import Invalid
from functions.scaler.handler import handler
from tests.support.events import completed, deliver, manifest
from tests.support.http import Context, call
from tests.support.lines import written
from tests.support.sagemaker import Details
from tests.support.stage import Stage

NAME = "darkroom-test-a"
JOB = {"type": "txt2img", "checkpoint": "v1-5.safetensors", "parameters": {"prompt": "a pier"}}


@pytest.fixture
def asleep(stage: Stage) -> Stage:
    """A stage whose endpoint may sleep, and does."""
    stage.sagemaker.tagged[NAME] = {"darkroom:min": "0", "darkroom:max": "1"}
    stage.sagemaker.details[NAME] = Details(instances=0)
    return stage


def instances(stage: Stage) -> int:
    return stage.sagemaker.details[NAME].instances


def scale() -> dict[str, int]:
    """One round; the metrics that it wrote."""
    with written() as lines:
        handler({}, Context())
    (told,) = (line for line in lines if line.get("round") == "instances" and "_aws" in line)
    return {entry["Name"]: told[entry["Name"]][0] for entry in told["_aws"]["CloudWatchMetrics"][0]["Metrics"]}


def test_a_job_wakes_its_endpoint_in_its_own_request(asleep: Stage) -> None:
    assert call("POST", "/jobs", JOB).status == 201
    assert instances(asleep) == 1


def test_a_replay_wakes_its_endpoint_too(asleep: Stage) -> None:
    job = call("POST", "/jobs", JOB).json["id"]
    asleep.sagemaker.details[NAME].instances = 0
    asleep.configure()
    assert call("POST", f"/jobs/{job}/replay").status == 201
    assert instances(asleep) == 1


def test_a_job_is_taken_whatever_becomes_of_the_wake_up(asleep: Stage) -> None:
    asleep.sagemaker.refuses_instances = Invalid("instances_refused", "no")
    with written() as lines:
        reply = call("POST", "/jobs", JOB)
    assert (reply.status, reply.json["status"]) == (201, "in_progress")
    (told,) = (line for line in lines if "instances_refused" in line)
    assert told["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["stage"]]
    assert told["stage"] == "test"
    # The next round asks again.
    asleep.sagemaker.refuses_instances = None
    assert scale() == {"woken": 1, "let_go": 0, "broken": 0, "failed": 0}
    assert instances(asleep) == 1


def test_a_job_that_sagemaker_refuses_wakes_nobody(asleep: Stage) -> None:
    asleep.sagemaker.refuses = "not now"
    assert call("POST", "/jobs", JOB).json["status"] == "fail"
    assert instances(asleep) == 0


def test_it_sleeps_once_its_jobs_are_over_for_long_enough(asleep: Stage) -> None:
    # The start was seen, and took no time here.
    kept = int(START_SECONDS)
    asleep.configure(sleep_after_seconds_least=kept)
    job = call("POST", "/jobs", JOB).json["id"]
    assert scale()["let_go"] == 0
    deliver(completed(job, manifest(job)))
    assert scale()["let_go"] == 0
    later = (datetime.now(UTC) + timedelta(seconds=START_SECONDS + 1)).timestamp()
    asleep.configure(clock=lambda: later, sleep_after_seconds_least=kept)
    assert scale()["let_go"] == 1
    assert instances(asleep) == 0


def test_when_jobs_were_open_is_told_newest_first(asleep: Stage) -> None:
    first, second = (call("POST", "/jobs", JOB).json["id"] for _ in range(2))
    deliver(completed(first, manifest(first)))
    spans = asleep.services.open_jobs.spans(NAME, 10)
    assert [span.created for span in spans] == [ids.created_at(job).timestamp() for job in (second, first)]
    assert (spans[0].ended, spans[1].ended is None) == (None, False)
    assert asleep.services.open_jobs.spans(NAME, 1) == [JobSpan(spans[0].created, None)]
