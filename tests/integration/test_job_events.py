"""What the queue brings: results and progress, twice, late, out of order, broken."""

import base64
import itertools
import json
from typing import Any

import pytest

from darkroom import ids
from darkroom.jobs.contract import WorkError
from darkroom.jobs.model import Transition
from tests.support.events import completed, deliver, failed, manifest, progress, put_picture
from tests.support.http import call
from tests.support.pictures import png
from tests.support.stage import Stage


@pytest.fixture
def job_id(stage: Stage) -> str:
    return str(submit()["id"])


def submit() -> dict[str, Any]:
    body = {"type": "txt2img", "checkpoint": "v1-5.safetensors", "parameters": {"prompt": "a lighthouse"}}
    made: dict[str, Any] = call("POST", "/jobs", body).json
    return made


def interrogate(stage: Stage) -> str:
    body = {"type": "interrogate_clip", "images": {"init": stage.upload(png())}}
    return str(call("POST", "/jobs", body).json["id"])


def shown(job_id: str) -> dict[str, Any]:
    found: dict[str, Any] = call("GET", f"/jobs/{job_id}").json
    return found


def test_a_completed_job_succeeds_with_its_pictures(stage: Stage, job_id: str) -> None:
    assert deliver(completed(job_id, manifest(job_id))) == []
    job = shown(job_id)
    assert job["status"] == "succeed"
    assert job["label"].endswith(f"->txt2img->succeed->{job_id}")
    assert job["images"][0]["seed"] == 7
    assert "X-Amz-Signature" in job["images"][0]["url"]
    assert job["infotexts"] == ["a\nSteps: 20"]
    assert job["timings"]["run"] == 1.5
    assert job["completed_at"]
    assert job["duration"] >= 0
    [line] = call("GET", "/jobs").json["jobs"]
    assert line["image_count"] == 1
    assert line["thumbnail"]


def test_a_succeeded_job_leaves_the_open_index(stage: Stage, job_id: str) -> None:
    deliver(completed(job_id, manifest(job_id)))
    [row] = stage.rows()
    assert "status_shard" not in row


def test_the_answer_is_read_from_s3_when_the_message_does_not_hold_it(stage: Stage, job_id: str) -> None:
    key = f"jobs/{job_id}/output/response.json"
    stage.s3.put_object(Bucket="pictures", Key=key, Body=json.dumps(manifest(job_id)).encode())
    put_picture(f"jobs/{job_id}/output/0.png")
    assert deliver(completed(job_id)) == []
    assert shown(job_id)["status"] == "succeed"


@pytest.mark.parametrize("body", [{"content": "text"}, "text", "object", {"message": "text"}])
def test_the_included_answer_is_understood_in_every_form(stage: Stage, job_id: str, body: Any) -> None:
    text = json.dumps(manifest(job_id))
    forms: Any = {"text": text, "object": manifest(job_id)}
    message = completed(job_id)
    put_picture(f"jobs/{job_id}/output/0.png")
    message["responseBody"] = {k: forms[v] for k, v in body.items()} if isinstance(body, dict) else forms[body]
    deliver(message)
    assert shown(job_id)["status"] == "succeed"


def test_a_failed_job_says_why(stage: Stage, job_id: str) -> None:
    assert deliver(failed(job_id)) == []
    job = shown(job_id)
    assert job["status"] == "fail"
    assert job["error"] == {"code": "worker_failed", "message": "ModelError: out of memory"}
    assert job["completed_at"]


def test_a_failure_with_response_parameters_or_without_reason_is_understood(stage: Stage, job_id: str) -> None:
    message = completed(job_id) | {"invocationStatus": "Failed"}
    assert deliver(message) == []
    assert shown(job_id)["error"]["code"] == "worker_failed"


def test_the_workers_own_error_fails_the_job_with_its_code(stage: Stage, job_id: str) -> None:
    deliver(completed(job_id, {"error": {"code": "image_unreadable", "message": "init is broken"}}))
    assert shown(job_id)["error"] == {"code": "image_unreadable", "message": "init is broken"}


def test_a_worker_that_saw_the_cancel_marker_ends_the_job_cancelled(stage: Stage, job_id: str) -> None:
    deliver(completed(job_id, {"error": {"code": "cancelled", "message": "cancelled between steps"}}))
    assert shown(job_id)["status"] == "cancelled"


@pytest.mark.parametrize(
    "answer",
    [
        "garbage",
        "[]",
        "{}",
        '{"images": [{"key": 5}]}',
        '{"images": ["%%%"]}',
        '{"images": ["aGVsbG8="]}',
        '{"images": [], "caption": null}',
        "[" * 5000,
    ],
)
def test_an_answer_that_cannot_be_used_fails_the_job_readably_and_is_not_retried(
    stage: Stage, job_id: str, answer: str
) -> None:
    assert deliver(completed(job_id, answer)) == []
    job = shown(job_id)
    assert (job["status"], job["error"]["code"]) == ("fail", "bad_answer")
    assert "worker" in job["error"]["message"]


def test_an_answer_cannot_show_another_jobs_pictures(stage: Stage, job_id: str) -> None:
    deliver(completed(job_id, manifest(ids.new_id())))
    assert shown(job_id)["error"]["code"] == "bad_answer"


def test_a_plain_webui_answer_is_stored_byte_for_byte(stage: Stage, job_id: str) -> None:
    picture = png(72, 80)
    info = json.dumps({"all_seeds": [11], "infotexts": ["a lighthouse\nSteps: 20"]})
    deliver(completed(job_id, {"images": [base64.b64encode(picture).decode()], "parameters": {}, "info": info}))
    job = shown(job_id)
    assert job["status"] == "succeed"
    [image] = job["images"]
    assert (image["width"], image["height"], image["seed"]) == (72, 80, 11)
    assert image["infotext"] == "a lighthouse\nSteps: 20"
    assert stage.s3.get_object(Bucket="pictures", Key=image["key"])["Body"].read() == picture


def test_a_caption_alone_is_the_result_of_an_interrogation(stage: Stage) -> None:
    job_id = interrogate(stage)
    deliver(completed(job_id, {"caption": "a red square"}))
    job = shown(job_id)
    assert (job["status"], job["caption"], job["image_count"]) == ("succeed", "a red square", 0)


def test_an_answer_that_is_missing_fails_the_job(stage: Stage, job_id: str) -> None:
    assert deliver(completed(job_id)) == []
    assert shown(job_id)["error"]["code"] == "answer_missing"


@pytest.mark.parametrize("begin", range(5))
def test_whatever_the_order_the_first_result_stands_and_nothing_moves_it(stage: Stage, begin: int) -> None:
    for order in itertools.permutations(range(5)):
        if order[0] != begin:
            continue
        job_id = str(submit()["id"])
        messages = [
            progress(job_id, 0.5),
            completed(job_id, manifest(job_id)),
            completed(job_id, manifest(job_id)),
            failed(job_id),
            progress(job_id, 0.9),
        ]
        first = next(n for n in order if n in (1, 2, 3))
        assert deliver(*(messages[n] for n in order)) == [], order
        job = shown(job_id)
        assert job["status"] == ("fail" if first == 3 else "succeed"), order
        assert job["image_count"] == (0 if first == 3 else 1), order
        assert (job["error"] is None) == (first != 3), order


def test_a_result_that_overtakes_the_mark_is_kept(stage: Stage) -> None:
    def overtake(job_id: str) -> None:
        deliver(completed(job_id, manifest(job_id)))

    stage.sagemaker.before_answer = overtake
    job = submit()
    assert job["status"] == "succeed"
    assert shown(job["id"])["status"] == "succeed"


def test_a_result_after_the_deadline_still_counts(stage: Stage, job_id: str) -> None:
    late = Transition("fail", "deadline", error=WorkError(code="timed_out", message="too late"), completed_at="x")
    assert stage.adapters.store.apply(job_id, late).applied
    deliver(completed(job_id, manifest(job_id)))
    job = shown(job_id)
    assert (job["status"], job["error"]) == ("succeed", None)


def test_progress_goes_up_only_and_ends_with_the_job(stage: Stage, job_id: str) -> None:
    deliver(progress(job_id, 0.6), progress(job_id, 0.2))
    job = shown(job_id)
    assert (job["progress"], job["started_at"]) == (0.6, "2026-01-01T00:00:00Z")
    deliver(completed(job_id, manifest(job_id)), progress(job_id, 0.9))
    assert shown(job_id)["progress"] == 1.0


def test_a_poison_message_is_given_back_and_its_neighbours_are_not(stage: Stage, job_id: str) -> None:
    unknown = ["no json", "[]", "{}", {"invocationStatus": "Completed", "inferenceId": "x"}, progress("x", 0.1)]
    unknown += [progress(job_id, 7), "[" * 5000]
    given_back = deliver(*unknown, completed(job_id, manifest(job_id)))
    assert given_back == [str(number) for number in range(len(unknown))]
    assert shown(job_id)["status"] == "succeed"


def test_the_late_answer_of_a_deleted_job_leaves_nothing_behind(stage: Stage, job_id: str) -> None:
    call("DELETE", f"/jobs/{job_id}")
    stage.s3.put_object(Bucket="pictures", Key=f"jobs/{job_id}/output/0.png", Body=png())
    assert deliver(progress(job_id, 0.5), completed(job_id, manifest(job_id))) == []
    assert stage.objects() == []
    assert stage.rows() == []


@pytest.mark.parametrize(
    "answer",
    [
        {"caption": "x" * 400_000},
        '{"caption": "half a pair \\ud800"}',
        {"error": {"code": "c" * 9000, "message": "m" * 400_000}},
        '{"error": {"code": "x", "message": "\\udfff"}}',
        '{"caption": "x", "timings": {"run": NaN, "model": Infinity}}',
        {"caption": "x", "timings": {"run": 1e200, "model": -5}},
        '{"caption": "x", "timings": {"run": 1.5e308, "model": 1.5e308}}',
        {"images": [{"key": "jobs/%s/output/0.png", "width": 1, "height": 1}] * 5000},
        {"images": [base64.b64encode(png()).decode()], "info": '{"infotexts": ["\\ud800"], "all_seeds": ["x"]}'},
    ],
)
def test_no_answer_poisons_the_queue(stage: Stage, job_id: str, answer: Any) -> None:
    text = answer if isinstance(answer, str) else json.dumps(answer)
    assert deliver(completed(job_id, text.replace("%s", job_id))) == []
    assert shown(job_id)["completed_at"]


@pytest.mark.parametrize("run", [1e200, -5, 1e9])
def test_times_that_nobody_can_believe_cost_nothing_and_no_picture(stage: Stage, job_id: str, run: float) -> None:
    assert deliver(completed(job_id, manifest(job_id, timings={"run": run}))) == []
    job = shown(job_id)
    assert (job["status"], job["run_seconds"], job["cost"]) == ("succeed", None, None)


def test_a_failure_reason_of_any_kind_is_kept_readably(stage: Stage, job_id: str) -> None:
    assert deliver(json.dumps(failed(job_id, "x" * 300_000 + "\ud800"))) == []
    assert len(shown(job_id)["error"]["message"]) == 2000


def test_a_full_job_still_fits_when_it_settles(stage: Stage) -> None:
    body = {"type": "txt2img", "checkpoint": "v1-5.safetensors", "parameters": {"prompt": "x" * 90_000}}
    body["parameters"]["negative_prompt"] = "y" * 90_000  # type: ignore[index]
    job_id = call("POST", "/jobs", body).json["id"]
    image = manifest(job_id)["images"][0]
    many = [{**image, "key": f"jobs/{job_id}/output/{n}.png", "infotext": "x" * 1000} for n in range(128)]
    assert deliver(completed(job_id, {"images": many, "caption": "c" * 10_000})) == []
    assert shown(job_id)["status"] == "succeed"


def test_the_raw_pictures_of_a_second_run_do_not_replace_those_of_the_first(stage: Stage, job_id: str) -> None:
    first, second = png(color=(1, 1, 1)), png(color=(2, 2, 2))
    for picture in (first, second):
        assert deliver(completed(job_id, {"images": [base64.b64encode(picture).decode()]})) == []
    [image] = shown(job_id)["images"]
    assert stage.s3.get_object(Bucket="pictures", Key=image["key"])["Body"].read() == first


def test_many_infotexts_do_not_burst_the_item(stage: Stage, job_id: str) -> None:
    image = manifest(job_id)["images"][0]
    many = [{**image, "key": f"jobs/{job_id}/output/{n}.png", "infotext": "x" * 5000} for n in range(128)]
    assert deliver(completed(job_id, {"images": many})) == []
    job = shown(job_id)
    assert job["image_count"] == 128
    assert 0 < len(job["infotexts"]) < 128
