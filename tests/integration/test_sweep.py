"""The sweeper: what it finds when the news never came, and what it leaves alone."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from darkroom import ids
from darkroom.errors import Busy
from darkroom.jobs.ports import ANSWER_LIMIT
from darkroom.jobs.results import Results
from darkroom.jobs.sweep import OLDEST, Sweep
from darkroom.jobs.sweep_rules import LIGHT
from functions.sweeper.handler import handler
from tests.support.aws import TIMEOUTS
from tests.support.events import completed, deliver, manifest, progress
from tests.support.http import Context, call
from tests.support.lines import written
from tests.support.sagemaker import endpoint
from tests.support.stage import Stage

BODY = {"type": "txt2img", "checkpoint": "v1-5.safetensors", "parameters": {"prompt": "a lighthouse"}}


class Clock:
    """Now, moved on by hand; `seconds` is how far."""

    seconds = 0.0

    def __call__(self) -> float:
        return datetime.now(UTC).timestamp() + self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sweep(stage: Stage, clock: Clock) -> Sweep:
    stage.configure(clock=clock, threads=2)
    return stage.services.job_sweep


@pytest.fixture
def sweep_one_by_one(stage: Stage, clock: Clock) -> Sweep:
    """A sweep that looks at one job after the other."""
    stage.configure(clock=clock, threads=1)
    return stage.services.job_sweep


@pytest.fixture
def job_id(stage: Stage) -> str:
    return submit()


def submit() -> str:
    return str(call("POST", "/jobs", BODY).json["id"])


def created(stage: Stage) -> str:
    """A job that was written and never invoked."""
    stage.sagemaker.before_answer = lambda _: (_ for _ in ()).throw(Busy("aws_busy", "x"))
    job_id = submit()
    stage.sagemaker.before_answer = lambda job_id: None
    stage.sagemaker.invoked.clear()
    return job_id


def shown(job_id: str) -> dict[str, Any]:
    found: dict[str, Any] = call("GET", f"/jobs/{job_id}").json
    return found


def row(stage: Stage, job_id: str) -> dict[str, Any]:
    (found,) = (item for item in stage.rows() if item["id"]["S"] == job_id)
    return found


def put(stage: Stage, key: str, content: object = b"x") -> None:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    stage.s3.put_object(Bucket="pictures", Key=key, Body=body)


def answer(stage: Stage, job_id: str, content: object) -> None:
    """Let an answer lie in S3, with the picture that a manifest names."""
    if content == manifest(job_id):
        put(stage, f"jobs/{job_id}/output/0.png")
    put(stage, f"jobs/{job_id}/output/response.json", content)


def plenty() -> float:
    return 60.0


def so_often(times: int) -> Callable[[], float]:
    """Time that is out when it was asked for so often."""
    calls = iter([1.0] * times)
    return lambda: next(calls, 0.0)


def test_a_lost_notification_is_made_up_for_by_the_answer_in_s3(
    stage: Stage, sweep: Sweep, clock: Clock, job_id: str
) -> None:
    answer(stage, job_id, manifest(job_id))
    assert sweep.run(plenty)["broken"] == []
    assert shown(job_id)["status"] == "in_progress"
    clock.seconds = 301
    assert sweep.run(plenty)["succeed"] == 1
    assert (shown(job_id)["status"], shown(job_id)["image_count"]) == ("succeed", 1)
    assert row(stage, job_id)["settled_by"] == {"S": "s3"}
    assert deliver(completed(job_id, manifest(job_id))) == []
    assert row(stage, job_id)["settled_by"] == {"S": "s3"}


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        ({"error": {"code": "image_unreadable", "message": "m"}}, "fail", "image_unreadable"),
        ({"error": {"code": "cancelled", "message": "m"}}, "cancelled", None),
        (b"\x00garbage", "fail", "bad_answer"),
    ],
)
def test_an_answer_in_s3_ends_the_job_as_it_says(
    stage: Stage, sweep: Sweep, clock: Clock, job_id: str, content: object, status: str, code: str | None
) -> None:
    answer(stage, job_id, content)
    clock.seconds = 301
    sweep.run(plenty)
    found = shown(job_id)
    assert (found["status"], found["error"]["code"] if found["error"] and code else None) == (status, code)


def test_a_failure_file_fails_the_job_with_its_words(stage: Stage, sweep: Sweep, clock: Clock, job_id: str) -> None:
    put(stage, "failures/x-error.out", b"CUDA out of memory")
    clock.seconds = 301
    sweep.run(plenty)
    assert shown(job_id)["error"] == {"code": "worker_failed", "message": "CUDA out of memory"}


def test_a_job_that_waits_in_line_is_left_alone(stage: Stage, sweep: Sweep, clock: Clock, job_id: str) -> None:
    clock.seconds = TIMEOUTS.deadline - 60
    assert sweep.run(plenty) == {"looked_at": 1, "broken": []}
    assert shown(job_id)["status"] == "in_progress"
    assert len(stage.sagemaker.invoked) == 1


def test_what_was_written_but_never_invoked_is_invoked(stage: Stage, sweep: Sweep, clock: Clock) -> None:
    job_id = created(stage)
    assert shown(job_id)["status"] == "created"
    sweep.run(plenty)
    assert stage.sagemaker.invoked == []
    clock.seconds = 301
    assert sweep.run(plenty)["invoked"] == 1
    [sent] = stage.sagemaker.invoked
    assert (sent["job_id"], sent["parameters"]) == (job_id, {"prompt": "a lighthouse"})
    assert shown(job_id)["status"] == "in_progress"
    assert "invoked" not in sweep.run(plenty)


def test_past_its_time_a_job_fails_and_its_answer_counts_after_all(
    stage: Stage, sweep: Sweep, clock: Clock, job_id: str
) -> None:
    clock.seconds = TIMEOUTS.deadline + 60
    assert sweep.run(plenty)["timed_out"] == 1
    assert shown(job_id)["error"]["code"] == "timed_out"
    assert row(stage, job_id)["settled_by"] == {"S": "deadline"}
    answer(stage, job_id, manifest(job_id))
    clock.seconds = TIMEOUTS.forgotten + 60
    assert sweep.run(plenty)["succeed"] == 1
    assert (shown(job_id)["status"], shown(job_id)["error"]) == ("succeed", None)


def test_a_job_that_was_handed_over_late_has_its_whole_time(stage: Stage, sweep: Sweep, clock: Clock) -> None:
    job_id = created(stage)
    clock.seconds = TIMEOUTS.deadline - 60
    sweep.run(plenty)
    clock.seconds = TIMEOUTS.deadline + 3_600
    sweep.run(plenty)
    assert shown(job_id)["status"] == "in_progress"
    clock.seconds = 2 * TIMEOUTS.deadline
    sweep.run(plenty)
    assert shown(job_id)["error"]["code"] == "timed_out"


def test_a_job_whose_endpoint_is_gone_fails_and_says_so(stage: Stage, sweep: Sweep, clock: Clock, job_id: str) -> None:
    waiting, done = created(stage), submit()
    answer(stage, done, manifest(done))
    stage.sagemaker.endpoints = [endpoint("darkroom-test-b")]
    clock.seconds = 301
    assert sweep.run(plenty)["endpoint_gone"] == 2
    assert [shown(i)["error"]["code"] for i in (job_id, waiting)] == ["endpoint_gone"] * 2
    assert shown(done)["status"] == "succeed"


def test_a_job_waits_for_an_endpoint_that_takes_no_jobs_now(stage: Stage, sweep: Sweep, clock: Clock) -> None:
    job_id = created(stage)
    stage.sagemaker.endpoints = [endpoint(status="OutOfService")]
    clock.seconds = 301
    assert "invoked" not in sweep.run(plenty)
    assert shown(job_id)["status"] == "created"
    stage.sagemaker.endpoints = [endpoint()]
    assert sweep.run(plenty)["invoked"] == 1


def test_nothing_is_gone_while_sagemaker_does_not_tell(
    stage: Stage, sweep: Sweep, clock: Clock, job_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(fresh: bool = False) -> None:
        raise Busy("aws_busy", "x")

    monkeypatch.setattr(stage.services.endpoints, "all", busy)
    clock.seconds = 301
    sweep.run(plenty)
    assert shown(job_id)["status"] == "in_progress"


def test_a_cancel_that_broke_off_after_its_marker_is_finished(
    stage: Stage, sweep: Sweep, clock: Clock, job_id: str
) -> None:
    stage.adapters.outputs.mark_cancelled(job_id, None)
    clock.seconds = 301
    assert sweep.run(plenty)["cancelled"] == 1
    assert (shown(job_id)["status"], shown(job_id)["cancelled"]) == ("cancelled", "before")
    assert stage.objects() == [f"jobs/{job_id}/cancelled"]
    put(stage, f"jobs/{job_id}/output/0.png")
    clock.seconds = TIMEOUTS.forgotten + 60
    sweep.run(plenty)
    assert stage.objects() == []


def test_a_cancel_that_broke_off_leaves_no_marker_with_a_job_that_was_answered(
    stage: Stage, sweep: Sweep, clock: Clock, job_id: str
) -> None:
    stage.adapters.outputs.mark_cancelled(job_id, None)
    answer(stage, job_id, manifest(job_id))
    clock.seconds = 301
    assert sweep.run(plenty)["succeed"] == 1
    assert stage.objects() == [f"jobs/{job_id}/output/{name}" for name in ("0.png", "response.json")]


@pytest.mark.parametrize("heard", ["callback", "deadline"])
def test_the_pictures_of_a_failed_job_go_and_its_answer_stays(
    stage: Stage, sweep: Sweep, clock: Clock, job_id: str, heard: str
) -> None:
    put(stage, f"jobs/{job_id}/output/0.png")
    if heard == "callback":
        answer(stage, job_id, b"garbage")
        deliver(completed(job_id, "garbage"))
        assert shown(job_id)["error"]["code"] == "bad_answer"
    else:
        clock.seconds = TIMEOUTS.deadline + 60
        sweep.run(plenty)
        answer(stage, job_id, b"garbage")
        assert shown(job_id)["error"]["code"] == "timed_out"
    clock.seconds = TIMEOUTS.forgotten + 60
    sweep.run(plenty)
    assert stage.objects() == [f"jobs/{job_id}/output/response.json"]


def test_objects_without_a_job_go_once_nothing_can_come_any_more(stage: Stage, sweep: Sweep, clock: Clock) -> None:
    gone, there = submit(), submit()
    for job_id in (gone, there):
        put(stage, f"jobs/{job_id}/output/0.png")
        put(stage, f"failures/{job_id}-error.out")
    put(stage, "failures/nobodys-error.out")
    deliver(completed(there, manifest(there)))
    call("DELETE", f"/jobs/{gone}")
    put(stage, f"jobs/{gone}/input.json")
    clock.seconds = TIMEOUTS.forgotten - 60
    sweep.run(plenty)
    assert f"jobs/{gone}/input.json" in stage.objects()
    clock.seconds = TIMEOUTS.forgotten + 60
    sweep.run(plenty)
    assert [key for key in stage.objects() if gone in key] == []
    assert len([key for key in stage.objects() if there in key]) == 2
    assert "failures/nobodys-error.out" in stage.objects()


def test_old_folders_are_looked_through_again_once_a_day(stage: Stage, sweep: Sweep, clock: Clock) -> None:
    old = ids.new_id_at(datetime(2026, 1, 1, tzinfo=UTC))
    sweep.run(plenty)
    sweep.run(plenty)
    put(stage, f"jobs/{submit()}/x")
    clock.seconds = TIMEOUTS.forgotten + 60
    sweep.run(plenty)
    sweep.run(plenty)
    put(stage, f"jobs/{old}/output/0.png")
    sweep.run(plenty)
    assert f"jobs/{old}/output/0.png" in stage.objects()
    clock.seconds += 86_400
    sweep.run(plenty)
    sweep.run(plenty)
    assert f"jobs/{old}/output/0.png" not in stage.objects()


def test_a_round_whose_time_is_out_goes_on_where_it_stopped(
    stage: Stage, sweep_one_by_one: Sweep, clock: Clock
) -> None:
    """Time is looked at before every read of a page and before every job."""
    made = [submit() for _ in range(5)]
    for job_id in made:
        answer(stage, job_id, manifest(job_id))
    clock.seconds = 301

    def ended() -> list[str]:
        return [job_id for job_id in made if shown(job_id)["status"] == "succeed"]

    # The first round finds that none is created, which the second one still knows.
    for done, times in ((2, 4), (4, 3), (5, 3)):
        sweep_one_by_one.run(so_often(times))
        assert ended() == made[:done]
    assert next(item for item in stage.rows() if item["id"]["S"].startswith("sweep#")).keys() == {
        "id",
        "places",
        "expires_at",
    }
    assert len(call("GET", "/jobs?limit=100").json["jobs"]) == 5


def test_one_job_that_cannot_be_looked_at_stops_no_other_and_is_told(stage: Stage, sweep: Sweep, clock: Clock) -> None:
    broken, fine = submit(), submit()
    stage.dynamodb.update_item(
        TableName="jobs",
        Key={"id": {"S": broken}},
        UpdateExpression="SET #p = :p",
        ExpressionAttributeNames={"#p": "parameters"},
        ExpressionAttributeValues={":p": {"S": "{"}},
    )
    answer(stage, fine, manifest(fine))
    clock.seconds = 301
    assert sweep.run(plenty)["broken"] == [broken]
    assert shown(fine)["status"] == "succeed"


def test_an_answer_that_cannot_be_taken_in_does_not_keep_its_job_open_for_ever(
    stage: Stage, sweep: Sweep, clock: Clock, job_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(stage, job_id, manifest(job_id))

    def breaks(*_: object) -> None:
        raise ArithmeticError

    monkeypatch.setattr(Results, "completed", breaks)
    clock.seconds = 301
    assert sweep.run(plenty)["broken"] == [job_id]
    clock.seconds = TIMEOUTS.deadline + 1
    assert sweep.run(plenty)["broken"] == []
    error = shown(job_id)["error"]
    assert (error["code"], "ArithmeticError" in error["message"]) == ("timed_out", True)


def test_an_ended_job_that_could_not_be_looked_at_comes_again_in_the_next_round(
    stage: Stage, sweep: Sweep, clock: Clock, job_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    call("POST", f"/jobs/{job_id}/cancel")
    put(stage, f"jobs/{job_id}/output/0.png")
    clock.seconds = TIMEOUTS.forgotten + 60
    with monkeypatch.context() as patched:
        patched.setattr(stage.adapters.outputs, "delete", lambda *_: (_ for _ in ()).throw(Busy("aws_busy", "x")))
        for _ in range(2):
            assert sweep.run(plenty)["broken"] == [job_id]
    assert (sweep.run(plenty)["broken"], stage.objects()) == ([], [])
    assert "looked_at" not in sweep.run(plenty)


def test_two_rounds_at_once_settle_each_job_once(stage: Stage, sweep: Sweep, clock: Clock, job_id: str) -> None:
    answer(stage, job_id, manifest(job_id))
    clock.seconds = 301
    read = stage.adapters.outputs.read_answer
    nested: list[dict[str, Any]] = []

    def meanwhile(*given: Any) -> bytes | None:
        stage.adapters.outputs.read_answer = read  # type: ignore[method-assign]
        stage.adapters.bookmarks.save("jobs", {})
        nested.append(sweep.run(plenty))
        return read(*given)

    stage.adapters.outputs.read_answer = meanwhile  # type: ignore[method-assign, assignment]
    sweep.run(plenty)
    assert nested[0]["succeed"] == 1
    assert shown(job_id)["status"] == "succeed"


def test_the_function_carries_out_every_round_and_tells_it_in_a_line_and_in_metrics(stage: Stage, job_id: str) -> None:
    with written() as lines:
        handler({}, Context())
    line, metrics, *others = lines
    endpoints, steps = (next(one for one in others if one.get("round") == name) for name in ("endpoints", "steps"))
    assert (endpoints["round"], steps["round"]) == ("endpoints", "steps")
    assert (line["message"], line["round"], line["failed"], line["broken"]) == ("round", "jobs", 0, 0)
    (declared,) = metrics["_aws"]["CloudWatchMetrics"]
    assert {"failed", "broken"} <= {entry["Name"] for entry in declared["Metrics"]}
    assert all(metrics[entry["Name"]] == [line[entry["Name"]]] for entry in declared["Metrics"])
    assert (metrics["stage"], metrics["round"], declared["Dimensions"]) == ("test", "jobs", [["stage", "round"]])


def test_a_round_that_fails_stops_no_other_and_the_function_fails_at_its_end(stage: Stage) -> None:
    given: list[float] = []

    def fails(left: Any) -> dict[str, int]:
        raise ValueError

    def works(left: Any) -> dict[str, int]:
        given.append(left())
        return {"done": 1}

    stage.services.rounds = {"a": fails, "b": works, "c": works}
    with written() as lines, pytest.raises(Exception, match="a"):
        handler({}, Context())
    counts = [(line["round"], line["failed"]) for line in lines if "_aws" in line]
    assert counts == [("a", [1]), ("b", [0]), ("c", [0])]
    assert 90 < given[0] < 95
    assert 180 < given[1] <= 185


@pytest.mark.parametrize("heard", ["sweeper", "callback"])
def test_an_answer_that_is_too_large_is_not_read_and_ends_its_job(
    stage: Stage, sweep: Sweep, clock: Clock, job_id: str, heard: str
) -> None:
    answer(stage, job_id, b" " * (ANSWER_LIMIT + 1))
    if heard == "callback":
        assert deliver(completed(job_id)) == []
    else:
        clock.seconds = 301
        assert sweep.run(plenty)["fail"] == 1
    error = shown(job_id)["error"]
    assert error["code"] == "bad_answer"
    assert error["message"].startswith("The worker's answer is over 24 MB; let it store its pictures itself")


def test_a_late_answer_that_is_too_large_changes_nothing(stage: Stage, sweep: Sweep, clock: Clock, job_id: str) -> None:
    clock.seconds = TIMEOUTS.deadline + 60
    sweep.run(plenty)
    put(stage, f"jobs/{job_id}/output/0.png")
    answer(stage, job_id, b" " * (ANSWER_LIMIT + 1))
    clock.seconds = TIMEOUTS.forgotten + 60
    assert sweep.run(plenty)["broken"] == []
    assert shown(job_id)["error"]["code"] == "timed_out"
    assert stage.objects() == [f"jobs/{job_id}/output/response.json"]


def test_an_answer_that_is_read_alone_counts_like_any_other(
    stage: Stage, sweep: Sweep, clock: Clock, job_id: str
) -> None:
    put(stage, f"jobs/{job_id}/output/0.png")
    answer(stage, job_id, json.dumps(manifest(job_id)).encode() + b" " * LIGHT)
    clock.seconds = 301
    assert sweep.run(plenty)["succeed"] == 1


class Killed(BaseException):
    """The function's process is no more."""


@pytest.mark.parametrize("ended", [False, True])
def test_a_job_that_kills_its_round_does_not_kill_the_next(
    stage: Stage, sweep: Sweep, clock: Clock, monkeypatch: pytest.MonkeyPatch, ended: bool
) -> None:
    monkeypatch.setattr("darkroom.jobs.sweep_walker.PAGE", 1)
    killer, fine = submit(), submit()
    bookmarks, outputs = stage.adapters.bookmarks, stage.adapters.outputs
    for job_id in (killer, fine):
        answer(stage, job_id, manifest(job_id))
    if ended:
        for job_id in (killer, fine):
            call("POST", f"/jobs/{job_id}/cancel")
            put(stage, f"jobs/{job_id}/output/0.png")
    clock.seconds = TIMEOUTS.forgotten + 60 if ended else 301
    does, save = (outputs.delete if ended else outputs.read_answer), bookmarks.save

    def kills(job_id: str, *more: Any) -> Any:
        if job_id == killer:
            # Nothing is written any more, at the end of the round either.
            monkeypatch.setattr(bookmarks, "save", lambda *_: None)
            raise Killed
        return does(job_id, *more)

    monkeypatch.setattr(outputs, "delete" if ended else "read_answer", kills)
    with pytest.raises(Killed):
        sweep.run(plenty)
    monkeypatch.setattr(bookmarks, "save", save)
    done = sweep.run(plenty)
    assert done.get("tidied" if ended else "succeed") == 1


def test_ended_jobs_to_be_looked_at_once_more_are_kept_when_the_time_is_out(
    stage: Stage, sweep_one_by_one: Sweep, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [submit() for _ in range(4)]
    for job_id in made:
        call("POST", f"/jobs/{job_id}/cancel")
        put(stage, f"jobs/{job_id}/output/0.png")
    clock.seconds = TIMEOUTS.forgotten + 60
    with monkeypatch.context() as patched:
        patched.setattr(stage.adapters.outputs, "delete", lambda *_: (_ for _ in ()).throw(ValueError))
        assert sweep_one_by_one.run(plenty)["broken"] == made
    # Both statuses of open jobs are read; then there is time for two of the four.
    assert sweep_one_by_one.run(so_often(4))["tidied"] == 2
    assert sweep_one_by_one.run(plenty)["tidied"] == 2


def test_an_ended_job_that_kills_the_round_that_looks_once_more_does_so_once(
    stage: Stage, sweep: Sweep, clock: Clock, job_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    call("POST", f"/jobs/{job_id}/cancel")
    clock.seconds = TIMEOUTS.forgotten + 60
    stage.adapters.bookmarks.save("jobs", {"ended:unseen": job_id, "ended:cancelled#0": job_id})
    with monkeypatch.context() as patched:
        save = stage.adapters.bookmarks.save

        def kills(_: str, *more: Any) -> None:
            patched.setattr(stage.adapters.bookmarks, "save", lambda *_: None)
            raise Killed

        patched.setattr(stage.adapters.outputs, "delete", kills)
        with pytest.raises(Killed):
            sweep.run(plenty)
        patched.setattr(stage.adapters.bookmarks, "save", save)
        assert "looked_at" not in sweep.run(plenty)


def test_a_walk_stops_while_aws_is_too_busy_for_all(
    stage: Stage, sweep_one_by_one: Sweep, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [submit() for _ in range(20)]
    for job_id in made:
        answer(stage, job_id, manifest(job_id))
    clock.seconds = 301
    with monkeypatch.context() as patched:
        patched.setattr(stage.adapters.outputs, "read_answer", lambda *_: (_ for _ in ()).throw(Busy("aws_busy", "x")))
        assert sweep_one_by_one.run(plenty)["broken"] == made[:16]
    assert sweep_one_by_one.run(plenty)["succeed"] == 4
    assert sweep_one_by_one.run(plenty)["succeed"] == 16


def test_a_job_whose_mark_never_comes_is_handed_over_a_few_times_ever_more_seldom(
    stage: Stage, sweep: Sweep, clock: Clock
) -> None:
    job_id = created(stage)
    stage.sagemaker.before_answer = lambda _: (_ for _ in ()).throw(Busy("aws_busy", "x"))
    invoked = []
    for clock.seconds in (301, 599, 602, 1_150, 1_300, 4_000, 8_000, TIMEOUTS.deadline - 60):
        sweep.run(plenty)
        invoked.append(len(stage.sagemaker.invoked))
    assert invoked == [1, 1, 2, 2, 3, 4, 5, 6]
    assert shown(job_id)["status"] == "created"
    clock.seconds = TIMEOUTS.deadline + 60
    sweep.run(plenty)
    assert shown(job_id)["error"]["code"] == "timed_out"


def test_a_job_whose_worker_has_begun_is_not_handed_over_again(stage: Stage, sweep: Sweep, clock: Clock) -> None:
    job_id = created(stage)
    deliver(progress(job_id, 0.5))
    clock.seconds = 301
    sweep.run(plenty)
    assert (stage.sagemaker.invoked, shown(job_id)["status"]) == ([], "created")


def test_a_job_is_handed_over_by_one_of_two_rounds_at_once(
    stage: Stage, sweep: Sweep, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = created(stage)
    clock.seconds = 301
    store, get = stage.adapters.store, stage.adapters.store.get

    def meanwhile(asked: str) -> Any:
        job = get(asked)
        store.claim_hand_over(asked, 0, "2026-01-01T00:00:00.000Z")
        return job

    monkeypatch.setattr(store, "get", meanwhile)
    sweep.run(plenty)
    assert (stage.sagemaker.invoked, get(job_id).hand_overs) == ([], 1)  # type: ignore[union-attr]


def test_a_walk_does_not_pass_what_it_cannot_remember(
    stage: Stage, sweep: Sweep, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darkroom.jobs.sweep_walker.UNSEEN", 1)
    made = [submit() for _ in range(4)]
    for job_id in made:
        call("POST", f"/jobs/{job_id}/cancel")
        put(stage, f"jobs/{job_id}/output/0.png")
    clock.seconds = TIMEOUTS.forgotten + 60
    with monkeypatch.context() as patched:
        patched.setattr(stage.adapters.outputs, "delete", lambda *_: (_ for _ in ()).throw(ValueError))
        for _ in range(2):
            sweep.run(plenty)
    sweep.run(plenty)
    assert stage.objects() == []


def test_one_folder_that_cannot_be_removed_keeps_no_other_and_is_told(
    stage: Stage, sweep: Sweep, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, lost = ids.new_id(), ids.new_id()
    for job_id in (stuck, lost):
        put(stage, f"jobs/{job_id}/output/0.png")
    put(stage, f"failures/{lost}-error.out")
    clock.seconds = TIMEOUTS.forgotten + 60
    delete = stage.adapters.outputs.delete

    def breaks(job_id: str) -> None:
        if job_id == stuck:
            raise RuntimeError
        delete(job_id)

    monkeypatch.setattr(stage.adapters.outputs, "delete", breaks)
    assert sweep.run(plenty) == {"orphans": 2, "broken": [stuck]}
    assert stage.objects() == [f"jobs/{stuck}/output/0.png"]


def test_failure_files_are_tidied_whatever_broke_before(
    stage: Stage, sweep: Sweep, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(stage, f"failures/{ids.new_id()}-error.out")
    clock.seconds = TIMEOUTS.forgotten + 60
    monkeypatch.setattr(stage.adapters.outputs, "folders", lambda *_: (_ for _ in ()).throw(Busy("aws_busy", "x")))
    with pytest.raises(Busy):
        sweep.run(plenty)
    assert stage.objects() == []


def test_a_job_that_ends_behind_the_walk_is_come_to_within_a_day(
    stage: Stage, sweep: Sweep, clock: Clock, job_id: str
) -> None:
    early = submit()
    call("POST", f"/jobs/{early}/cancel")
    clock.seconds = TIMEOUTS.forgotten + 60
    stage.adapters.bookmarks.save("jobs", {"ended:cancelled#0": early, "ended:since": str(int(clock()))})
    call("POST", f"/jobs/{job_id}/cancel")
    put(stage, f"jobs/{job_id}/output/0.png")
    sweep.run(plenty)
    assert f"jobs/{job_id}/output/0.png" in stage.objects()
    clock.seconds += 86_402
    for _ in range(2):
        sweep.run(plenty)
    assert stage.objects() == []


def test_jobs_in_progress_have_their_turn_behind_a_long_line_of_created_ones(
    stage: Stage, sweep: Sweep, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darkroom.jobs.sweep_walker.PAGE", 1)
    for _ in range(3):
        created(stage)
    job_id = submit()
    answer(stage, job_id, manifest(job_id))
    stage.sagemaker.endpoints = [endpoint(status="OutOfService")]
    clock.seconds = 301
    for _ in range(6):
        sweep.run(so_often(2))
    assert shown(job_id)["status"] == "succeed"


def test_jobs_are_settled_without_the_list_of_endpoints_and_its_lack_is_told(
    stage: Stage, sweep: Sweep, clock: Clock, job_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage.services.endpoints, "all", lambda fresh: (_ for _ in ()).throw(PermissionError))
    answer(stage, job_id, manifest(job_id))
    clock.seconds = 301
    assert sweep.run(plenty) == {"looked_at": 1, "succeed": 1, "broken": ["endpoints"]}


def test_a_job_without_an_endpoint_waits_until_its_time_is_out(stage: Stage, sweep: Sweep, clock: Clock) -> None:
    job_id = created(stage)
    names = {"#e": "endpoint", "#p": "price"}
    stage.dynamodb.update_item(
        TableName="jobs", Key={"id": {"S": job_id}}, UpdateExpression="REMOVE #e, #p", ExpressionAttributeNames=names
    )
    clock.seconds = 301
    assert sweep.run(plenty) == {"looked_at": 1, "broken": []}
    clock.seconds = TIMEOUTS.deadline + 60
    assert sweep.run(plenty)["timed_out"] == 1


def test_the_age_of_the_oldest_open_job_is_told_until_it_ends(
    stage: Stage, sweep: Sweep, clock: Clock, job_id: str
) -> None:
    clock.seconds = 301
    assert 301 <= cast(int, sweep.run_and_measure(plenty)[OLDEST]) < 400
    answer(stage, job_id, manifest(job_id))
    assert sweep.run_and_measure(plenty)[OLDEST] == 0
