"""A job whose worker is stopped is handed over again, at most twice: each run has its own name and its own answer."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from darkroom.errors import Busy
from darkroom.jobs.model import answer_key
from darkroom.jobs.runs import Run
from darkroom.jobs.sweep import Sweep
from darkroom.jobs.sweep_rules import HAND_OVERS
from tests.support.aws import TIMEOUTS
from tests.support.events import completed, deliver, expired, failed, manifest, progress, put_picture, stopped
from tests.support.http import call
from tests.support.stage import Stage

BODY = {"type": "txt2img", "checkpoint": "v1-5.safetensors", "parameters": {"prompt": "a lighthouse"}}
FAULTY = {"error": {"code": "out_of_memory", "message": "no memory"}}
CANCELLED = {"error": {"code": "cancelled", "message": "cancelled"}}
STOPPED = {"error": {"code": "worker_stopped", "message": "The worker was shut down."}}
LATE: dict[str, Callable[[str], Any]] = {
    "stopped": stopped,
    "failed": failed,
    "expired": expired,
    "own error": lambda job_id: completed(job_id, FAULTY),
    "garbage": lambda job_id: completed(job_id, "garbage"),
    "missing": completed,
    "cancelled": lambda job_id: completed(job_id, CANCELLED),
}
"""What may still come of a run whose worker was stopped."""


class Clock:
    """Now, and so many seconds, which the test turns."""

    def __init__(self, stage: Stage) -> None:
        self._real, self.seconds = stage.services.adapters.clock, 0.0

    def __call__(self) -> float:
        return self._real() + self.seconds


@pytest.fixture
def clock(stage: Stage) -> Clock:
    clock = Clock(stage)
    stage.configure(clock, threads=1)
    return clock


@pytest.fixture
def job_id(stage: Stage, clock: Clock) -> str:
    return str(call("POST", "/jobs", BODY).json["id"])


def shown(job_id: str) -> dict[str, Any]:
    found: dict[str, Any] = call("GET", f"/jobs/{job_id}").json
    return found


def runs(stage: Stage) -> list[int]:
    return [run.number for run in stage.sagemaker.runs]


def sweep(stage: Stage) -> dict[str, Any]:
    sweeper: Sweep = stage.services.job_sweep
    return dict(sweeper.run(lambda: 100.0))


def put_answer(stage: Stage, job_id: str, answer: Any, run: int = 1) -> None:
    put_picture(f"jobs/{job_id}/output/0.png")
    stage.s3.put_object(Bucket="pictures", Key=answer_key(job_id, run), Body=json.dumps(answer).encode())


def test_a_stopped_job_is_handed_over_again_and_succeeds_once(stage: Stage, job_id: str) -> None:
    deliver(progress(job_id, 0.7))
    assert deliver(stopped(job_id)) == []
    job = shown(job_id)
    assert (job["status"], job["error"], job["completed_at"], job["progress"]) == ("in_progress", None, None, None)
    assert [line["status"] for line in call("GET", "/jobs").json["jobs"]] == ["in_progress"]
    assert job["notices"] == ["The worker was shut down while it had the job, so the job was handed over again."]
    assert stage.sagemaker.runs == [Run(job_id), Run(job_id, 2)]
    first, second = stage.sagemaker.invoked
    # What the shelf knows of the bytes is told once.
    assert first["checkpoint"].pop("bytes") == 10
    assert first == second
    assert deliver(completed(job_id, manifest(job_id), run=2)) == []
    assert (shown(job_id)["status"], shown(job_id)["image_count"]) == ("succeed", 1)
    assert deliver(stopped(job_id), stopped(job_id, 2), failed(job_id, run=2)) == []
    assert (shown(job_id)["status"], runs(stage)) == ("succeed", [1, 2])


def test_each_run_has_a_name_and_a_place_of_its_own(stage: Stage, job_id: str) -> None:
    assert [Run(job_id).name, Run(job_id, 2).name] == [job_id, f"{job_id}.2"]
    assert Run.named(f"{job_id}.3") == Run(job_id, 3)
    assert [Run.named(odd) for odd in (f"{job_id}.1", f"{job_id}.", f"{job_id}.22", "x.2", None, 7)] == [None] * 6
    deliver(stopped(job_id))
    row = stage.adapters.store.get(job_id)
    assert row is not None
    assert (row.run, row.output_location) == (2, f"s3://pictures/jobs/{job_id}/output/response-2.json")


def test_the_third_stop_fails_the_job(stage: Stage, job_id: str) -> None:
    deliver(*(stopped(job_id, run) for run in (1, 2, 3)))
    job = shown(job_id)
    assert (job["status"], job["error"]["code"], runs(stage)) == ("fail", "worker_stopped", [1, 2, 3])
    assert job["error"]["message"]
    assert deliver(stopped(job_id, 3), stopped(job_id)) == []
    assert runs(stage) == [1, 2, 3]


def test_a_stop_that_sagemaker_reports_as_a_failure_is_one_too(stage: Stage, job_id: str) -> None:
    content = {"content": json.dumps(STOPPED), "message": "x"}
    assert deliver(failed(job_id) | {"responseBody": content}) == []
    assert (shown(job_id)["status"], runs(stage)) == ("in_progress", [1, 2])


@pytest.mark.parametrize("late", sorted(LATE))
@pytest.mark.parametrize("taken", [True, False], ids=["taken", "not taken yet"])
def test_nothing_late_of_the_first_run_ends_the_second(stage: Stage, job_id: str, late: str, taken: bool) -> None:
    if not taken:
        stage.sagemaker.on_call = lambda name: _busy() if name == "InvokeEndpointAsync" else None
    deliver(stopped(job_id))
    assert deliver(LATE[late](job_id), stopped(job_id)) == []
    assert (shown(job_id)["status"], runs(stage)) == ("in_progress", [1, 2] if taken else [1])
    deliver(completed(job_id, manifest(job_id), run=2))
    assert shown(job_id)["status"] == "succeed"


def _busy() -> None:
    raise Busy("aws_busy", "x")


def test_a_success_of_the_first_run_counts_and_ends_the_job_once(stage: Stage, job_id: str) -> None:
    """A copy of it may have been painted after all: its pictures are there."""
    deliver(stopped(job_id), completed(job_id, manifest(job_id)))
    ended = shown(job_id)
    assert ended["status"] == "succeed"
    assert deliver(failed(job_id, run=2), completed(job_id, manifest(job_id), run=2)) == []
    assert shown(job_id)["completed_at"] == ended["completed_at"]


def test_a_stop_before_the_mark_is_handed_over_and_the_late_mark_changes_nothing(stage: Stage) -> None:
    told: list[str] = []

    def overtake(job_id: str) -> None:
        if not told:
            told.append(job_id)
            deliver(stopped(job_id))

    stage.sagemaker.before_answer = overtake
    job_id = call("POST", "/jobs", BODY).json["id"]
    row = stage.adapters.store.get(job_id)
    assert row is not None
    assert (row.line.status, row.run, runs(stage)) == ("in_progress", 2, [1, 2])
    assert row.output_location == f"s3://pictures/{answer_key(job_id, 2)}"


def test_two_messages_at_once_hand_the_job_over_once(stage: Stage, job_id: str) -> None:
    store, both = stage.adapters.store, threading.Barrier(2, timeout=30)
    begin = store.begin_again

    def together(*given: Any) -> Any:
        both.wait()
        return begin(*given)

    store.begin_again = together  # type: ignore[method-assign, assignment]
    told = [threading.Thread(target=deliver, args=(stopped(job_id),)) for _ in range(2)]
    for thread in told:
        thread.start()
    for thread in told:
        thread.join(30)
    assert (shown(job_id)["status"], runs(stage)) == ("in_progress", [1, 2])


@pytest.mark.parametrize("how", ["cancelled", "marked", "deleted"])
def test_a_cancelled_or_deleted_job_is_not_handed_over_again(stage: Stage, job_id: str, how: str) -> None:
    if how == "marked":  # The cancel broke off before the row.
        stage.adapters.outputs.mark_cancelled(job_id, None)
    else:
        call(*(("DELETE", f"/jobs/{job_id}") if how == "deleted" else ("POST", f"/jobs/{job_id}/cancel")))
    assert deliver(stopped(job_id)) == []
    assert runs(stage) == [1]
    assert stage.objects() == []
    if how != "deleted":
        assert shown(job_id)["status"] == "cancelled"


def test_a_late_message_of_the_first_run_leaves_the_marker_to_the_second(stage: Stage, job_id: str) -> None:
    deliver(stopped(job_id))
    call("POST", f"/jobs/{job_id}/cancel")
    deliver(stopped(job_id))
    assert stage.objects() == [f"jobs/{job_id}/cancelled"]
    deliver(completed(job_id, CANCELLED, run=2))
    assert stage.objects() == []


def test_the_sweeper_hands_over_what_was_claimed_and_not_taken(stage: Stage, clock: Clock, job_id: str) -> None:
    stage.sagemaker.on_call = lambda name: _busy() if name == "InvokeEndpointAsync" else None
    deliver(stopped(job_id))
    stage.sagemaker.on_call = lambda name: None
    clock.seconds = TIMEOUTS.settle_after + 1
    assert sweep(stage)["invoked"] == 1
    assert stage.sagemaker.runs[-1] == Run(job_id, 2)
    clock.seconds *= 3
    assert "invoked" not in sweep(stage)
    deliver(completed(job_id, manifest(job_id), run=2))
    assert shown(job_id)["status"] == "succeed"


def test_a_run_has_its_own_tries_of_the_sweeper_however_many_the_run_before_took(stage: Stage, clock: Clock) -> None:
    stage.sagemaker.on_call = lambda name: _busy() if name == "InvokeEndpointAsync" else None
    job_id = call("POST", "/jobs", BODY).json["id"]
    for tries in range(HAND_OVERS):
        clock.seconds += TIMEOUTS.settle_after * 2**tries + 1
        sweep(stage)
    deliver(stopped(job_id))  # SageMaker had taken one of them all the same.
    stage.sagemaker.on_call = lambda name: None
    clock.seconds += TIMEOUTS.settle_after + 1
    sweep(stage)
    assert stage.sagemaker.runs[-1] == Run(job_id, 2)


def test_the_sweeper_finds_a_stop_that_nobody_told_and_no_old_answer(stage: Stage, clock: Clock, job_id: str) -> None:
    put_answer(stage, job_id, STOPPED)
    clock.seconds = TIMEOUTS.settle_after + 1
    sweep(stage)
    assert runs(stage) == [1, 2]
    # The first answer still lies there; it says nothing about the second run.
    clock.seconds += 2 * TIMEOUTS.settle_after
    sweep(stage)
    assert (shown(job_id)["status"], runs(stage)) == ("in_progress", [1, 2])
    put_answer(stage, job_id, manifest(job_id), 2)
    clock.seconds += TIMEOUTS.settle_after
    sweep(stage)
    assert shown(job_id)["status"] == "succeed"


def test_a_cancel_while_the_sweeper_hands_over_keeps_the_marker_for_the_next_worker(
    stage: Stage, clock: Clock, job_id: str
) -> None:
    put_answer(stage, job_id, STOPPED)
    clock.seconds = TIMEOUTS.settle_after + 1

    def cancel(taken: str) -> None:
        call("POST", f"/jobs/{taken}/cancel")

    stage.sagemaker.before_answer = cancel
    sweep(stage)
    assert shown(job_id)["status"] == "cancelled"
    assert f"jobs/{job_id}/cancelled" in stage.objects()


def test_each_run_has_a_deadline_of_its_own(stage: Stage, clock: Clock, job_id: str) -> None:
    clock.seconds = TIMEOUTS.deadline - 60
    deliver(stopped(job_id))
    clock.seconds += TIMEOUTS.deadline - 60
    sweep(stage)
    assert shown(job_id)["status"] == "in_progress"
    clock.seconds += 120
    sweep(stage)
    assert shown(job_id)["error"]["code"] == "timed_out"


def test_progress_of_the_first_run_is_not_taken_for_the_second(stage: Stage, job_id: str) -> None:
    deliver(stopped(job_id))
    deliver(progress(job_id, 0.9))
    assert (shown(job_id)["progress"], shown(job_id)["started_at"]) == (None, None)
    deliver(progress(job_id, 0.1) | {"started_at": "2099-01-01T00:00:00Z"})
    assert shown(job_id)["progress"] == 0.1


def test_a_job_that_its_endpoint_refuses_the_second_time_says_so(stage: Stage, job_id: str) -> None:
    stage.sagemaker.refuses = "The endpoint is being deleted."
    deliver(stopped(job_id))
    assert shown(job_id)["error"]["code"] == "endpoint_refused"


def test_a_job_that_expired_in_line_ends_at_once_with_a_code_of_its_own(stage: Stage, job_id: str) -> None:
    assert deliver(expired(job_id)) == []
    error = shown(job_id)["error"]
    assert (shown(job_id)["status"], error["code"]) == ("fail", "expired")
    assert "Submit it again" in error["message"]
    assert deliver(expired(job_id)) == []
    assert shown(job_id)["error"] == error


def test_a_picture_that_comes_after_one_of_two_invocations_expired_is_not_thrown_away(
    stage: Stage, job_id: str
) -> None:
    """The sweeper invokes again when it does not know whether the first invocation arrived."""
    assert deliver(expired(job_id), completed(job_id, manifest(job_id)), expired(job_id)) == []
    assert (shown(job_id)["status"], shown(job_id)["error"]) == ("succeed", None)
