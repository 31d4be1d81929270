"""The queue of progress: whatever its messages say, they end no job. And what SageMaker sends beside results."""

import json
from typing import Any

import pytest

from tests.support.events import TEST, completed, deliver, deliver_to, expired, failed, manifest, progress
from tests.support.http import call
from tests.support.stage import Stage

BODY = {"type": "txt2img", "checkpoint": "v1-5.safetensors", "parameters": {"prompt": "a lighthouse"}}


@pytest.fixture
def job_id(stage: Stage) -> str:
    return str(call("POST", "/jobs", BODY).json["id"])


def status(job_id: str) -> str:
    return str(call("GET", f"/jobs/{job_id}").json["status"])


@pytest.mark.parametrize(
    "more",
    [
        {"status": "succeed"},
        {"invocationStatus": "Completed"},
        {"images": []},
        {"caption": "a pier"},
        {"error": {"code": "x", "message": "y"}},
        {"responseBody": {"content": "{}"}},
        {"event": "InferenceResult"},
        {"progress": 2},
    ],
)
def test_progress_that_tells_a_result_becomes_a_dead_letter_and_changes_nothing(
    stage: Stage, job_id: str, more: dict[str, Any]
) -> None:
    assert deliver_to("job_progress", progress(job_id, 0.5) | more) == ["0"]
    job = call("GET", f"/jobs/{job_id}").json
    assert (job["status"], job["progress"]) == ("in_progress", None)


def test_a_result_in_the_queue_of_progress_ends_nothing(stage: Stage, job_id: str) -> None:
    messages = [completed(job_id, manifest(job_id)), failed(job_id), expired(job_id)]
    assert deliver_to("job_progress", *messages) == ["0", "1", "2"]
    assert status(job_id) == "in_progress"


def test_fields_that_a_newer_worker_adds_are_ignored(stage: Stage, job_id: str) -> None:
    assert deliver_to("job_progress", progress(job_id, 1.0) | {"step": 20, "preview": "s3://x"}) == []
    assert (status(job_id), call("GET", f"/jobs/{job_id}").json["progress"]) == ("in_progress", 1.0)


def test_a_job_that_waits_for_its_model_files_says_so_until_it_is_painted(stage: Stage, job_id: str) -> None:
    def phase() -> tuple[str, str]:
        # Each phase of this job is one that is waited for; the clock of this stage does not wait.
        job = call("GET", f"/jobs/{job_id}?wait=1").json
        return job["phase"], job["phase_detail"]

    assert deliver_to("job_progress", progress(job_id, 0) | {"loading": 0.404}) == []
    assert phase() == ("loading", "Its model files are loading: 40%.")
    assert deliver_to("job_progress", progress(job_id, 0)) == []
    assert phase()[0] == "running"
    # Messages may come late and out of order.
    assert deliver_to("job_progress", progress(job_id, 0) | {"loading": 0.9}) == []
    assert phase()[0] == "running"


@pytest.mark.parametrize("share", [-0.1, 1.1, "much"])
def test_a_share_of_files_that_is_none_becomes_a_dead_letter(stage: Stage, job_id: str, share: Any) -> None:
    assert deliver_to("job_progress", progress(job_id, 0) | {"loading": share}) == ["0"]


def test_progress_in_the_queue_of_results_is_no_result(stage: Stage, job_id: str) -> None:
    assert deliver_to("job_events", progress(job_id, 0.5)) == ["0"]


def test_a_test_of_the_topic_is_counted_and_is_no_dead_letter(
    stage: Stage, job_id: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    wrapped = {"Type": "Notification", "Message": json.dumps(TEST)}
    assert deliver(TEST, wrapped, completed(job_id, manifest(job_id))) == []
    assert status(job_id) == "succeed"
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["topic_tests"] for line in lines if "topic_tests" in line] == [[1.0], [1.0]]
    assert [record.levelname for record in caplog.records if record.message == "message"] == ["INFO"]


@pytest.mark.parametrize(
    "change",
    [
        {"eventName": "ModelRetired"},
        {"eventName": None},
        {"invocationStatus": "Paused"},
        {"invocationStatus": None},
        {"invocationStatus": ["Completed"]},
    ],
)
def test_anything_else_that_is_unknown_is_a_dead_letter(stage: Stage, job_id: str, change: dict[str, Any]) -> None:
    assert deliver(completed(job_id, manifest(job_id)) | change) == ["0"]
    assert status(job_id) == "in_progress"


@pytest.mark.parametrize(
    "change", [{"eventSource": "aws:s3"}, {"eventSource": None}, {"eventName": "testnotification"}]
)
def test_only_sagemakers_own_test_is_ignored(stage: Stage, change: dict[str, Any]) -> None:
    assert deliver(TEST | change) == ["0"]
