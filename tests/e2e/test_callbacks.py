"""Notifications as they come in real life: twice, late, out of order, as failures, without the answer."""

import hashlib

import httpx
import pytest

from darkroom_client import Refused
from tests.e2e.conftest import Running, txt2img
from tests.support.pictures import png
from tests.support.waiting import eventually

SMALL = txt2img(width=64, height=64)


def test_duplicates_late_and_reordered_notifications_change_nothing(darkroom: Running) -> None:
    darkroom.knobs(duplicate_rate=1.0, late_rate=0.5, late_seconds=0.5, reorder_rate=0.5, seed=3)
    made = [darkroom.client.submit(SMALL)["id"] for _ in range(4)]
    jobs = [darkroom.client.settled(job_id, 30) for job_id in made]
    assert [job["status"] for job in jobs] == ["succeed"] * 4
    # Those that are late and those that come again, too.
    eventually(lambda: darkroom.on_its_way() == 0)
    again = [darkroom.client.job(job_id) for job_id in made]
    assert [(job["status"], job["image_count"], job["completed_at"]) for job in again] == [
        (job["status"], 1, job["completed_at"]) for job in jobs
    ]


def test_a_failure_reaches_the_person_with_its_reason(darkroom: Running) -> None:
    darkroom.knobs(fail_next=1)
    job = darkroom.client.settled(darkroom.client.submit(SMALL)["id"], 30)
    assert job["status"] == "fail"
    assert job["label"].split("->")[2] == "fail"
    assert job["error"] is not None
    assert len(job["error"]["message"]) > 10
    assert job["completed_at"]


def test_garbage_from_the_worker_fails_the_job_readably(darkroom: Running) -> None:
    darkroom.knobs(garbage_rate=1.0)
    job = darkroom.client.settled(darkroom.client.submit(SMALL)["id"], 30)
    assert job["status"] == "fail"
    assert job["error"] is not None
    assert job["error"]["code"] == "bad_answer"


def test_the_answer_is_read_from_s3_when_the_message_does_not_include_it(darkroom: Running) -> None:
    darkroom.knobs(include_response=False)
    job = darkroom.client.settled(darkroom.client.submit(SMALL)["id"], 30)
    assert (job["status"], job["image_count"]) == ("succeed", 1)


def test_an_upload_that_is_no_image_never_becomes_a_job(darkroom: Running) -> None:

    content = b"I am no picture, whatever my content type says" * 3
    body = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), "content_type": "image/png"}
    upload = darkroom.client.request("POST", "/images", json=body)["upload"]
    assert httpx.post(upload["url"], data=upload["fields"], files={"file": content}).status_code < 300
    with pytest.raises(Refused) as refused:
        darkroom.client.submit({"type": "interrogate_clip", "images": {"init": body["sha256"]}})
    assert (refused.value.status, refused.value.code) == (422, "image_unreadable")


def test_an_upload_takes_exactly_the_announced_bytes(darkroom: Running) -> None:

    content = png(64, 64, (1, 2, 3))
    body = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), "content_type": "image/png"}
    upload = darkroom.client.request("POST", "/images", json=body)["upload"]
    longer = httpx.post(upload["url"], data=upload["fields"], files={"file": content + b"x"})
    elsewhere = httpx.post(upload["url"], data={**upload["fields"], "key": "images/bob/x"}, files={"file": content})
    retyped = httpx.post(upload["url"], data={**upload["fields"], "Content-Type": "text/html"}, files={"file": content})
    assert [answer.status_code // 100 for answer in (longer, elsewhere, retyped)] == [4, 4, 4]
