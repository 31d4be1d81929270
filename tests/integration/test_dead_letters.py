"""Dead letters over HTTP: counted, looked at without their prompts, sent back."""

import json
from typing import Any

import boto3
import pytest

from darkroom import ids
from tests.support.aws import REGION
from tests.support.events import completed, manifest, progress
from tests.support.http import call
from tests.support.stage import Stage


class Queues:
    """Real queues under the names of the settings."""

    def __init__(self) -> None:
        self.sqs: Any = boto3.client("sqs", region_name=REGION)
        self.urls = {
            name: self.sqs.create_queue(QueueName=name)["QueueUrl"]
            for name in ("events", "dead-events", "dead-undelivered", "dead-sweeps")
        }

    def settings(self) -> tuple[str, ...]:
        source = self.urls["events"]
        return (
            f"events|{self.urls['dead-events']}|{source}",
            f"undelivered|{self.urls['dead-undelivered']}|{source}",
            f"sweeps|{self.urls['dead-sweeps']}|",
        )

    def put(self, name: str, *bodies: object) -> None:
        for body in bodies:
            text = body if isinstance(body, str) else json.dumps(body)
            self.sqs.send_message(QueueUrl=self.urls[name], MessageBody=text)

    def bodies(self, name: str) -> list[str]:
        found = self.sqs.receive_message(QueueUrl=self.urls[name], MaxNumberOfMessages=10, VisibilityTimeout=0)
        return sorted(message["Body"] for message in found.get("Messages", []))


@pytest.fixture
def queues(stage: Stage) -> Queues:
    made = Queues()
    stage.configure(dead_letter_queues=tuple(made.settings()))
    return made


def test_queues_are_listed_with_their_counts(queues: Queues) -> None:
    queues.put("dead-events", "{}", "[]")
    found = {queue["name"]: queue for queue in call("GET", "/dead-letters").json["queues"]}
    assert {name: queue["messages"] for name, queue in found.items()} == {"events": 2, "undelivered": 0, "sweeps": 0}
    assert found["events"]["oldest"].startswith("20")
    assert found["undelivered"]["oldest"] is None
    assert len(queues.bodies("dead-events")) == 2


def test_a_message_is_shown_without_what_it_holds(queues: Queues) -> None:
    job_id = ids.new_id()
    secret = manifest(job_id, caption="a secret prompt")
    queues.put("dead-events", completed(job_id, secret), progress(job_id, 0.5), "secret garbage", {"prompt": "secret"})
    reply = call("GET", "/dead-letters/events")
    assert "secret" not in reply.body
    shown = {(m["kind"], m["subject"], m["status"], m["reason"]) for m in reply.json["messages"]}
    assert shown == {
        ("result", job_id, "Completed", None),
        ("unknown", None, None, "no JSON"),
        ("unknown", None, None, "no notification that is known"),
    }
    assert reply.json["more"] is False
    assert len(queues.bodies("dead-events")) == 4


def test_looking_is_bounded_and_says_that_there_is_more(queues: Queues) -> None:
    queues.put("dead-events", *(str(number) for number in range(25)))
    page = call("GET", "/dead-letters/events?limit=12").json
    assert (len(page["messages"]), page["more"]) == (12, True)
    assert len({message["id"] for message in page["messages"]}) == 12
    assert call("GET", "/dead-letters").json["queues"][0]["messages"] == 25
    assert call("GET", "/dead-letters/events?limit=101").status == 400


def test_a_failed_round_is_shown_with_its_reason_and_dropped(queues: Queues) -> None:
    queues.put("dead-sweeps", {"responsePayload": {"errorMessage": "jobs (broken: 1)"}}, "whatever")
    reasons = {message["reason"] for message in call("GET", "/dead-letters/sweeps").json["messages"]}
    assert reasons == {"jobs (broken: 1)", None}
    assert call("POST", "/dead-letters/sweeps/redrive").json == {"moved": 0, "dropped": 2, "left": 0}
    assert queues.bodies("dead-sweeps") == []


@pytest.mark.parametrize("name", ["events", "undelivered"])
def test_messages_go_back_to_where_they_came_from(queues: Queues, name: str) -> None:
    queues.put(f"dead-{name}", *(f"m{number}" for number in range(23)))
    assert call("POST", f"/dead-letters/{name}/redrive").json == {"moved": 23, "dropped": 0, "left": 0}
    count = queues.sqs.get_queue_attributes(QueueUrl=queues.urls["events"], AttributeNames=["All"])["Attributes"]
    assert count["ApproximateNumberOfMessages"] == "23"
    assert queues.bodies(f"dead-{name}") == []


def test_a_copy_is_sent_before_its_message_is_deleted(
    stage: Stage, queues: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    queues.put("dead-events", "m")

    def broken(url: str, messages: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(stage.adapters.letters, "delete", broken)
    assert call("POST", "/dead-letters/events/redrive").status == 500
    assert queues.bodies("events") == ["m"]
    assert call("GET", "/dead-letters").json["queues"][0]["messages"] == 1


def test_a_redrive_ends_in_time_and_tells_what_is_left(
    stage: Stage, queues: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    queues.put("dead-events", *(str(number) for number in range(25)))
    moments = iter([0.0, 1.0, 2.0, 99.0])
    monkeypatch.setattr(stage.services.dead_letters, "_monotonic", lambda: next(moments))
    assert call("POST", "/dead-letters/events/redrive").json == {"moved": 20, "dropped": 0, "left": 5}


def test_an_unknown_queue_is_not_there(queues: Queues) -> None:
    assert call("GET", "/dead-letters/nobodys").code == "queue_not_found"
    assert call("POST", "/dead-letters/nobodys/redrive").code == "queue_not_found"
