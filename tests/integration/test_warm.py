"""Keeping an endpoint awake for a while, and its working hours: what is kept, what it costs, what is refused."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from darkroom.endpoints.warm import least
from darkroom.errors import Conflict
from functions.scaler.handler import handler as scaler
from tests.support.http import Context, Reply, call
from tests.support.sagemaker import Details, endpoint
from tests.support.stage import Stage, moto_stage

NAME = "darkroom-test-asleep"
OFFICE = {"days": ["fri", "mon", "tue", "wed", "thu"], "from": "09:00", "to": "18:00", "time_zone": "Europe/Berlin"}
NOON, NIGHT = (datetime(2026, 11, 27, hour, tzinfo=UTC).timestamp() for hour in (11, 23))


@pytest.fixture
def asleep() -> Iterator[Stage]:
    """A stage with an endpoint that sleeps; the clock of its services is turned by `stage.sagemaker.now`."""
    with moto_stage() as stage:
        stage.sagemaker.endpoints[:] = [endpoint(NAME)]
        stage.sagemaker.tagged[NAME] = {"darkroom:min": "0", "darkroom:max": "1"}
        stage.sagemaker.details[NAME] = Details(config=NAME, instances=0)
        stage.sagemaker.now = time.time()
        stage.configure(clock=lambda: stage.sagemaker.now)
        yield stage


def warm(duration: str, name: str = "asleep") -> Reply:
    return call("POST", f"/endpoints/{name}/warm?for={duration}")


def kept(stage: Stage, now: float | None = None) -> int:
    """How many instances the scaler leaves."""
    details = stage.sagemaker.describe(NAME)
    assert details is not None
    return least(stage.sagemaker.endpoint_tags(details), stage.sagemaker.now if now is None else now)


def test_an_endpoint_that_sleeps_wakes_at_once_and_says_what_that_costs(asleep: Stage) -> None:
    reply = warm("2h")
    assert reply.status == 200
    assert asleep.sagemaker.details[NAME].instances == 1
    # 3.6 dollars an hour are the test's price.
    assert {name: reply.json[name] for name in ("hours", "instance_type", "dollars_an_hour", "dollars")} == {
        "hours": 2.0,
        "instance_type": "ml.g5.xlarge",
        "dollars_an_hour": 3.6,
        "dollars": 7.2,
    }
    assert "at most 7.20 US dollars" in reply.json["detail"]
    shown = call("GET", "/endpoints/asleep").json
    assert shown["warm_until"] == reply.json["warm_until"]
    # The wake-up is in the ledger like any other.
    assert len(shown["wake_ups"]) == 1


def test_it_has_an_instance_until_then_and_not_a_moment_longer(asleep: Stage) -> None:
    warm("30m")
    begun = int(asleep.sagemaker.now)
    assert kept(asleep) == 1
    assert kept(asleep, begun + 1799) == 1
    assert kept(asleep, begun + 1800) == 0


def test_of_two_requests_the_later_end_counts(asleep: Stage) -> None:
    until = warm("2h").json["warm_until"]
    assert warm("30m").json["warm_until"] == until
    asleep.sagemaker.now += 5400
    again = warm("2h").json
    assert again["warm_until"] > until
    assert again["hours"] == 2.0


def test_a_shorter_request_at_the_same_moment_does_not_win(asleep: Stage) -> None:
    meanwhile = [{"darkroom:warm-until": str(int(asleep.sagemaker.now) + 60)}]

    def shorter(call_name: str) -> None:
        if call_name == "AddTags" and meanwhile:
            asleep.sagemaker.tagged[NAME] |= meanwhile.pop()

    asleep.sagemaker.after_call = shorter
    warm("2h")
    assert kept(asleep, asleep.sagemaker.now + 7000) == 1


def test_whoever_ends_it_lets_the_endpoint_sleep_and_may_do_so_twice(asleep: Stage) -> None:
    warm("2h")
    for _ in range(2):
        reply = call("DELETE", "/endpoints/asleep/warm")
        assert (reply.status, reply.json["warm_until"]) == (200, None)
    assert kept(asleep) == 0
    assert warm("1h").json["hours"] == 1.0


def test_a_type_without_a_price_is_said(asleep: Stage) -> None:
    asleep.sagemaker.details[NAME].instance_type = "ml.p9.xlarge"
    told = warm("1h").json
    assert (told["dollars"], told["dollars_an_hour"]) == (None, None)
    assert "the stage has no price of ml.p9.xlarge" in told["detail"]


@pytest.mark.parametrize("duration", ["", "2", "0h", "25h", "1441m", "2d", "-1h", "1.5h", "2h ", "02h", "9999999999h"])
def test_a_duration_that_is_none_or_too_long_is_refused_and_nothing_is_kept(asleep: Stage, duration: str) -> None:
    reply = warm(duration.replace(" ", "%20"))
    assert reply.status in (400, 422)
    assert "darkroom:warm-until" not in asleep.sagemaker.tagged[NAME]


@pytest.mark.parametrize(("duration", "hours"), [("1440m", 24.0), ("24h", 24.0), ("1m", 0.02)])
def test_a_day_is_the_longest(asleep: Stage, duration: str, hours: float) -> None:
    assert warm(duration).json["hours"] == hours


def test_only_an_endpoint_of_ours_that_is_there_is_kept_warm(asleep: Stage) -> None:
    assert warm("1h", "nowhere").json["code"] == "endpoint_not_found"
    asleep.sagemaker.tagged[NAME] = {}
    assert warm("1h").json["code"] == "endpoint_not_ours"
    asleep.sagemaker.tagged[NAME] = {"darkroom:min": "0", "darkroom:max": "1", "darkroom:delete": "true"}
    assert warm("1h").json["code"] == "endpoint_is_going"
    assert call("DELETE", "/endpoints/asleep/warm").json["code"] == "endpoint_is_going"


def test_working_hours_are_set_shown_with_their_price_and_taken_away(asleep: Stage) -> None:
    reply = call("PATCH", "/endpoints/asleep", {"hours": OFFICE})
    assert reply.status == 200, reply.body
    assert reply.json["hours"] == {
        "days": ["mon", "tue", "wed", "thu", "fri"],
        "from": "09:00",
        "to": "18:00",
        "time_zone": "Europe/Berlin",
        "hours_a_month": 195.7,
        "dollars_a_month": pytest.approx(704.41, abs=0.01),
    }
    assert (kept(asleep, NOON), kept(asleep, NIGHT)) == (1, 0)
    assert call("GET", "/endpoints/asleep").json["hours"] == reply.json["hours"]
    assert call("GET", "/endpoints").json["endpoints"][0]["hours"] == reply.json["hours"]
    # Bounds alone leave them as they are.
    assert call("PATCH", "/endpoints/asleep", {"max_instances": 2}).json["hours"] is not None
    assert call("PATCH", "/endpoints/asleep", {"hours": None}).json["hours"] is None
    assert kept(asleep, NOON) == 0


def test_an_endpoint_may_be_made_with_hours_and_the_same_request_finds_it(asleep: Stage) -> None:
    body = {"name": "office", "hours": OFFICE}
    made = call("POST", "/endpoints", body)
    assert (made.status, made.json["hours"]["time_zone"]) == (201, "Europe/Berlin")
    assert call("POST", "/endpoints", body).status == 200
    other = call("POST", "/endpoints", {**body, "hours": {**OFFICE, "to": "19:00"}})
    assert (other.status, other.json["code"]) == (409, "endpoint_exists")


def test_a_request_without_a_name_or_hours_gets_the_name_it_always_got(asleep: Stage) -> None:
    named = call("POST", "/endpoints", {}).json["name"]
    assert call("POST", "/endpoints", {"hours": None}).json["name"] == named
    assert call("POST", "/endpoints", {"hours": OFFICE}).json["name"] != named


@pytest.mark.parametrize(
    "wrong",
    [
        {"days": []},
        {"days": ["monday"]},
        {"from": "9:00"},
        {"from": "24:00"},
        {"to": "24:01"},
        {"to": "09:00"},
        {"time_zone": "Mars/Olympus"},
        {"time_zone": "../../etc/passwd"},
        {"more": 1},
    ],
)
def test_hours_that_make_no_sense_are_refused_and_nothing_is_kept(asleep: Stage, wrong: dict[str, object]) -> None:
    reply = call("PATCH", "/endpoints/asleep", {"hours": {**OFFICE, **wrong}})
    assert reply.status == 422, reply.body
    assert reply.json["errors"]
    assert "darkroom:hours" not in asleep.sagemaker.tagged[NAME]


def scale() -> None:
    """One round of the scaler."""
    scaler({}, Context())


def test_the_scaler_keeps_it_until_then_and_puts_it_to_sleep_afterwards(asleep: Stage) -> None:
    warm("2h")
    asleep.sagemaker.now += 7000
    asleep.configure(clock=lambda: asleep.sagemaker.now)
    scale()
    assert asleep.sagemaker.details[NAME].instances == 1
    asleep.sagemaker.now += 300
    scale()
    assert asleep.sagemaker.details[NAME].instances == 0


def test_the_scaler_wakes_it_for_its_hours_and_lets_it_sleep_after_them(asleep: Stage) -> None:
    call("PATCH", "/endpoints/asleep", {"hours": OFFICE})
    asleep.sagemaker.now = NOON
    scale()
    assert asleep.sagemaker.details[NAME].instances == 1
    scale()
    assert asleep.sagemaker.details[NAME].instances == 1
    asleep.sagemaker.now = NIGHT
    scale()
    assert asleep.sagemaker.details[NAME].instances == 0


def test_a_wake_up_that_was_refused_is_asked_for_again_a_minute_later(asleep: Stage) -> None:
    asleep.sagemaker.refuses_instances = Conflict("endpoint_changing", "it is changing")
    assert warm("2h").status == 200
    assert asleep.sagemaker.details[NAME].instances == 0
    asleep.sagemaker.refuses_instances = None
    scale()
    assert asleep.sagemaker.details[NAME].instances == 1


def test_an_endpoint_that_somebody_deletes_is_kept_no_longer(asleep: Stage) -> None:
    warm("2h")
    asleep.sagemaker.tagged[NAME]["darkroom:delete"] = "true"
    asleep.sagemaker.details[NAME].instances = 0
    scale()
    assert asleep.sagemaker.details[NAME].instances == 0
