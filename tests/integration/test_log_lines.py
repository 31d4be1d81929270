"""Every line that is written for a request says for which one, and, once that is known, for which job."""

import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from darkroom import ids, logs
from darkroom.edge.log import logger
from tests.support.events import completed, deliver, manifest, progress
from tests.support.http import Context, call
from tests.support.lines import written
from tests.support.stage import Stage

JOB = {"type": "txt2img", "checkpoint": "v1-5.safetensors", "parameters": {"prompt": "a pier"}}
UNKNOWN = "01900000-0000-7000-8000-000000000000"


@pytest.fixture(autouse=True)
def _no_job_left() -> Iterator[None]:
    """Other tests call services outside of any request, where nothing forgets the job."""
    with logs.job(None):
        yield


def keys(lines: list[dict[str, Any]]) -> list[tuple[Any, Any, Any]]:
    return [(line["message"], line.get("request_id"), line.get("job_id")) for line in lines if "_aws" not in line]


def test_each_line_of_a_request_carries_its_id_and_the_next_request_has_its_own(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(_: Any) -> Any:
        raise ValueError("a pier")

    monkeypatch.setattr(stage.services.dispatcher, "dispatch", breaks)
    with written() as lines:
        first = call("POST", "/jobs", JOB, request_id="req-1").json["id"]
        second = call("POST", "/jobs", JOB, request_id="req-2").json["id"]
        call("GET", "/jobs", request_id="req-3")
    told = "was not handed over: ValueError"
    assert keys(lines) == [
        (f"job {first} {told}", "req-1", first),
        ("request", "req-1", first),
        (f"job {second} {told}", "req-2", second),
        ("request", "req-2", second),
        ("request", "req-3", None),
    ]


def test_a_job_in_the_path_stands_in_the_lines_of_its_request_and_other_words_there_do_not(stage: Stage) -> None:
    with written() as lines:
        call("GET", f"/jobs/{UNKNOWN}", request_id="req-1")
        call("GET", "/jobs/a-prompt-by-mistake", request_id="req-2")
    assert keys(lines) == [("request", "req-1", UNKNOWN), ("request", "req-2", None)]


def test_the_same_idempotency_key_again_is_written_with_the_job_that_it_made(stage: Stage) -> None:
    first = call("POST", "/jobs", JOB, headers={"Idempotency-Key": "once"}).json["id"]
    with written() as lines:
        call("POST", "/jobs", JOB, headers={"Idempotency-Key": "once"}, request_id="req-2")
    assert keys(lines) == [("request", "req-2", first)]


def test_a_request_that_breaks_is_written_with_its_id_and_leaves_nothing_to_the_next(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: Any, **__: Any) -> Any:
        raise ValueError("a pier")

    monkeypatch.setattr(stage.services.jobs, "wait_for", breaks)
    with written() as lines:
        assert call("GET", f"/jobs/{UNKNOWN}", request_id="req-1").status == 500
        logger().info("between requests")
        call("GET", "/ping", request_id="req-2")
    assert keys(lines) == [
        ("fault", "req-1", UNKNOWN),
        ("request", "req-1", UNKNOWN),
        ("between requests", None, None),
        ("request", "req-2", None),
    ]


def test_each_message_of_a_batch_is_written_with_its_own_job(stage: Stage) -> None:
    first, second = (call("POST", "/jobs", JOB).json["id"] for _ in range(2))
    with written() as lines:
        failed = deliver(progress(first, 0.5), "no message", completed(second, manifest(second)))
    assert failed == ["1"]
    assert keys(lines) == [
        ("message", Context.aws_request_id, first),
        ("message failed", Context.aws_request_id, None),
        ("message", Context.aws_request_id, second),
    ]


def test_threads_share_the_request_and_keep_their_jobs_apart() -> None:
    here, there = ids.new_id(), ids.new_id()
    feature = logging.getLogger("darkroom.a_feature")

    def look() -> None:
        with logs.job(there):
            feature.warning("there")

    with written() as lines, logs.request("req-1"):
        logs.note_job(here)
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        feature.warning("here")
    assert keys(lines) == [("there", "req-1", there), ("here", "req-1", here)]


def test_the_sweepers_lines_and_metrics_carry_its_id(stage: Stage) -> None:
    from functions.sweeper.handler import handler

    with written() as lines:
        handler({}, Context())
    assert [line["message"] for line in lines if "message" in line] == ["round"] * 4
    assert {line["request_id"] for line in lines} == {Context.aws_request_id}


def test_every_line_names_its_function(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "jobs_api")
    with written() as lines:
        logger()
        logging.getLogger("darkroom.a_feature").warning("words")
    assert lines[0]["service"] == "jobs_api"
