"""Cancel, delete and replay, over HTTP and the queue: what the caller reads, and what stays in S3."""

import base64

import pytest

from darkroom import ids
from darkroom.aws.job_items import to_item
from darkroom.jobs.draft import MAX_PARAMETER_BYTES
from darkroom.jobs.model import Job, JobLine, as_json
from tests.support.events import completed, deliver, failed, manifest, progress
from tests.support.http import call
from tests.support.pictures import png
from tests.support.sagemaker import endpoint
from tests.support.stage import Stage

BODY = {"type": "txt2img", "checkpoint": "v1-5.safetensors", "parameters": {"prompt": "a lighthouse"}}
NAMED = {"lora": 9, "hypernetwork": 20, "controlnet": 20}
STOPPED = {"error": {"code": "cancelled", "message": "The job was cancelled."}}


@pytest.fixture
def job_id(stage: Stage) -> str:
    return str(call("POST", "/jobs", BODY).json["id"])


def put(stage: Stage, key: str) -> None:
    stage.s3.put_object(Bucket="pictures", Key=key, Body=b"x")


def test_a_cancelled_job_ends_at_once_and_its_worker_is_told(stage: Stage, job_id: str) -> None:
    reply = call("POST", f"/jobs/{job_id}/cancel")
    assert (reply.status, reply.json["status"], reply.json["cancelled"]) == (200, "cancelled", "before")
    assert reply.json["completed_at"]
    assert stage.objects() == [f"jobs/{job_id}/cancelled"]
    again = call("POST", f"/jobs/{job_id}/cancel")
    assert (again.status, again.json) == (200, reply.json)


def test_a_cancel_during_the_run_says_so_and_the_marker_goes_with_the_workers_word(stage: Stage, job_id: str) -> None:
    deliver(progress(job_id, 0.3))
    assert call("POST", f"/jobs/{job_id}/cancel").json["cancelled"] == "during"
    put(stage, f"jobs/{job_id}/output/0.png")
    put(stage, f"jobs/{job_id}/output/response.json")
    put(stage, "failures/x-error.out")
    assert deliver(completed(job_id, STOPPED)) == []
    assert stage.objects() == []
    shown = call("GET", f"/jobs/{job_id}").json
    assert (shown["status"], shown["cancelled"], shown["error"]) == ("cancelled", "during", None)


def test_progress_that_comes_after_the_cancel_tells_that_the_run_had_begun(stage: Stage, job_id: str) -> None:
    call("POST", f"/jobs/{job_id}/cancel")
    deliver(progress(job_id, 0.1))
    assert call("GET", f"/jobs/{job_id}").json["cancelled"] == "during"


def test_a_job_that_was_painted_for_nothing_leaves_no_picture(stage: Stage, job_id: str) -> None:
    call("POST", f"/jobs/{job_id}/cancel")
    put(stage, f"jobs/{job_id}/output/0.png")
    assert deliver(completed(job_id, manifest(job_id)), progress(job_id, 0.5)) == []
    shown = call("GET", f"/jobs/{job_id}").json
    assert (shown["status"], shown["cancelled"], shown["images"]) == ("cancelled", "after", [])
    assert stage.objects() == []


def test_what_has_ended_cannot_be_cancelled(stage: Stage, job_id: str) -> None:
    deliver(completed(job_id, manifest(job_id)))
    reply = call("POST", f"/jobs/{job_id}/cancel")
    assert (reply.status, reply.code) == (409, "job_settled")
    assert stage.objects() == [f"jobs/{job_id}/output/0.png"]
    assert call("POST", f"/jobs/{ids.new_id()}/cancel").code == "job_not_found"


def test_a_cancel_that_broke_off_leaves_no_marker_once_it_is_sent_again(stage: Stage, job_id: str) -> None:
    stage.adapters.outputs.mark_cancelled(job_id, None)
    deliver(completed(job_id, manifest(job_id)))
    assert call("POST", f"/jobs/{job_id}/cancel").code == "job_settled"
    assert stage.objects() == [f"jobs/{job_id}/output/0.png"]


def test_a_result_that_beats_the_cancel_stands(stage: Stage, job_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = stage.adapters.outputs
    marked = outputs.mark_cancelled

    def slow(*given: str | None) -> None:
        marked(*given)  # type: ignore[arg-type]
        deliver(completed(job_id, manifest(job_id)))

    monkeypatch.setattr(outputs, "mark_cancelled", slow)
    assert call("POST", f"/jobs/{job_id}/cancel").code == "job_settled"
    assert call("GET", f"/jobs/{job_id}").json["status"] == "succeed"
    assert stage.objects() == [f"jobs/{job_id}/output/0.png"]


def test_a_worker_that_saw_the_marker_before_the_row_was_written_ends_the_job_and_all_is_tidy(
    stage: Stage, job_id: str
) -> None:
    stage.adapters.outputs.mark_cancelled(job_id, None)
    deliver(progress(job_id, 0.3), completed(job_id, STOPPED))
    shown = call("GET", f"/jobs/{job_id}").json
    assert (shown["status"], shown["cancelled"]) == ("cancelled", "during")
    assert stage.objects() == []


def test_only_ones_own_jobs_are_there_for_who_may_touch_no_others(stage: Stage, job_id: str) -> None:
    jobs = stage.services.jobs
    for act in (jobs.cancel, jobs.delete, jobs.get):
        with pytest.raises(Exception, match="job_not_found"):
            act(job_id, scope="bob")
    with pytest.raises(Exception, match="job_not_found"):
        stage.services.submission.replay("bob", job_id, scope="bob")
    assert jobs.cancel(job_id, scope="alice").status == "cancelled"


def test_a_job_deleted_while_it_runs_leaves_a_marker_until_its_answer_comes(stage: Stage, job_id: str) -> None:
    assert call("DELETE", f"/jobs/{job_id}").status == 204
    assert stage.objects() == [f"jobs/{job_id}/cancelled"]
    put(stage, "failures/x-error.out")
    put(stage, f"jobs/{job_id}/output/0.png")
    assert deliver(failed(job_id)) == []
    assert (stage.objects(), stage.rows()) == ([], [])


def test_a_job_that_ends_while_it_is_deleted_leaves_nothing(
    stage: Stage, job_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = stage.adapters.outputs
    removed = outputs.delete

    def slow(*given: object, **more: object) -> None:
        removed(*given, **more)  # type: ignore[arg-type]
        monkeypatch.setattr(outputs, "delete", removed)
        put(stage, f"jobs/{job_id}/output/0.png")
        deliver(completed(job_id, manifest(job_id)))

    monkeypatch.setattr(outputs, "delete", slow)
    assert call("DELETE", f"/jobs/{job_id}").status == 204
    assert (stage.objects(), stage.rows()) == ([], [])


def test_a_job_deleted_between_its_write_and_its_mark_has_its_worker_stopped(stage: Stage) -> None:
    stage.sagemaker.before_answer = lambda job_id: stage.services.jobs.delete(job_id)
    job_id = call("POST", "/jobs", BODY).json["id"]
    assert stage.rows() == []
    put(stage, "failures/x-error.out")
    deliver(failed(job_id))
    assert stage.objects() == []


def test_a_mark_that_came_too_late_still_tells_where_the_failure_file_is(stage: Stage) -> None:
    def overtake(job_id: str) -> None:
        deliver(failed(job_id))

    stage.sagemaker.before_answer = overtake
    job_id = call("POST", "/jobs", BODY).json["id"]
    put(stage, "failures/x-error.out")
    call("DELETE", f"/jobs/{job_id}")
    assert stage.objects() == []


def test_a_replay_is_a_new_job_with_the_same_inputs(stage: Stage) -> None:
    stage.model("film.safetensors", "lora")
    init = stage.upload(png())
    body = {
        **BODY,
        "type": "img2img",
        "images": {"init": init},
        "models": {"vae": "None", "lora": ["film.safetensors"]},
        "parameters": {"prompt": "a pier", "init_images": ["image:init"], "s_tmax": float("inf"), "seed": 3},
    }
    old = call("POST", "/jobs", body).json
    reply = call("POST", f"/jobs/{old['id']}/replay")
    assert reply.status == 201, reply.body
    new = reply.json
    assert (new["replay_of"], old["replay_of"]) == (old["id"], None)
    assert new["id"] > old["id"]
    first, second = stage.sagemaker.invoked
    changing = {"job_id", "output"}
    assert {k: v for k, v in first.items() if k not in changing} == {
        k: v for k, v in second.items() if k not in changing
    }
    assert call("GET", f"/jobs/{new['id']}").json["replay_of"] == old["id"]


def test_a_replay_goes_where_jobs_are_taken_now(stage: Stage, job_id: str) -> None:
    stage.sagemaker.endpoints = [endpoint("darkroom-test-b")]
    stage.services.endpoints.all(fresh=True)
    assert call("POST", f"/jobs/{job_id}/replay").json["endpoint"] == "darkroom-test-b"


def test_a_replay_whose_pictures_have_expired_is_refused_and_writes_nothing(stage: Stage) -> None:
    init = stage.upload(png())
    body = {**BODY, "type": "img2img", "images": {"init": init}}
    job_id = call("POST", "/jobs", body).json["id"]
    stage.s3.delete_object(Bucket="pictures", Key=f"images/alice/{init}")
    for owner in ("alice", "bob"):
        assert call("POST", f"/jobs/{job_id}/replay", owner=owner).code == "inputs_expired"
    assert len(stage.rows()) == 1


@pytest.mark.parametrize(
    "code", ["too_many_open_jobs", "no_endpoint_available", "checkpoint_not_active", "inputs_expired"]
)
def test_a_refused_replay_of_anothers_job_copies_no_picture(stage: Stage, code: str) -> None:
    init, mask = stage.upload(png()), stage.upload(png(color=(255, 255, 255)))
    body = {**BODY, "type": "img2img", "mode": "inpaint_upload", "images": {"init": init, "mask": mask}}
    made = call("POST", "/jobs", body)
    assert made.status == 201, made.body
    assert call("POST", "/jobs", BODY, owner="bob").status == 201
    before, rows = stage.objects(), len(stage.rows())
    if code == "too_many_open_jobs":
        stage.configure(max_open_jobs_per_owner=1)
    elif code == "no_endpoint_available":
        stage.sagemaker.endpoints = []
        stage.services.endpoints.all(fresh=True)
    elif code == "checkpoint_not_active":
        stage.model("v1-5.safetensors", status="deleting")
    else:
        stage.s3.delete_object(Bucket="pictures", Key=f"images/alice/{mask}")
        before.remove(f"images/alice/{mask}")
    assert call("POST", f"/jobs/{made.json['id']}/replay", owner="bob").code == code
    assert (stage.objects(), len(stage.rows())) == (before, rows)


def test_who_replays_anothers_job_gets_one_with_pictures_of_ones_own(stage: Stage) -> None:
    init = stage.upload(png())
    job_id = call("POST", "/jobs", {**BODY, "type": "img2img", "images": {"init": init}}).json["id"]
    assert call("POST", f"/jobs/{job_id}/replay", owner="bob").json["owner"] == "bob"
    assert stage.sagemaker.invoked[-1]["images"] == {"init": f"s3://pictures/images/bob/{init}"}
    assert f"images/bob/{init}" in stage.objects()


def test_a_replay_with_an_idempotency_key_is_one_job(stage: Stage, job_id: str) -> None:
    headers = {"Idempotency-Key": "again"}
    first = call("POST", f"/jobs/{job_id}/replay", headers=headers)
    second = call("POST", f"/jobs/{job_id}/replay", headers=headers)
    assert (first.status, second.status) == (201, 200)
    assert first.json["id"] == second.json["id"]
    assert call("POST", "/jobs", BODY, headers=headers).code == "idempotency_key_reused"


def test_a_replay_of_what_needs_a_file_that_is_gone_names_it(stage: Stage, job_id: str) -> None:
    stage.model("v1-5.safetensors", status="deleting")
    assert call("POST", f"/jobs/{job_id}/replay").code == "checkpoint_not_active"


def test_one_job_too_many_is_refused_with_a_time_to_come_back_and_leaves_nothing(stage: Stage) -> None:
    stage.configure(max_open_jobs_per_owner=2)
    headers = {"Idempotency-Key": "first"}
    first = call("POST", "/jobs", BODY, headers=headers)
    assert call("POST", "/jobs", BODY).status == 201
    refused = call("POST", "/jobs", BODY)
    assert (refused.status, refused.code, refused.headers["Retry-After"]) == (429, "too_many_open_jobs", "15")
    assert call("POST", f"/jobs/{first.json['id']}/replay").status == 429
    assert call("POST", "/jobs", BODY, headers=headers).status == 200
    assert call("POST", "/jobs", BODY, owner="bob").status == 201
    assert len([row for row in stage.rows() if "status" in row]) == 3


def test_a_transaction_that_was_throttled_is_sent_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    client = stage.clients("dynamodb")
    real = client.transact_write_items
    calls: list[int] = []

    def throttled(**request: object) -> object:
        calls.append(1)
        if len(calls) < 3:
            reasons = [{"Code": "ThrottlingError"}, {"Code": "None"}]
            answer = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}
            raise client.exceptions.TransactionCanceledException(answer, "TransactWriteItems")
        return real(**request)

    monkeypatch.setattr(client, "transact_write_items", throttled)
    assert call("POST", "/jobs", BODY).status == 201
    assert len(calls) == 3


def test_the_largest_job_that_every_limit_allows_can_be_replayed(stage: Stage) -> None:
    """Tags of the prompt and pictures of the body are stored beside what the request names: together they are more
    than a request may name."""
    pictures = {f"p{number}_{'x' * 60}"[:64]: stage.upload(png(color=(number, 0, 0))) for number in range(15)}
    pictures["init"] = stage.upload(png())
    named = {kind: [f"{n:02d}{'n' * 186}.safetensors" for n in range(count)] for kind, count in NAMED.items()}
    tagged = [f"tag{number}" for number in range(40)]
    for kind, names in [*named.items(), ("lora", [f"{tag}.safetensors" for tag in tagged])]:
        for name in names:
            stage.model(name, kind)
    words = [f"word{number}" for number in range(20)]
    for word in words:
        stage.model(f"{word}.pt", "embedding")
    inside = [base64.b64encode(png(color=(0, number, 1))).decode() for number in range(16)]
    prompt = " ".join([*words, *(f"<lora:{tag}:1>" for tag in tagged)])
    parameters = {"prompt": prompt, "x": inside, "padding": ""}
    references = {**parameters, "x": [f"image:x_{number}" for number in range(16)]}
    parameters["padding"] = "p" * (MAX_PARAMETER_BYTES - len(as_json(references)))
    body = {**BODY, "type": "img2img", "images": pictures, "models": named, "parameters": parameters}
    made = call("POST", "/jobs", body)
    assert made.status == 201, made.body
    old = made.json
    assert (len(old["inputs"]), sum(map(len, old["models"].values()))) == (32, 109)
    for owner in ("alice", "bob"):
        reply = call("POST", f"/jobs/{old['id']}/replay", owner=owner)
        assert reply.status == 201, reply.body
        assert all(reply.json[name] == old[name] for name in ("parameters", "models", "mode", "checkpoint"))
    stage.model("word3.pt", "embedding", status="deleting")
    refused = call("POST", f"/jobs/{old['id']}/replay", owner="bob")
    assert (refused.status, refused.code) == (422, "checkpoint_not_active")


def test_a_job_without_an_endpoint_or_a_price_is_like_any_other(stage: Stage, job_id: str) -> None:
    waiting = [ids.new_id() for _ in range(3)]
    for one in waiting:
        job = Job(JobLine(one, "alice", "txt2img", "created", checkpoint="v1-5.safetensors"), {"prompt": "a pier"})
        stage.dynamodb.put_item(TableName="jobs", Item=to_item(job, 1))
    shown = call("GET", f"/jobs/{waiting[0]}").json
    assert (shown["endpoint"], shown["cost"], shown["phase"]) == ("", None, "in_line")
    assert {line["id"] for line in call("GET", "/jobs").json["jobs"]} == {job_id, *waiting}
    for form in ("text/csv", "application/x-ndjson"):
        assert waiting[0] in call("GET", "/jobs", headers={"Accept": form}).body
    assert call("GET", "/jobs/summary").json["by_endpoint"] == {"darkroom-test-a": 1}
    assert call("POST", f"/jobs/{waiting[0]}/cancel").json["status"] == "cancelled"
    assert call("POST", f"/jobs/{waiting[0]}/replay").json["endpoint"] == "darkroom-test-a"
    assert call("DELETE", f"/jobs/{waiting[1]}").status == 204
    assert stage.services.limiter.by_endpoint(fresh=True) == {"darkroom-test-a": 2}
