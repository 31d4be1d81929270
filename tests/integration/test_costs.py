"""What jobs and endpoints cost, over HTTP and through the rounds that count it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from darkroom.costs.metering import Instances, Meter, Running
from darkroom.costs.model import JobCost
from darkroom.endpoints.model import Endpoint, EndpointDetails
from darkroom.errors import Busy
from tests.support.aws import SETTINGS
from tests.support.events import completed, deliver, expired, manifest
from tests.support.http import call
from tests.support.sagemaker import LONG_AGO
from tests.support.stage import Stage

BODY = {"type": "txt2img", "checkpoint": "v1-5.safetensors", "parameters": {"prompt": "a pier"}}
DOLLARS = 0.0015
"""What a job of 1.5 seconds costs at 3.6 dollars an hour."""
DAY = 86_400.0


@dataclass
class Time:
    """A clock that a test turns; it begins where job ids are made, now."""

    now: float

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time(stage: Stage) -> Time:
    import time as real

    made = Time(real.time())
    turned(stage, made)
    return made


def turned(stage: Stage, time: Time) -> None:
    """Functions that have just been started, by this clock."""
    stage.configure(clock=time)


def job(owner: str = "alice", **more: Any) -> str:
    reply = call("POST", "/jobs", {**BODY, **more}, owner=owner, role="artist")
    assert reply.status == 201, reply.body
    return str(reply.json["id"])


def done(owner: str = "alice") -> str:
    """A job that ended well after 1.5 seconds."""
    made = job(owner)
    deliver(completed(made, manifest(made)))
    return made


def costs(**more: Any) -> dict[str, Any]:
    reply = call("GET", "/costs", **more)
    assert reply.status == 200, reply.body
    return reply.json  # type: ignore[no-any-return]


def owners(told: dict[str, Any]) -> dict[str, tuple[int, float]]:
    return {each["owner"]: (each["jobs"], each["cost"]) for each in told["owners"]}


def count(stage: Stage) -> Any:
    return stage.services.ledger.run(lambda: 60.0)


def test_jobs_are_counted_by_owner_before_any_round_has_run(stage: Stage, time: Time) -> None:
    done(), done(), done("bob")
    told = costs()
    assert owners(told) == {"alice": (2, 0.003), "bob": (1, 0.0015)}
    assert (told["jobs"], told["jobs_cost"], told["total"], told["exact"]) == (3, 0.0045, 0.0045, True)
    (endpoint,) = told["endpoints"]
    assert (endpoint["name"], endpoint["jobs"], endpoint["idle"]) == ("darkroom-test-a", 3, 0)


def test_an_artist_sees_the_own_line_alone(stage: Stage, time: Time) -> None:
    done(), done("bob")
    call("PUT", "/budgets/bob", {"monthly": 5})
    call("PUT", "/budgets/stage", {"monthly": 5})
    told = costs(owner="alice", role="artist")
    assert owners(told) == {"alice": (1, 0.0015)}
    assert (told["total"], told["endpoints"], told["overhead"], told["budget"]) == (0.0015, [], None, None)
    assert owners(costs(owner="carol", role="artist")) == {"carol": (0, 0)}
    assert call("GET", "/budgets", role="artist").status == 403


@pytest.mark.parametrize("month", ["2026-13", "2026-00", "1999-12", "2026-1", "20\u0662\u0663-01", "2026-11%0A"])
def test_what_is_no_month_is_refused(stage: Stage, month: str) -> None:
    assert call("GET", f"/costs?month={month}").status == 400


def test_a_job_counts_once_however_often_it_is_counted(stage: Stage, time: Time) -> None:
    done()
    before = costs()
    for _ in range(3):
        count(stage)
        assert owners(costs()) == owners(before)
    # Hours later it is settled, a day and more after that it is closed; each time the number is the same.
    for _ in range(5):
        time.now += DAY / 2
        count(stage)
        assert owners(month_of(before)) == owners(before)
    assert stage.adapters.day_store.closed_until() is not None


def month_of(told: dict[str, Any]) -> dict[str, Any]:
    reply = call("GET", f"/costs?month={told['month']}")
    assert reply.status == 200, reply.body
    return reply.json  # type: ignore[no-any-return]


def test_what_is_closed_is_not_read_again(stage: Stage, time: Time) -> None:
    done()
    before = costs()
    time.now += 4 * DAY
    count(stage)
    stage.dynamodb.delete_item(TableName=SETTINGS.jobs_table, Key={"id": {"S": row_ids(stage)[0]}})
    assert owners(month_of(before)) == owners(before)


def row_ids(stage: Stage) -> list[str]:
    return [row["id"]["S"] for row in stage.rows() if "line" in row]


def test_a_deleted_job_still_counts_once(stage: Stage, time: Time) -> None:
    first, second = done(), done()
    before = costs()
    assert call("DELETE", f"/jobs/{first}").status == 204
    assert owners(costs()) == owners(before) == {"alice": (2, 0.003)}
    count(stage)
    assert call("DELETE", f"/jobs/{second}").status == 204
    count(stage)
    assert owners(costs()) == {"alice": (2, 0.003)}
    time.now += 4 * DAY
    count(stage)
    assert owners(month_of(before)) == {"alice": (2, 0.003)}


def test_a_delete_that_broke_off_before_the_row_went_counts_once(stage: Stage, time: Time) -> None:
    made = done()
    line = stage.services.jobs.find(made).line
    stage.services.ledger.note_removed(JobCost.of(line))
    assert owners(costs()) == {"alice": (1, 0.0015)}
    assert call("DELETE", f"/jobs/{made}").status == 204
    assert owners(costs()) == {"alice": (1, 0.0015)}


def test_a_job_that_succeeds_after_its_hour_was_settled_is_counted_when_its_day_is_closed(
    stage: Stage, time: Time
) -> None:
    made = job()
    deliver(expired(made))
    before = costs()
    assert before["owners"][0]["unknown"] == 1
    time.now += DAY
    count(stage)
    deliver(completed(made, manifest(made)))
    time.now += 3 * DAY
    count(stage)
    after = month_of(before)["owners"][0]
    assert (after["cost"], after["unknown"]) == (0.0015, 0)


def test_a_day_is_not_closed_while_a_job_of_it_may_still_change(stage: Stage, time: Time) -> None:
    job()
    day = stage_day(time)
    time.now += DAY + stage.adapters.timeouts.deadline
    count(stage)
    assert (stage.adapters.day_store.closed_until() or "") < day


def stage_day(time: Time) -> str:
    from darkroom.times import iso, moment

    return iso(moment(time.now))[:10]


def test_two_rounds_at_once_lose_and_double_nothing(stage: Stage, time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    done()
    save, inside = stage.adapters.day_store.save, list[bool]()

    def other_first(day: Any) -> bool:
        if not inside:
            inside.append(True)
            done("bob")
            count(stage)
        return save(day)

    monkeypatch.setattr(stage.adapters.day_store, "save", other_first)
    told = count(stage)
    assert len(told["broken"]) == 1
    assert owners(costs()) == {"alice": (1, 0.0015), "bob": (1, 0.0015)}


@pytest.mark.parametrize("cut", range(3))
def test_a_round_that_is_killed_after_any_write_is_finished_by_the_next(
    stage: Stage, time: Time, monkeypatch: pytest.MonkeyPatch, cut: int
) -> None:
    done()
    before = costs()
    time.now += 4 * DAY
    client, writes = stage.clients("dynamodb"), [0]
    put = client.put_item

    def killed(**request: Any) -> Any:
        writes[0] += 1
        if writes[0] > cut:
            raise KeyboardInterrupt
        return put(**request)

    monkeypatch.setattr(client, "put_item", killed)
    with pytest.raises(KeyboardInterrupt):
        count(stage)
    monkeypatch.undo()
    assert owners(month_of(before)) == owners(before)
    count(stage)
    assert owners(month_of(before)) == owners(before)


# Awake seconds


def awake(stage: Stage, time: Time, *running: Running) -> Callable[[], Any]:
    meter = Meter(stage.adapters.meter_store, lambda: running, SETTINGS.prices, time)
    return lambda: meter.run(lambda: 60.0)


def hours(stage: Stage, month: str) -> dict[str, tuple[float, float]]:
    found: dict[str, tuple[float, float]] = {}
    for day in stage.adapters.meter_store.awake(month):
        for kind, metered in day.by_type.items():
            seconds, waking = found.get(kind, (0.0, 0.0))
            found[kind] = (seconds + metered.seconds, waking + metered.waking)
    return found


NOON = 1_780_056_000.0
"""2026-05-29, 12:00 UTC."""
MIDNIGHT = 1_780_272_000.0
"""2026-06-01, 00:00 UTC."""


def test_each_minute_adds_the_seconds_since_the_last_one(stage: Stage) -> None:
    time = Time(NOON)
    minute = awake(stage, time, Running("darkroom-test-a", {"ml.g5.xlarge": 2}))
    told = minute()
    assert (told["awake"], told["dollars_per_hour"]) == (1, 7.2)
    for _ in range(3):
        time.now += 61
        minute()
    assert hours(stage, "2026-05") == {"ml.g5.xlarge": (2 * (60 + 3 * 61), 0)}


def test_the_same_minute_twice_counts_once(stage: Stage) -> None:
    time = Time(NOON)
    minute = awake(stage, time, Running("darkroom-test-a", {"ml.g5.xlarge": 1}))
    minute(), minute()
    assert hours(stage, "2026-05") == {"ml.g5.xlarge": (60, 0)}


def test_two_rounds_that_read_the_same_sample_count_once(stage: Stage) -> None:
    time = Time(NOON)
    minute = awake(stage, time, Running("darkroom-test-a", {"ml.g5.xlarge": 1}))
    minute()
    time.now += 60
    samples = stage.adapters.meter_store.samples()
    minute()
    store = stage.adapters.meter_store
    store.samples = lambda: samples  # type: ignore[method-assign]
    time.now += 5
    minute()
    assert hours(stage, "2026-05") == {"ml.g5.xlarge": (120, 0)}


def test_missed_rounds_are_caught_up_but_not_for_ever(stage: Stage) -> None:
    time = Time(NOON)
    minute = awake(stage, time, Running("darkroom-test-a", {"ml.g5.xlarge": 1}))
    minute()
    time.now += 600
    minute()
    assert hours(stage, "2026-05") == {"ml.g5.xlarge": (660, 0)}
    time.now += 30_000
    minute()
    assert hours(stage, "2026-05") == {"ml.g5.xlarge": (660 + 3_600, 0)}


def test_what_was_asleep_counts_from_the_last_minute_alone(stage: Stage) -> None:
    time = Time(NOON)
    up = awake(stage, time, Running("darkroom-test-a", {"ml.g5.xlarge": 1}))
    down = awake(stage, time, Running("darkroom-test-a"))
    up()
    time.now += 60
    assert down()["awake"] == 0
    time.now += 30_000
    up()
    assert hours(stage, "2026-05") == {"ml.g5.xlarge": (120, 0)}


def test_an_endpoint_that_is_made_again_counts_from_then_on(stage: Stage) -> None:
    """It has the name of one that was awake when it was deleted, half an hour before."""
    time = Time(NOON)
    awake(stage, time, Running("darkroom-test-a", {"ml.g5.xlarge": 1}))()
    time.now += 1_800
    awake(stage, time, Running("darkroom-test-a", waking={"ml.g5.xlarge": 1}, made=time.now - 20))()
    assert hours(stage, "2026-05") == {"ml.g5.xlarge": (60 + 20, 20)}


@pytest.mark.parametrize(("status", "waking"), [("Failed", False), ("Deleting", False), ("Updating", True)])
def test_an_instance_that_will_never_come_is_not_awake(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, status: str, waking: bool
) -> None:
    """SageMaker goes on telling how many a new endpoint was to have that found none."""
    endpoint = Endpoint("darkroom-test-a", status, LONG_AGO, LONG_AGO)
    told = EndpointDetails(endpoint, "arn:darkroom-test-a", "darkroom-test-a", current=0, desired=1)
    monkeypatch.setattr(stage.sagemaker, "describe", lambda name: told)
    (found,) = Instances(stage.sagemaker).now()
    assert found.awake is waking


def test_a_start_counts_as_waking_and_midnight_parts_the_days_and_months(stage: Stage) -> None:
    time = Time(MIDNIGHT - 30)
    awake(stage, time, Running("darkroom-test-a", waking={"ml.g5.xlarge": 1}))()
    time.now += 40
    awake(stage, time, Running("darkroom-test-a", {"ml.g5.xlarge": 1}))()
    assert hours(stage, "2026-05") == {"ml.g5.xlarge": (60 + 30, 60)}
    assert hours(stage, "2026-06") == {"ml.g5.xlarge": (10, 0)}


def test_overhead_is_what_is_awake_and_belongs_to_no_job(stage: Stage, time: Time) -> None:
    done()
    awake(stage, time, Running("darkroom-test-a", waking={"ml.g5.xlarge": 1}))()
    time.now += 100
    awake(stage, time, Running("darkroom-test-a", {"ml.g5.xlarge": 1, "ml.odd.xlarge": 1}))()
    told = costs()
    (endpoint,) = told["endpoints"]
    assert endpoint["types"][0] == {
        "instance_type": "ml.g5.xlarge",
        "hours": round(160 / 3600, 4),
        "price": 3.6,
        "cost": 0.16,
    }
    assert (endpoint["types"][1]["cost"], endpoint["unpriced"]) == (None, True)
    assert told["total"] == 0.16
    assert told["overhead"] == {"waking": 0.06, "idle": 0.0985, "cost": 0.1585}


# Budgets


def test_a_budget_is_set_listed_and_taken_away(stage: Stage) -> None:
    reply = call("PUT", "/budgets/stage", {"monthly": 100}, owner="boss")
    assert (reply.status, reply.json["owner"], reply.json["warn_at"], reply.json["set_by"]) == (200, None, 0.8, "boss")
    call("PUT", "/budgets/alice", {"monthly": 7.5, "warn_at": 0.5})
    assert [each["owner"] for each in call("GET", "/budgets").json["budgets"]] == [None, "alice"]
    assert call("GET", "/budgets/alice").json["monthly"] == 7.5
    assert call("DELETE", "/budgets/alice").status == 204
    assert call("DELETE", "/budgets/alice").status == 204
    assert call("GET", "/budgets/alice").code == "budget_not_found"
    assert call("PUT", "/budgets/alice", {"monthly": -1}).status == 422
    assert call("PUT", "/budgets/alice", {"monthly": 1}, role="artist").status == 403


@pytest.mark.parametrize("monthly", [5e-324, 1e-200, 1e-7, 1e9])
def test_a_budget_of_any_size_is_taken_and_counts(stage: Stage, monthly: float) -> None:
    """DynamoDB takes no number under 1e-130."""
    told = call("PUT", "/budgets/alice", {"monthly": monthly, "warn_at": min(monthly, 1.0)})
    assert told.status == 200, told.body
    reply = call("POST", "/jobs", BODY)
    assert reply.status == (201 if monthly > 1 else 402), reply.body
    assert costs()["owners"][0]["budget"]["monthly"] == told.json["monthly"]


def test_a_spent_budget_refuses_the_next_job_and_nothing_is_written(stage: Stage) -> None:
    done()
    call("PUT", "/budgets/alice", {"monthly": 0.001})
    rows, objects = stage.rows(), stage.objects()
    reply = call("POST", "/jobs", BODY)
    assert (reply.status, reply.json["code"]) == (402, "budget_spent")
    assert "ask an admin" in reply.json["detail"]
    assert (stage.rows(), stage.objects()) == (rows, objects)
    assert call("POST", "/jobs", BODY, owner="bob").status == 201


def test_open_jobs_count_with_what_they_are_expected_to_cost(stage: Stage) -> None:
    # Nothing is known of run times yet: a picture is expected to take 30 seconds, 0.03 dollars.
    call("PUT", "/budgets/alice", {"monthly": 0.07})
    first = call("POST", "/jobs", BODY).json
    assert first["budget"] is None
    second = call("POST", "/jobs", BODY).json
    assert (second["budget"]["expected"], second["budget"]["warning"]) == (0.06, True)
    assert call("POST", "/jobs", BODY).status == 402
    # It ended sooner than expected, and the others are now expected to take as long as it did.
    deliver(completed(first["id"], manifest(first["id"])))
    stage.configure()
    told = call("POST", "/jobs", BODY)
    assert (told.status, told.json["budget"]) == (201, None)
    budget = costs()["owners"][0]["budget"]
    assert (budget["spent"], budget["expected"], budget["monthly"]) == (DOLLARS, 2 * DOLLARS, 0.07)


def test_a_budget_of_nothing_takes_no_job_whatever_it_costs(stage: Stage) -> None:
    stage.configure(prices={})
    assert call("POST", "/jobs", BODY).status == 201
    call("PUT", "/budgets/alice", {"monthly": 0})
    assert call("POST", "/jobs", BODY).code == "budget_spent"


def test_many_pictures_are_expected_to_cost_more(stage: Stage) -> None:
    call("PUT", "/budgets/alice", {"monthly": 0.1})
    many = {**BODY, "parameters": {"prompt": "piers", "batch_size": 4}}
    assert call("POST", "/jobs", many).status == 402
    assert call("POST", "/jobs", BODY).status == 201


def test_the_budget_of_the_stage_counts_awake_instances_too(stage: Stage) -> None:
    import time as real

    call("PUT", "/budgets/stage", {"monthly": 0.08})
    assert call("POST", "/jobs", BODY).status == 201
    awake(stage, Time(real.time()), Running("darkroom-test-a", {"ml.g5.xlarge": 1}))()
    stage.configure()
    refused = call("POST", "/jobs", BODY, owner="bob")
    assert (refused.status, refused.json["detail"][:9]) == (402, "The stage")


def test_a_job_that_is_made_is_answered_when_budgets_cannot_be_read_any_more(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list of budgets gets too old between the look at them and the count of the new job."""
    call("PUT", "/budgets/alice", {"monthly": 0.07})
    services, create, ahead = stage.services, stage.adapters.store.create, [0.0]
    monkeypatch.setattr(services.budgets, "_monotonic", lambda: ahead[0])

    def slowly(*args: Any) -> None:
        create(*args)
        ahead[0] += 60

        def fails() -> list[Any]:
            raise Busy("aws_busy", "AWS asked to slow down (dynamodb).")

        monkeypatch.setattr(stage.adapters.budget_store, "all", fails)

    monkeypatch.setattr(stage.adapters.store, "create", slowly)
    assert call("POST", "/jobs", BODY).status == 201


def test_a_repeat_of_an_accepted_request_is_no_new_job(stage: Stage) -> None:
    headers = {"Idempotency-Key": "one"}
    first = call("POST", "/jobs", BODY, headers=headers)
    call("PUT", "/budgets/alice", {"monthly": 0})
    stage.configure()
    again = call("POST", "/jobs", BODY, headers=headers)
    assert (again.status, again.json["id"]) == (200, first.json["id"])


def test_a_full_month_is_told_with_few_reads(stage: Stage, time: Time) -> None:
    """A hundred owners and twenty endpoints on every day of a month."""
    from bench.calls import counted
    from darkroom.costs.model import Count, Day, Group, Metered, Sample

    store, meter = stage.adapters.day_store, stage.adapters.meter_store
    for date in (f"2026-05-{day:02}" for day in range(1, 32)):
        groups = {
            Group(f"owner-{owner}", f"darkroom-test-{owner % 20}", "txt2img"): Count(9, 0.5, 1, 0, 500.0, 9)
            for owner in range(100)
        }
        assert store.save(Day(date, closed=groups))
        for endpoint in range(20):
            name = f"darkroom-test-{endpoint}"
            sample = meter.samples().get(name)
            until = Sample((sample.until if sample else NOON) + 60, True)
            assert meter.add(name, sample, until, {(date, "ml.g5.xlarge"): Metered(3_600)})
    store.close_until("2026-05-31")
    with counted(stage) as calls:
        reply = call("GET", "/costs?month=2026-05")
    assert (len(reply.json["owners"]), len(reply.json["endpoints"])) == (100, 20)
    assert reply.json["jobs_cost"] == 1_550
    assert reply.json["total"] == pytest.approx(20 * 31 * 3.6)
    assert calls.total() <= 4, calls
