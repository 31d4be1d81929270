"""Input pictures go a day after the last job that names them, and never under a job."""

import base64
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest

from darkroom.aws.job_items import attributes
from darkroom.errors import Busy
from darkroom.images.model import image_key
from darkroom.jobs import submission
from darkroom.jobs.named_models import MAX_MODELS
from darkroom.jobs.sweep_pictures import CLAIM_SECONDS, SETTLED
from tests.support.aws import SETTINGS
from tests.support.faults import Clock
from tests.support.http import Reply, call
from tests.support.pictures import png
from tests.support.stage import Stage

HOUR, DAY = 3_600, 86_400
RETENTION = SETTINGS.retention_days * DAY
BODY: dict[str, Any] = {"type": "img2img", "checkpoint": "v1-5.safetensors", "parameters": {"prompt": "a pier"}}


@pytest.fixture
def clock(stage: Stage) -> Clock:
    made = Clock()
    stage.configure(clock=made, threads=1)
    return made


@pytest.fixture
def picture(stage: Stage, clock: Clock) -> str:
    return stage.upload(png())


def submit(picture: str, owner: str = "alice", **images: str) -> str:
    reply = call("POST", "/jobs", {**BODY, "images": {"init": picture, **images}}, owner=owner)
    assert reply.status == 201, reply.body
    return str(reply.json["id"])


def delete(job_id: str) -> None:
    assert call("DELETE", f"/jobs/{job_id}").status == 204


def sweep(stage: Stage) -> None:
    assert stage.services.rounds["jobs"](lambda: 100.0)["broken"] == []


def is_there(stage: Stage, picture: str, owner: str = "alice") -> bool:
    return image_key(owner, picture) in stage.objects()


def rows(stage: Stage) -> list[str]:
    """The sort keys of the pictures table: ids of jobs, and `look`."""
    found = stage.dynamodb.scan(TableName=SETTINGS.pictures_table)["Items"]
    return sorted(row["job"]["S"] for row in found)


def test_a_picture_goes_a_day_after_the_last_job_that_names_it(stage: Stage, clock: Clock, picture: str) -> None:
    first, second = submit(picture), submit(picture)
    clock.ahead = 10 * DAY
    delete(first)
    clock.ahead += DAY + 60
    sweep(stage)
    assert is_there(stage, picture)
    assert rows(stage) == [second, "look"]
    delete(second)
    clock.ahead += DAY - 60
    sweep(stage)
    assert is_there(stage, picture)
    clock.ahead += 120
    sweep(stage)
    assert not is_there(stage, picture)
    assert rows(stage) == []


def test_the_use_of_every_picture_is_written_with_its_job_once(stage: Stage, clock: Clock, picture: str) -> None:
    other = stage.upload(png(color=(1, 2, 3)))
    made = submit(picture, mask=picture, extra=other)
    assert rows(stage) == [made, made]
    call("POST", "/jobs", {**BODY, "type": "txt2img"})
    assert rows(stage) == [made, made]


def test_a_bulk_delete_lets_pictures_go_as_well(stage: Stage, clock: Clock, picture: str) -> None:
    jobs = [submit(picture) for _ in range(3)]
    call("POST", "/jobs/delete", {"ids": jobs})
    clock.ahead = SETTLED + DAY
    sweep(stage)
    assert (is_there(stage, picture), rows(stage)) == (False, [])


def test_a_job_whose_row_expired_keeps_no_picture(stage: Stage, clock: Clock, picture: str) -> None:
    """Its use may still be there: the row of the job is the truth."""
    expired, deleted = submit(picture), submit(picture)
    delete(deleted)
    clock.ahead = 3 * DAY
    sweep(stage)
    assert is_there(stage, picture)
    # DynamoDB removes the row by its time to live; the look was put off until then.
    stage.dynamodb.delete_item(TableName=SETTINGS.jobs_table, Key=attributes({"id": expired}))
    clock.ahead = RETENTION + DAY - HOUR
    sweep(stage)
    assert is_there(stage, picture)
    clock.ahead = RETENTION + 4 * DAY + HOUR
    sweep(stage)
    assert (is_there(stage, picture), rows(stage)) == (False, [])


def test_a_job_past_its_time_whose_row_is_there_keeps_its_picture(stage: Stage, clock: Clock, picture: str) -> None:
    submit(picture)
    delete(submit(picture))
    for ahead in (3 * DAY, RETENTION + 2 * DAY, RETENTION + 4 * DAY):
        clock.ahead = ahead
        sweep(stage)
        assert is_there(stage, picture)


def test_pictures_of_two_owners_are_two(stage: Stage, clock: Clock, picture: str) -> None:
    stage.upload(png(), owner="bob")
    submit(picture, owner="bob")
    delete(submit(picture))
    clock.ahead = 3 * DAY
    sweep(stage)
    assert (is_there(stage, picture), is_there(stage, picture, "bob")) == (False, True)


def test_a_picture_that_no_job_ever_named_is_left_to_the_bucket(stage: Stage, clock: Clock, picture: str) -> None:
    clock.ahead = 30 * DAY
    sweep(stage)
    assert is_there(stage, picture)


def before_uses_were_kept(stage: Stage, job_id: str) -> None:
    """As a release before this one wrote a job."""
    stage.dynamodb.update_item(
        TableName=SETTINGS.jobs_table, Key=attributes({"id": job_id}), UpdateExpression="REMOVE uses"
    )
    for row in stage.dynamodb.scan(TableName=SETTINGS.pictures_table)["Items"]:
        if row["job"]["S"] == job_id:
            key = {name: row[name] for name in ("picture", "job")}
            stage.dynamodb.delete_item(TableName=SETTINGS.pictures_table, Key=key)


def test_a_picture_of_jobs_from_before_is_left_alone(stage: Stage, clock: Clock, picture: str) -> None:
    first, second = submit(picture), submit(picture)
    for job_id in (first, second):
        before_uses_were_kept(stage, job_id)
    delete(second)
    assert rows(stage) == []
    clock.ahead = 3 * DAY
    sweep(stage)
    assert is_there(stage, picture)


def test_while_a_job_from_before_is_there_no_picture_goes(stage: Stage, clock: Clock, picture: str) -> None:
    """Nobody knows which pictures it names."""
    old = submit(picture)
    before_uses_were_kept(stage, old)
    delete(submit(picture))
    clock.ahead = 3 * DAY
    sweep(stage)
    assert is_there(stage, picture)
    delete(old)
    sweep(stage)
    assert not is_there(stage, picture)


def test_while_the_oldest_job_cannot_be_told_no_picture_goes(stage: Stage, clock: Clock, picture: str) -> None:
    """The index still has jobs that the table has no more."""
    submit(picture)
    delete(submit(picture))
    clock.ahead = 3 * DAY
    with patch.object(stage.adapters.store, "get", lambda _: None), pytest.raises(Busy):
        stage.services.rounds["jobs"](lambda: 100.0)
    assert is_there(stage, picture)


def test_a_picture_stored_anew_waits_a_day(stage: Stage, clock: Clock, picture: str) -> None:
    delete(submit(picture))
    stage.age(picture, -2)
    clock.ahead = 2 * DAY
    sweep(stage)
    assert is_there(stage, picture)
    clock.ahead = 2 * DAY + SETTLED + 60
    sweep(stage)
    assert not is_there(stage, picture)


# A submission meets the sweeper. Moto stamps objects with the real time, so pictures are old by the clock.


def due_and_old(stage: Stage, clock: Clock, picture: str) -> None:
    """Nobody names the picture any more, and the next round removes it."""
    delete(submit(picture))
    clock.ahead = 3 * DAY


def by_id(picture: str) -> Reply:
    return call("POST", "/jobs", {**BODY, "images": {"init": picture}})


def inside(_: str) -> Reply:
    return call("POST", "/jobs", {**BODY, "parameters": {"init_images": [base64.b64encode(png()).decode()]}})


def registered(picture: str) -> Reply:
    body = {"sha256": picture, "bytes": len(png()), "content_type": "image/png"}
    return call("POST", "/images", body)


@pytest.mark.parametrize("ask", [by_id, inside, registered])
def test_a_picture_that_is_asked_for_stays_for_a_day(stage: Stage, clock: Clock, picture: str, ask: Any) -> None:
    due_and_old(stage, clock, picture)
    assert ask(picture).status in (200, 201)
    clock.ahead += DAY - HOUR
    sweep(stage)
    assert is_there(stage, picture)


def calls_of_the_stores(stage: Stage) -> Iterator[tuple[str, Any]]:
    """Everything that a request may ask of pictures and rows, by name, with the adapter it belongs to."""
    for part in (stage.adapters.image_store, stage.adapters.picture_uses, stage.adapters.store):
        for name in [name for name in dir(type(part)) if not name.startswith("_")]:
            yield name, part


@pytest.mark.parametrize("ask", [by_id, inside])
@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_a_round_at_any_moment_of_a_submission_takes_no_picture_from_a_job(
    stage: Stage, clock: Clock, picture: str, ask: Any, late: bool
) -> None:
    """A whole round runs before or after each call of the submission, one at a time. Whatever comes of the request, a
    job that was made has its picture."""
    due_and_old(stage, clock, picture)
    met = 0
    for name, part in calls_of_the_stores(stage):
        clock.ahead += 3 * DAY
        real = getattr(part, name)
        busy: list[int] = []

        def with_a_round(*args: Any, _real: Any = real, _busy: list[int] = busy, **named: Any) -> Any:
            if _busy:
                return _real(*args, **named)
            _busy.append(1)
            if not late:
                sweep(stage)
            found = _real(*args, **named)
            if late:
                sweep(stage)
            return found

        with patch.object(part, name, with_a_round):
            reply = ask(picture)
        if not busy:
            # The submission does without this call, so no round has run.
            delete(reply.json["id"])
            continue
        met += 1
        if reply.status == 201:
            assert is_there(stage, picture), f"a round at {name} took the picture from under the job"
            sweep(stage)
            assert is_there(stage, picture)
            delete(reply.json["id"])
        else:
            assert reply.code == "image_not_uploaded", reply.body
            stage.upload(png())
            delete(submit(picture))
    assert met >= 4


@pytest.mark.parametrize("ask", [by_id, inside, registered])
def test_while_a_picture_is_being_removed_a_request_is_asked_to_come_again(
    stage: Stage, clock: Clock, picture: str, ask: Any
) -> None:
    due_and_old(stage, clock, picture)
    seen = []

    def delete_object(owner: str, image: str) -> None:
        seen.append(ask(picture))

    with patch.object(stage.adapters.image_store, "delete", delete_object):
        sweep(stage)
    [reply] = seen
    assert (reply.status, reply.code) == (503, "image_is_going")
    assert "Retry-After" in reply.headers


def test_a_removal_that_broke_off_is_finished_by_a_later_round(stage: Stage, clock: Clock, picture: str) -> None:
    due_and_old(stage, clock, picture)
    with patch.object(stage.adapters.image_store, "delete", side_effect=Busy("aws_busy", "x")):
        stage.services.rounds["jobs"](lambda: 100.0)
    sweep(stage)
    assert is_there(stage, picture)  # The round that claimed it may still be at it.
    clock.ahead += CLAIM_SECONDS + 60
    sweep(stage)
    assert (is_there(stage, picture), rows(stage)) == (False, [])


def test_a_look_that_was_put_off_after_it_was_read_removes_nothing(stage: Stage, clock: Clock, picture: str) -> None:
    due_and_old(stage, clock, picture)
    real = stage.adapters.picture_uses.claim

    def beaten(due: Any, now: str) -> bool:
        assert registered(picture).status == 200
        return real(due, now)

    with patch.object(stage.adapters.picture_uses, "claim", beaten):
        sweep(stage)
    assert is_there(stage, picture)


def test_ten_thousand_uses_of_one_picture_are_rows_of_their_own(stage: Stage, clock: Clock, picture: str) -> None:
    """No item grows; the rows of jobs that have gone are dropped with the picture."""
    last = submit(picture)
    row = stage.dynamodb.scan(TableName=SETTINGS.pictures_table)["Items"][0]
    for number in range(300):
        gone = {**row, "job": {"S": f"00000000-0000-7000-8000-{number:012}"}}
        stage.dynamodb.put_item(TableName=SETTINGS.pictures_table, Item=gone)
    delete(last)
    clock.ahead = 3 * DAY
    sweep(stage)
    assert (is_there(stage, picture), rows(stage)) == (False, [])


def test_a_repeat_with_the_same_idempotency_key_writes_one_use(stage: Stage, clock: Clock, picture: str) -> None:
    body, key = {**BODY, "images": {"init": picture}}, {"Idempotency-Key": "k"}
    first = call("POST", "/jobs", body, headers=key)
    assert call("POST", "/jobs", body, headers=key).json["id"] == first.json["id"]
    assert rows(stage) == [first.json["id"]]


def test_a_replay_uses_the_pictures_too(stage: Stage, clock: Clock, picture: str) -> None:
    old = submit(picture)
    own = call("POST", f"/jobs/{old}/replay").json["id"]
    call("POST", f"/jobs/{old}/replay", owner="bob")
    for job_id in (old, own):
        delete(job_id)
    clock.ahead = 3 * DAY
    sweep(stage)
    assert (is_there(stage, picture), is_there(stage, picture, "bob")) == (False, True)


def test_many_models_beside_many_pictures_fit_one_transaction(stage: Stage, clock: Clock) -> None:
    assert submission.models_beside(0) == MAX_MODELS
    assert 2 + 32 + submission.models_beside(32) == submission.TRANSACTION_ITEMS
    names = [f"film-{number}" for number in range(80)]
    for name in names:
        stage.model(f"{name}.safetensors", "lora")
    pictures = {f"extra_{number}": stage.upload(png(color=(number, 0, 0))) for number in range(11)}
    tags = " ".join(f"<lora:{name}:1>" for name in names)
    inline = [{"image": base64.b64encode(png(color=(0, number, 1))).decode()} for number in range(20)]
    body = {
        **BODY,
        "images": {"init": stage.upload(png()), **pictures},
        "parameters": {"prompt": tags, "alwayson_scripts": {"many": {"args": inline}}},
    }
    reply = call("POST", "/jobs", body)
    assert reply.status == 201, reply.body
    assert len(rows(stage)) == 32
    stage.model("film-79.safetensors", "lora", status="fail")
    assert call("POST", "/jobs", body).status == 422
