"""Access keys over HTTP, on moto: made, listed, used, withdrawn."""

import threading
import time
from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from bench.calls import counted
from darkroom.errors import Busy
from darkroom.keys.api import KeyIn
from darkroom.keys.model import Role, digest
from darkroom.keys.routes import ROLES
from functions.jobs_api.handler import app
from tests.support.gateway import send
from tests.support.http import Reply, call
from tests.support.stage import Stage

ADMIN = "a-very-long-admin-secret"
ANNA = {"name": "anna@example.com", "role": "artist"}


def make(**more: Any) -> dict[str, Any]:
    reply = call("POST", "/keys", {**ANNA, **more})
    assert reply.status == 201, reply.body
    assert reply.headers["Cache-Control"] == "no-store"
    made: dict[str, Any] = reply.json
    return made


def keys() -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = call("GET", "/keys").json["keys"]
    return listed


def test_a_key_is_made_used_listed_and_withdrawn(stage: Stage) -> None:
    made = make(days=30, limits={"open_jobs": 4})
    secret = made.pop("secret")
    assert (made["name"], made["role"], made["last_used"]) == ("anna@example.com", "artist", None)
    assert made["limits"] == {"requests_per_minute": None, "open_jobs": 4}
    assert secret.startswith(made["prefix"])
    assert keys() == [made]
    assert send("GET", "/ping", key=secret).status == 200
    [used] = keys()
    assert used == {**made, "last_used": used["last_used"]}
    assert datetime.fromisoformat(used["last_used"]).minute == 0
    assert (datetime.now(UTC) - datetime.fromisoformat(used["last_used"])).total_seconds() < 3700
    assert call("DELETE", f"/keys/{made['id']}").status == 204
    assert send("GET", "/ping", key=secret).status == 401
    assert keys() == []
    again = call("DELETE", f"/keys/{made['id']}")
    assert (again.status, again.code) == (404, "key_not_found")


def test_the_secret_stands_nowhere_but_in_the_answer(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    secret = make()["secret"]
    send("GET", "/keys", key=ADMIN)
    rows = stage.dynamodb.scan(TableName="keys")["Items"]
    assert secret not in str(rows) + call("GET", "/keys").body + capsys.readouterr().out
    assert digest(secret) in str(rows)


def test_what_a_key_makes_is_its_owners(stage: Stage) -> None:
    body = {"type": "txt2img", "checkpoint": "v1-5.safetensors"}
    job = send("POST", "/jobs", body, key=make()["secret"])
    assert (job.status, job.json["owner"]) == (201, "anna@example.com")
    assert send("POST", "/jobs", body, key=ADMIN).json["owner"] == "admin"


def test_a_name_changes_its_key_for_another_without_a_gap(stage: Stage) -> None:
    old, new = make(), make()
    assert {send("GET", "/ping", key=key["secret"]).status for key in (old, new)} == {200}
    third = call("POST", "/keys", ANNA)
    assert (third.status, third.code) == (409, "key_limit_reached")
    assert old["prefix"] in third.json["detail"]
    other_role = call("POST", "/keys", {**ANNA, "role": "admin"})
    assert (other_role.status, other_role.code) == (409, "key_role_differs")
    assert len(keys()) == 2
    call("DELETE", f"/keys/{old['id']}")
    make()
    assert send("GET", "/ping", key=new["secret"]).status == 200


def test_many_at_once_make_no_third_key(stage: Stage) -> None:
    refused: list[Exception] = []
    barrier = threading.Barrier(6)

    def post() -> None:
        barrier.wait()
        try:
            stage.services.keys.create(KeyIn.model_validate(ANNA))
        except Exception as error:
            refused.append(error)

    threads = [threading.Thread(target=post) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys()) == 2
    assert len(refused) == 4


AGAIN = {"Idempotency-Key": "a-key-for-anna"}


def post_again(**more: Any) -> Reply:
    return call("POST", "/keys", {**ANNA, **more}, headers=AGAIN)


def test_after_a_lost_answer_the_same_request_gives_the_same_key_with_a_secret_that_works(stage: Stage) -> None:
    make()
    lost = post_again(days=30, limits={"open_jobs": 4})
    assert (lost.status, lost.headers["Cache-Control"]) == (201, "no-store")
    # The name has two keys now, so that without the header this would be refused.
    again = post_again(days=30, limits={"open_jobs": 4})
    assert (again.status, again.headers["Cache-Control"]) == (200, "no-store"), again.body
    first, second = lost.json["secret"], again.json["secret"]
    assert first != second
    same = {"id", "name", "role", "created_at", "expires_at", "limits"}
    assert {name: again.json[name] for name in same} == {name: lost.json[name] for name in same}
    assert send("GET", "/ping", key=first).status == 401
    assert send("GET", "/ping", key=second).status == 200
    assert [key["id"] for key in keys()].count(lost.json["id"]) == 1
    assert len(keys()) == 2
    rows = str(stage.dynamodb.scan(TableName="keys")["Items"])
    assert first not in rows
    assert second not in rows
    assert AGAIN["Idempotency-Key"] not in rows


def test_a_header_that_came_with_another_key_is_refused(stage: Stage) -> None:
    made = post_again()
    other = post_again(days=3)
    assert (other.status, other.code) == (422, "idempotency_key_reused")
    assert send("GET", "/ping", key=made.json["secret"]).status == 200
    # Another owner's header is another one.
    assert call("POST", "/keys", ANNA, headers=AGAIN, owner="carol").status == 201
    assert call("POST", "/keys", ANNA, headers={"Idempotency-Key": ""}).code == "invalid_request"


def test_a_key_that_was_withdrawn_is_not_brought_back_by_a_repeat(stage: Stage) -> None:
    made = post_again().json
    assert call("DELETE", f"/keys/{made['id']}").status == 204
    again = post_again()
    assert (again.status, again.code) == (409, "key_withdrawn")
    assert keys() == []


def test_a_request_and_its_repeat_at_once_make_one_key_and_never_take_an_answered_secret_away(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered: list[Reply] = []
    store = stage.adapters.key_store
    held = store.held

    def overtaken(name: str) -> frozenset[str]:
        """The other request is answered after this one saw that its header is new."""
        monkeypatch.setattr(store, "held", held)
        answered.append(post_again())
        return held(name)

    monkeypatch.setattr(store, "held", overtaken)
    slow = post_again()
    [fast] = answered
    assert (fast.status, slow.status, slow.code) == (201, 503, "keys_busy")
    assert "Retry-After" in slow.headers
    assert send("GET", "/ping", key=fast.json["secret"]).status == 200
    assert len(keys()) == 1


def test_two_repeats_at_once_leave_one_key_with_one_answered_secret(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = post_again().json
    answered: list[Reply] = []
    store = stage.adapters.key_store
    held = store.held

    def overtaken(name: str) -> frozenset[str]:
        monkeypatch.setattr(store, "held", held)
        answered.append(post_again())
        return held(name)

    monkeypatch.setattr(store, "held", overtaken)
    slow = post_again()
    [fast] = answered
    assert (fast.status, slow.status, slow.code) == (200, 503, "keys_busy")
    assert send("GET", "/ping", key=fast.json["secret"]).status == 200
    assert [key["id"] for key in keys()] == [made["id"]]


def test_many_equal_requests_at_once_make_one_key(stage: Stage) -> None:
    made: list[str] = []
    busy: list[Exception] = []
    barrier = threading.Barrier(6)

    def post() -> None:
        barrier.wait()
        try:
            key, _ = stage.services.keys.create_once("admin", KeyIn.model_validate(ANNA), "a-key-for-anna")
        except Busy as error:
            busy.append(error)
        else:
            made.append(key.id)

    threads = [threading.Thread(target=post) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) + len(busy) == 6
    assert set(made) == {key["id"] for key in keys()}
    assert len(keys()) == 1


def test_a_key_is_withdrawn_even_if_it_got_its_secret_after_the_index_was_read(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = post_again().json
    client = stage.clients("dynamodb")
    late = client.query(
        TableName="keys",
        IndexName="by_id",
        KeyConditionExpression="listed = :listed AND id = :id",
        ExpressionAttributeValues={":listed": {"S": "key"}, ":id": {"S": made["id"]}},
    )
    renewed = post_again().json["secret"]
    monkeypatch.setattr(client, "query", lambda **_: late)
    assert call("DELETE", f"/keys/{made['id']}").status == 204
    assert send("GET", "/ping", key=renewed).status == 401
    # The answer to this may have been lost, too.
    assert call("DELETE", f"/keys/{made['id']}").status == 204


def test_an_expired_key_is_refused_before_dynamodb_forgets_it_and_makes_room(stage: Stage) -> None:
    secret = make()["secret"]
    make()
    stage.dynamodb.update_item(
        TableName="keys",
        Key={"hash": {"S": digest(secret)}},
        UpdateExpression="SET expires_at = :now",
        ExpressionAttributeValues={":now": {"N": str(int(time.time()) - 1)}},
    )
    assert send("GET", "/ping", key=secret).status == 401
    make()
    assert call("POST", "/keys", ANNA).code == "key_limit_reached"


def test_a_withdrawn_key_is_not_brought_back_by_a_note_of_its_use(stage: Stage) -> None:
    made = make()
    call("DELETE", f"/keys/{made['id']}")
    with pytest.raises(Exception, match="conditional"):
        stage.adapters.key_store.note_use(digest(made["secret"]), "2026-01-01T00:00:00Z")
    assert stage.adapters.key_store.find(digest(made["secret"])) is None


def test_the_first_admin_key_is_no_row_and_cannot_be_withdrawn(stage: Stage) -> None:
    assert send("GET", "/keys", key=ADMIN).json == {"keys": [], "next": None}
    for key_id in ("admin", ADMIN, digest(ADMIN), "name%23admin"):
        assert send("DELETE", f"/keys/{key_id}", key=ADMIN).code == "key_not_found"
    own = send("POST", "/keys", {"name": "ops", "role": "admin"}, key=ADMIN).json
    # Whoever withdraws the key in hand is out with it; the first one always gets in.
    assert send("DELETE", f"/keys/{own['id']}", key=own["secret"]).status == 204
    assert send("GET", "/keys", key=own["secret"]).status == 401
    assert send("GET", "/keys", key=ADMIN).status == 200


def test_keys_come_newest_first_page_by_page(stage: Stage) -> None:
    made = [make(name=f"n{number}")["id"] for number in range(5)]
    send("GET", "/ping", key=ADMIN)
    found, path = [], "/keys?limit=2"
    while path:
        reply = call("GET", path)
        found += [key["id"] for key in reply.json["keys"]]
        path = f"/keys?limit=2&before={reply.json['next']}" if reply.json["next"] else ""
    assert found == made[::-1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "Anna"},
        {"name": "a/b"},
        {"name": "../x"},
        {"name": ".."},
        {"name": ""},
        {"name": "a" * 65},
        {"name": "name#x"},
        {"role": "king"},
        {"role": None},
        {"days": 0},
        {"days": 3651},
        {"days": "7"},
        {"days": True},
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"expires_at": "2030-01-01T00:00:00"},
        {"expires_at": 1_900_000_000},
        {"expires_at": "tomorrow"},
        {"days": 3, "expires_at": "2030-01-01T00:00:00Z"},
        {"limits": {"requests_per_minute": 0}},
        {"limits": {"open_jobs": -1}},
        {"limits": {"jobs": 1}},
        {"owner": "bob"},
        {"secret": "mine"},
    ],
    ids=str,
)
def test_a_key_that_makes_no_sense_is_refused_and_nothing_is_written(stage: Stage, wrong: dict[str, Any]) -> None:
    reply = call("POST", "/keys", {**ANNA, **wrong})
    assert (reply.status, reply.code) == (422, "invalid_request"), reply.body
    assert stage.dynamodb.scan(TableName="keys")["Items"] == []


def test_a_known_key_costs_one_read_and_one_note_an_hour(stage: Stage) -> None:
    secret = make()["secret"]
    with counted(stage) as first:
        send("GET", "/ping", key=secret)
    with counted(stage) as second:
        send("GET", "/ping", key=secret)
    assert (dict(first), dict(second)) == ({"GetItem": 1, "UpdateItem": 1}, {"GetItem": 1})


def test_a_key_over_its_limit_is_told_when_to_come_back(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage.services.rate_limiter, "_clock", lambda: 1_000_000_010.0)
    slow, other = make(limits={"requests_per_minute": 3})["secret"], make()["secret"]
    replies = [send("GET", "/ping", key=slow) for _ in range(5)]
    assert [reply.status for reply in replies] == [200, 200, 200, 429, 429]
    assert (replies[3].code, replies[3].headers["Retry-After"]) == ("rate_limited", "10")
    # Whatever it is that is asked for, and whoever else asks.
    assert send("POST", "/jobs", {}, key=slow).status == 429
    assert send("GET", "/nothing", key=slow).status == 429
    assert send("GET", "/ping", key=other).status == 200
    [row] = [row for row in stage.dynamodb.scan(TableName="keys")["Items"] if row["hash"]["S"].startswith("pace#")]
    assert row["requests"] == {"N": "3"}
    assert int(row["expires_at"]["N"]) > 1_000_000_060


def test_a_keys_own_limit_of_open_jobs_reaches_the_function(stage: Stage) -> None:
    for limits, expected in (({"open_jobs": 4}, 4), ({}, None)):
        assert send("GET", "/ping", key=make(limits=limits)["secret"]).status == 200
        assert app.open_jobs_limit == expected


@pytest.mark.parametrize(
    ("path", "status"), [("/keys?limit=0", 400), ("/keys?limit=101", 400), ("/checkpoints?limit=1001", 400)]
)
def test_a_page_over_its_limit_is_refused(stage: Stage, path: str, status: int) -> None:
    reply = call("GET", path)
    assert (reply.status, reply.code) == (status, "invalid_request")
    assert reply.json["errors"][0]["loc"][:2] == ["query", "limit"]


@pytest.mark.parametrize("path", ["/jobs", "/images", "/checkpoints", "/checkpoints/import", "/keys"])
def test_a_body_over_its_limit_is_refused_wherever_it_goes(stage: Stage, path: str) -> None:
    reply = call("POST", path, raw="x" * (6 * 1024 * 1024))
    assert (reply.status, reply.code) == (413, "body_too_large")


def test_roles_of_the_api_are_those_of_the_table() -> None:
    assert get_args(Role) == tuple(ROLES)
