"""Deleting many jobs on moto: by their ids at once, and by filters in steps behind a queue."""

import json
from itertools import count
from typing import Any
from unittest.mock import patch
from urllib.parse import urlencode

import pytest

from darkroom import ids
from darkroom.errors import Busy
from darkroom.jobs import deletion_steps
from darkroom.jobs.deletion import INDEX_DELAY
from darkroom.jobs.deletion_steps import GIVE_UP, about
from darkroom.steps import ATTEMPTS, FALLBACK_DELAY
from infra.events import ATTEMPTS as QUEUE_ATTEMPTS
from tests.support.events import completed, deliver, deliver_to, failed, manifest
from tests.support.http import Reply, call
from tests.support.stage import Stage

JOB = {"type": "txt2img", "checkpoint": "v1-5.safetensors", "parameters": {"prompt": "a pier"}}
FOREVER = 1_000_000


class Queue:
    """Steps that wait, with their delays; the safety nets lie beside them."""

    def __init__(self) -> None:
        self.waiting: list[str] = []
        self.delays: list[int] = []
        self.nets: list[str] = []
        self.busy = 0

    def send(self, body: str, delay: int) -> None:
        if self.busy:
            self.busy -= 1
            raise Busy("aws_busy", "x")
        if delay == FALLBACK_DELAY and json.loads(body)["step"] == 1:
            self.nets.append(body)
            return
        self.waiting.append(body)
        self.delays.append(delay)


@pytest.fixture
def queue(stage: Stage) -> Queue:
    stage.configure(threads=1, max_open_jobs_per_owner=1000)
    made = Queue()
    stage.adapters.deletion_queue = made
    return made


def make(number: int, owner: str = "alice", **more: Any) -> list[str]:
    """Some jobs, oldest first."""
    return [call("POST", "/jobs", {**JOB, **more}, owner=owner).json["id"] for _ in range(number)]


def delete(body: dict[str, Any], **more: Any) -> Reply:
    return call("POST", "/jobs/delete", body, **more)


def begin(want: int = 202, **filters: Any) -> Any:
    reply = delete({"filters": filters})
    assert reply.status == want, reply.body
    return reply.json


def run(queue: Queue) -> int:
    """Carry out steps until none is left; returns how many there were."""
    for number in count():
        if not queue.waiting:
            return number
        assert deliver_to("job_deletions", queue.waiting.pop(0)) == []
    raise AssertionError


def told(deletion: Any) -> Any:
    return call("GET", f"/jobs/deletions/{deletion['id']}").json


def left(stage: Stage) -> set[str]:
    return {row["id"]["S"] for row in stage.rows() if "status" in row}


# by ids


def test_each_named_job_is_deleted_and_told(stage: Stage, queue: Queue) -> None:
    first, second, kept = make(3)
    label = call("GET", f"/jobs/{second}").json["label"]
    deliver(completed(first, manifest(first)))
    unknown = ids.new_id()
    reply = delete({"ids": [first, label, unknown, "no id at all", first]})
    assert reply.status == 200
    assert [(job["id"], job["outcome"]) for job in reply.json["jobs"]] == [
        (first, "deleted"),
        (second, "deleted"),
        (unknown, "not_found"),
        ("no id at all", "not_found"),
    ]
    assert left(stage) == {kept}
    # As a single DELETE leaves it: the worker of an open job is stopped.
    assert stage.objects() == [f"jobs/{second}/cancelled"]


def test_another_owners_jobs_are_as_if_they_were_not_there(stage: Stage, queue: Queue) -> None:
    [theirs], [own] = make(1, owner="bob"), make(1)
    reply = delete({"ids": [theirs, own]}, role="artist")
    assert [job["outcome"] for job in reply.json["jobs"]] == ["not_found", "deleted"]
    assert left(stage) == {theirs}
    assert delete({"ids": [theirs]}).json["jobs"][0]["outcome"] == "deleted"


def test_a_job_that_cannot_be_deleted_stops_none_of_the_others(stage: Stage, queue: Queue) -> None:
    jobs = make(3)
    with broken(stage, {jobs[1]}):
        reply = delete({"ids": jobs})
    assert [job["outcome"] for job in reply.json["jobs"]] == ["deleted", "failed", "deleted"]
    assert reply.json["jobs"][1]["reason"] == "It could not be deleted (RuntimeError)."
    assert left(stage) == {jobs[1]}
    assert [job["outcome"] for job in delete({"ids": jobs}).json["jobs"]] == ["not_found", "deleted", "not_found"]


def test_a_repeat_with_the_same_idempotency_key_tells_the_same(stage: Stage, queue: Queue) -> None:
    jobs = [*make(2), ids.new_id()]
    key = {"Idempotency-Key": "k"}
    with broken(stage, {jobs[1]}):
        first = delete({"ids": jobs}, headers=key)
    assert [job["outcome"] for job in first.json["jobs"]] == ["deleted", "failed", "not_found"]
    again = delete({"ids": jobs}, headers=key)
    assert [job["outcome"] for job in again.json["jobs"]] == ["deleted", "deleted", "not_found"]
    assert delete({"ids": jobs}, headers=key).json == again.json
    assert delete({"ids": jobs[:1]}, headers=key).code == "idempotency_key_reused"
    assert call("POST", "/jobs", JOB, headers=key).code == "idempotency_key_reused"


def test_what_was_not_reached_in_time_is_told(stage: Stage, queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = make(3)
    clock = iter([0.0, 1.0, 2.0, 99.0])
    monkeypatch.setattr(stage.services.removal, "_monotonic", clock.__next__)
    reply = delete({"ids": jobs})
    assert [job["outcome"] for job in reply.json["jobs"]] == ["deleted", "deleted", "failed"]
    assert "send it again" in reply.json["jobs"][2]["reason"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"ids": []},
        {"ids": ["x"] * 101},
        {"ids": ["x"], "filters": {"status": ["fail"]}},
        {"filters": {}},
        {"filters": {"q": "  "}},
        {"filters": {"all": False}},
        {"filters": {"all": True, "status": ["fail"]}},
        {"filters": {"all": "yes"}},
        {"filters": {"status": ["lost"]}},
        {"filters": {"Status": "fail"}},
        {"filters": {"from": "yesterday"}},
        {"filters": {"limit": 3}},
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_deleted(stage: Stage, queue: Queue, body: Any) -> None:
    jobs = make(1)
    reply = delete(body)
    assert (reply.status, reply.code) == (422, "invalid_request")
    assert reply.json["errors"][0]["loc"][0] == "body"
    assert (left(stage), queue.waiting, queue.nets) == (set(jobs), [], [])


# by filters


def test_a_deletion_takes_all_that_its_filters_find_and_tells_how_far_it_is(stage: Stage, queue: Queue) -> None:
    broke, fine = make(3), make(2)
    for job_id in broke:
        deliver(failed(job_id))
    begun = begin(status="fail", type=["txt2img"])
    assert (begun["status"], begun["deleted"], begun["ended_at"]) == ("running", 0, None)
    assert begun["filters"] == {"status": ["fail"], "type": ["txt2img"]}
    assert left(stage) == {*broke, *fine}
    assert queue.delays == [INDEX_DELAY]
    run(queue)
    done = told(begun)
    assert (done["status"], done["deleted"], done["failed"], done["failures"]) == ("done", 3, 0, [])
    assert done["ended_at"] >= done["started_at"]
    assert left(stage) == set(fine)


@pytest.mark.parametrize("filters", [{"checkpoint": "V1-5"}, {"endpoint": "a"}])
def test_a_deletion_takes_names_in_the_spellings_of_the_list(
    stage: Stage, queue: Queue, filters: dict[str, Any]
) -> None:
    made = set(make(2))
    listed = {job["id"] for job in call("GET", "/jobs?" + urlencode(filters)).json["jobs"]}
    assert listed == made
    begun = begin(**filters)
    run(queue)
    assert (told(begun)["deleted"], left(stage)) == (2, set())


def test_everything_is_deleted_when_that_is_said(stage: Stage, queue: Queue) -> None:
    make(4)
    begun = begin(all=True)
    run(queue)
    assert (told(begun)["status"], told(begun)["deleted"], left(stage)) == ("done", 4, set())


def test_jobs_made_after_it_began_are_not_touched(stage: Stage, queue: Queue) -> None:
    make(2)
    begun = begin(all=True)
    later = make(3)
    run(queue)
    assert told(begun)["deleted"] == 2
    assert left(stage) == set(later)


def test_a_job_that_is_no_longer_what_was_asked_for_stays(stage: Stage, queue: Queue) -> None:
    """The index may tell an older status than the row has."""
    first, second = make(2)
    for job_id in (first, second):
        deliver(failed(job_id))
    begun = begin(status=["fail"])
    real = stage.adapters.store.get

    def changed(job_id: str) -> Any:
        job = real(job_id)
        if job is not None and job_id == first:
            object.__setattr__(job, "line", type(job.line)(**{**_fields(job.line), "status": "succeed"}))
        return job

    with patch.object(stage.adapters.store, "get", changed):
        run(queue)
    assert told(begun)["deleted"] == 1
    assert left(stage) == {first}


def _fields(line: Any) -> dict[str, Any]:
    return {name: getattr(line, name) for name in line.__dataclass_fields__}


def test_an_artist_deletes_own_jobs_alone(stage: Stage, queue: Queue) -> None:
    theirs, own = make(2, owner="bob"), make(2)
    everything = delete({"filters": {"all": True}}, role="artist").json
    of_bob = delete({"filters": {"owner": "bob"}}, role="artist").json
    run(queue)
    assert (told(everything)["deleted"], told(of_bob)["deleted"], told(of_bob)["status"]) == (2, 0, "done")
    assert left(stage) == set(theirs)
    assert not left(stage) & set(own)


def test_a_deletion_is_seen_and_stopped_by_whom_its_jobs_belong_to(stage: Stage, queue: Queue) -> None:
    path = f"/jobs/deletions/{delete({'filters': {'all': True}}, role='artist').json['id']}"
    for method, more in (("GET", ""), ("POST", "/stop")):
        assert call(method, path + more, owner="bob", role="artist").code == "deletion_not_found"
        assert call(method, f"/jobs/deletions/{ids.new_id()}{more}").code == "deletion_not_found"
        assert call(method, f"/jobs/deletions/nonsense{more}").code == "deletion_not_found"
    assert call("GET", path, owner="bob", role="viewer").json["status"] == "running"
    assert call("POST", f"{path}/stop", role="artist").json["status"] == "stopped"
    assert call("POST", f"{path}/stop").json["status"] == "stopped"


@pytest.fixture
def small_steps(stage: Stage, queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of two jobs; a step has time for one page."""
    monkeypatch.setattr(deletion_steps, "PAGE", 2)
    clock = count(0, 8)
    monkeypatch.setattr(stage.services.deletion_steps, "_monotonic", clock.__next__)


@pytest.mark.usefixtures("small_steps")
def test_a_long_deletion_goes_on_from_step_to_step(stage: Stage, queue: Queue) -> None:
    make(7)
    begun, seen = begin(all=True), []
    while queue.waiting:
        deliver_to("job_deletions", queue.waiting.pop(0))
        seen.append(told(begun)["deleted"])
    assert seen[-1] == 7
    assert len(seen) > 3
    assert sorted(seen) == seen
    assert (told(begun)["status"], left(stage)) == ("done", set())
    assert queue.delays == [INDEX_DELAY, *[0] * (len(seen) - 1)]


@pytest.mark.usefixtures("small_steps")
def test_a_stopped_deletion_deletes_nothing_more(stage: Stage, queue: Queue) -> None:
    make(6)
    begun = begin(all=True)
    deliver_to("job_deletions", queue.waiting.pop(0))
    so_far = told(begun)["deleted"]
    assert call("POST", f"/jobs/deletions/{begun['id']}/stop").json["status"] == "stopped"
    run(queue)
    stopped = told(begun)
    assert (stopped["status"], stopped["deleted"]) == ("stopped", so_far)
    assert len(left(stage)) == 6 - so_far
    assert stopped["ended_at"] is not None


def test_a_stop_in_the_middle_of_a_step_is_heeded_at_its_next_page(
    stage: Stage, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletion_steps, "PAGE", 2)
    make(6)
    begun = begin(all=True)
    real = stage.services.removal.remove
    calls: list[Any] = []

    def stop_at_the_first(job: Any) -> None:
        if not calls:
            call("POST", f"/jobs/deletions/{begun['id']}/stop")
        calls.append(job)
        real(job)

    with patch.object(stage.services.removal, "remove", stop_at_the_first):
        run(queue)
    stopped = told(begun)
    # Its page is deleted to the end, and counted.
    assert (stopped["status"], stopped["deleted"], len(left(stage))) == ("stopped", 2, 4)


def broken(stage: Stage, job_ids: set[str] | None = None, times: int = FOREVER, error: Any = RuntimeError) -> Any:
    """S3 keeps the objects of these jobs, of all without any, so many times."""
    real, faults = stage.adapters.outputs.delete, iter(range(times))

    def delete_objects(job_id: str, *more: Any, **named: Any) -> None:
        if (job_ids is None or job_id in job_ids) and next(faults, None) is not None:
            raise error("S3 kept 1 of 1 objects")
        real(job_id, *more, **named)

    return patch.object(stage.adapters.outputs, "delete", delete_objects)


def test_what_cannot_be_deleted_now_is_tried_again_in_later_steps(stage: Stage, queue: Queue) -> None:
    jobs = make(3)
    begun = begin(all=True)
    with broken(stage, {jobs[1]}, times=2):
        deliver_to("job_deletions", queue.waiting.pop(0))
        waiting = told(begun)
        assert (waiting["status"], waiting["deleted"], waiting["failed"]) == ("running", 2, 0)
        assert waiting["reason"] == "1 job could not be deleted yet; the next step tries again."
        run(queue)
    done = told(begun)
    assert (done["status"], done["deleted"], done["reason"]) == ("done", 3, None)
    assert queue.delays == [INDEX_DELAY, 15, 30]


def test_what_can_never_be_deleted_is_named_and_the_rest_is_deleted(
    stage: Stage, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletion_steps, "PAGE", 2)
    jobs = make(5)
    begun = begin(all=True)
    with broken(stage, {jobs[3]}):
        run(queue)
    done = told(begun)
    assert (done["status"], done["deleted"], done["failed"]) == ("done", 4, 1)
    assert done["failures"] == [
        {"id": jobs[3], "outcome": "failed", "reason": "It could not be deleted (RuntimeError)."}
    ]
    assert queue.delays == [INDEX_DELAY, 15, 30, 60, 120, 240]
    assert left(stage) == {jobs[3]}


def test_a_deletion_that_can_delete_hardly_anything_gives_up(
    stage: Stage, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletion_steps, "GIVE_UP", 3)
    make(5)
    begun = begin(all=True)
    with broken(stage):
        run(queue)
    ended = told(begun)
    assert (ended["status"], ended["deleted"], ended["reason"]) == ("fail", 0, "5 jobs could not be deleted.")
    assert ended["ended_at"] is not None
    assert GIVE_UP >= 3


def test_a_step_that_fails_as_a_whole_is_tried_again_and_ends_as_fail_with_the_reason(
    stage: Stage, queue: Queue
) -> None:
    make(2)
    begun = begin(all=True)
    with patch.object(stage.adapters.store, "read", side_effect=Busy("aws_busy", "x")):
        assert run(queue) == ATTEMPTS
    ended = told(begun)
    assert (ended["status"], ended["deleted"]) == ("fail", 0)
    assert "A step failed (Busy)" in ended["reason"]
    assert len(left(stage)) == 2


class Killed(BaseException):
    """What ends a process ends it anywhere."""


def deliver_until_killed(body: str) -> None:
    with pytest.raises(Killed):
        deliver_to("job_deletions", body)


def test_a_step_that_is_killed_goes_on_and_every_job_is_counted_once(stage: Stage, queue: Queue) -> None:
    make(5)
    begun = begin(all=True)
    body, real = queue.waiting.pop(0), stage.services.removal.remove
    done: list[Any] = []

    def killed_at_the_third(job: Any) -> None:
        if len(done) == 2:
            done.append(job)
            raise Killed
        done.append(job)
        real(job)

    with patch.object(stage.services.removal, "remove", killed_at_the_third):
        deliver_until_killed(body)
        assert len(left(stage)) == 3
        # The queue brings the message again.
        assert deliver_to("job_deletions", body) == []
    run(queue)
    assert (told(begun)["status"], told(begun)["deleted"], left(stage)) == ("done", 5, set())


def test_steps_that_are_killed_again_and_again_end_before_the_queue_gives_up(stage: Stage, queue: Queue) -> None:
    make(1)
    begun = begin(all=True)
    body = queue.waiting.pop(0)
    with patch.object(stage.services.removal, "remove", side_effect=Killed):
        for _ in range(3):
            deliver_until_killed(body)
        deliver_to("job_deletions", body)
    assert (told(begun)["status"], told(begun)["reason"]) == ("fail", "Its steps were broken off again and again.")
    assert QUEUE_ATTEMPTS >= 4


@pytest.mark.usefixtures("small_steps")
def test_a_message_twice_begins_no_second_chain(stage: Stage, queue: Queue) -> None:
    make(6)
    begun = begin(all=True)
    first = queue.waiting.pop(0)
    deliver_to("job_deletions", first)
    assert deliver_to("job_deletions", queue.nets[0]) == []
    assert len(queue.waiting) == 1
    second = queue.waiting.pop(0)
    deliver_to("job_deletions", second)
    deliver_to("job_deletions", first)
    assert len(queue.waiting) == 1
    run(queue)
    deliver_to("job_deletions", second)
    assert (told(begun)["status"], told(begun)["deleted"], queue.waiting) == ("done", 6, [])


def test_a_deletion_whose_first_step_was_not_left_is_begun_by_its_net(stage: Stage, queue: Queue) -> None:
    make(2)
    real, calls = queue.send, count()

    def second_is_busy(body: str, delay: int) -> None:
        if next(calls) == 1:
            raise Busy("aws_busy", "x")
        real(body, delay)

    with patch.object(queue, "send", second_is_busy):
        begun = begin(all=True)
    assert queue.waiting == []
    deliver_to("job_deletions", queue.nets.pop())
    assert (told(begun)["status"], told(begun)["deleted"]) == ("done", 2)


def test_the_same_idempotency_key_finds_the_deletion_that_it_began(stage: Stage, queue: Queue) -> None:
    make(2)
    key, body = {"Idempotency-Key": "k"}, {"filters": {"all": True}}
    first = delete(body, headers=key)
    later = make(1)
    assert delete(body, headers=key).json == first.json
    run(queue)
    again = delete(body, headers=key)
    assert (again.status, again.json["id"], again.json["status"]) == (202, first.json["id"], "done")
    assert delete({"filters": {"status": ["fail"]}}, headers=key).code == "idempotency_key_reused"
    assert delete({"ids": later}, headers=key).code == "idempotency_key_reused"
    assert left(stage) == set(later)


def test_a_repeat_of_a_request_that_broke_off_takes_no_job_that_was_made_since(stage: Stage, queue: Queue) -> None:
    make(2)
    key, body = {"Idempotency-Key": "k"}, {"filters": {"all": True}}
    queue.busy = 1
    assert delete(body, headers=key).status == 503
    later = make(2)
    begun = delete(body, headers=key).json
    run(queue)
    assert (told(begun)["deleted"], left(stage)) == (2, set(later))


def test_rows_of_deletions_expire_and_are_no_jobs(stage: Stage, queue: Queue) -> None:
    begun = begin(all=True)
    [row] = stage.rows()
    assert int(row["expires_at"]["N"]) > 0
    assert call("GET", "/jobs?owner=alice").json["jobs"] == []
    assert call("GET", "/jobs").json["jobs"] == []
    assert call("GET", f"/jobs/{begun['id']}").code == "job_not_found"


@pytest.mark.parametrize("message", ["", "[]", "{}", '{"deletion": "x", "step": 1, "token": "t"}', '{"deletion": 5}'])
def test_a_message_that_is_no_step_goes_to_the_dead_letters(stage: Stage, queue: Queue, message: str) -> None:
    assert deliver_to("job_deletions", message) == ["0"]
    assert about(message).kind == "unknown"


def test_a_dead_letter_tells_its_deletion(stage: Stage, queue: Queue) -> None:
    begun = begin(all=True)
    assert about(queue.waiting[0]).subject == begun["id"]


def test_jobs_are_deleted_by_rating_tag_and_seed(queue: Queue) -> None:
    one, two, three = make(3)
    for job_id, rating, tags in ((one, 1, ["sea"]), (two, 1, ["sea", "night"]), (three, 2, ["Sea", "night"])):
        assert call("PATCH", f"/jobs/{job_id}", {"rating": rating, "tags": tags}).status == 200
    deliver(completed(two, manifest(two)))
    # One word or number stands for a list of one.
    for filters in ({"rating": 1, "tag": "SEA", "seed": 7}, {"rating": [2, 3], "tag": ["sea", "night"]}):
        reply = delete({"filters": filters})
        assert reply.status == 202, reply.body
        run(queue)
    assert [line["id"] for line in call("GET", "/jobs").json["jobs"]] == [one]
    for wrong in ({"rating": 6}, {"rating": [0]}, {"seed": -1}, {"tag": [""]}):
        assert delete({"filters": wrong}).status == 422, wrong
