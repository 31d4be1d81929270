"""SageMaker says in its answer to the invoke where it puts the result: that place counts, wherever it was asked to."""

import json
from typing import Any

import pytest

from darkroom.jobs.model import answer_key
from tests.support.aws import TIMEOUTS
from tests.support.events import completed, deliver, manifest, put_picture
from tests.support.http import call
from tests.support.stage import Stage

BODY = {"type": "txt2img", "checkpoint": "v1-5.safetensors", "parameters": {"prompt": "a lighthouse"}}
KEY = "jobs/7f3a.out"
ELSEWHERE = f"s3://pictures/{KEY}"


@pytest.fixture
def job_id(stage: Stage) -> str:
    stage.sagemaker.elsewhere = ELSEWHERE
    return str(call("POST", "/jobs", BODY).json["id"])


def put_answer(stage: Stage, job_id: str) -> None:
    put_picture(f"jobs/{job_id}/output/0.png")
    stage.s3.put_object(Bucket="pictures", Key=KEY, Body=json.dumps(manifest(job_id)).encode())


def notice(job_id: str, told: bool) -> dict[str, Any]:
    """SageMaker's message without the answer; with or without the place of it."""
    message = completed(job_id)
    message["responseParameters"] = {"outputLocation": ELSEWHERE} if told else {}
    return message


def status(job_id: str) -> str:
    return str(call("GET", f"/jobs/{job_id}").json["status"])


@pytest.mark.parametrize("told", [True, False])
def test_a_callback_reads_the_answer_where_it_is(stage: Stage, job_id: str, told: bool) -> None:
    put_answer(stage, job_id)
    assert deliver(notice(job_id, told)) == []
    assert status(job_id) == "succeed"


def test_a_callback_before_the_mark_reads_it_too(stage: Stage) -> None:
    def overtake(job_id: str) -> None:
        put_answer(stage, job_id)
        deliver(notice(job_id, told=True))

    stage.sagemaker.elsewhere, stage.sagemaker.before_answer = ELSEWHERE, overtake
    job_id = call("POST", "/jobs", BODY).json["id"]
    assert status(job_id) == "succeed"
    call("DELETE", f"/jobs/{job_id}")
    assert stage.objects() == []


def test_a_message_cannot_name_a_place_where_no_worker_may_write(stage: Stage, job_id: str) -> None:
    stage.s3.put_object(Bucket="pictures", Key="images/bob/x", Body=json.dumps({"caption": "secret"}).encode())
    for place in ("s3://pictures/images/bob/x", "s3://models/jobs/x", "https://elsewhere/jobs/x", "jobs"):
        message = completed(job_id)
        message["responseParameters"] = {"outputLocation": place}
        deliver(message)
    assert call("GET", f"/jobs/{job_id}").json["error"]["code"] == "answer_missing"


def test_the_sweeper_finds_it(stage: Stage, job_id: str) -> None:
    put_answer(stage, job_id)
    now = stage.adapters.clock
    stage.configure(lambda: now() + TIMEOUTS.settle_after + 1, threads=1)
    assert stage.services.job_sweep.run(lambda: 100.0)["succeed"] == 1
    assert status(job_id) == "succeed"


def test_the_deletion_of_an_endpoint_leaves_a_job_whose_answer_is_there(stage: Stage, job_id: str) -> None:
    put_answer(stage, job_id)
    assert stage.services.open_jobs.fail("darkroom-test-a", "endpoint_deleted", "It was deleted.") == 0
    deliver(notice(job_id, told=True))
    assert status(job_id) == "succeed"


def test_a_delete_takes_it_along(stage: Stage, job_id: str) -> None:
    put_answer(stage, job_id)
    deliver(notice(job_id, told=True))
    assert call("DELETE", f"/jobs/{job_id}").status == 204
    assert stage.objects() == []


@pytest.mark.parametrize("call_of", [("POST", "/jobs/{}/cancel"), ("DELETE", "/jobs/{}")])
def test_what_is_painted_after_a_cancel_or_a_delete_goes_with_its_message(
    stage: Stage, job_id: str, call_of: tuple[str, str]
) -> None:
    method, path = call_of
    call(method, path.format(job_id))
    put_answer(stage, job_id)
    assert deliver(completed(job_id, manifest(job_id))) == []
    assert stage.objects() == []


def test_the_sweeper_tidies_it_after_a_cancel_that_nobody_answered(stage: Stage, job_id: str) -> None:
    call("POST", f"/jobs/{job_id}/cancel")
    put_answer(stage, job_id)
    now = stage.adapters.clock
    stage.configure(lambda: now() + TIMEOUTS.forgotten + 60, threads=1)
    stage.services.job_sweep.run(lambda: 100.0)
    assert stage.objects() == []


def told(lines: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, lines.splitlines()) if "answers_elsewhere" in line]


def test_it_is_said_once_for_each_endpoint_and_not_for_each_job(
    stage: Stage, job_id: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    stage.configure()
    for _ in range(3):
        call("POST", "/jobs", BODY)
    (warning,) = [
        record for record in caplog.records if "elsewhere" in record.message and record.levelname == "WARNING"
    ]
    assert "darkroom-test-a" in warning.message
    assert ELSEWHERE in warning.message
    (metric,) = told(capsys.readouterr().out)
    assert (metric["answers_elsewhere"], metric["stage"]) == ([1.0], "test")
    assert metric["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["stage"]]


def test_nothing_is_said_while_answers_go_where_they_are_asked(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    made = call("POST", "/jobs", BODY).json["id"]
    assert told(capsys.readouterr().out) == []
    job = stage.adapters.store.get(made)
    assert job is not None
    assert job.output_location == f"s3://pictures/{answer_key(made)}"
