"""Parts of the SageMaker simulator that no clock lets a contract test reach."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from botocore.model import ListShape, MapShape, Shape, StructureShape

from local.sagemaker.aws import Cloud
from local.sagemaker.backlog import Backlog, Invocation
from local.sagemaker.clock import TICK_SECONDS, TurnableClock, wait
from local.sagemaker.execution import Execution
from local.sagemaker.knobs import Chance, Knobs
from local.sagemaker.notifications import Outcome, notices
from local.sagemaker.protocol import input_shape, service_model
from local.sagemaker.store import Documents, open_database
from local.sagemaker.validation import python_pattern

NOW = 1_060.0
INVOCATION = Invocation(
    endpoint="e",
    inference_id="i",
    content_type=None,
    accept=None,
    custom_attributes=None,
    input_location=None,
    output_location="s3://b/out/i",
    failure_location="s3://b/failed/i",
    timeout_seconds=900,
    received=1_000.0,
    success_topic="success",
    error_topic="error",
    include_response_in=(),
)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_database(tmp_path)) as opened:
        yield opened


class Files:
    """S3 that keeps what is written."""

    def __init__(self) -> None:
        self.written: dict[str, bytes] = {}

    async def write(self, location: str, content: bytes, content_type: str) -> None:
        self.written[location] = content


@pytest.mark.parametrize("told", [False, True])
def test_a_request_that_expired_in_the_queue_is_written_down_but_announced_only_if_told(
    database: sqlite3.Connection, told: bool
) -> None:
    backlog, files = Backlog(database), Files()
    chance = Chance(Documents(database), backlog)
    chance.set(Knobs(notify_expired=told))
    backlog.add(INVOCATION, b"{}", expires=NOW)
    work = backlog.take("e", now=NOW)
    assert work is not None
    execution = Execution(cast(Cloud, files), cast(httpx.AsyncClient, None), chance, lambda: NOW)
    outcome = asyncio.run(execution.run(work))
    assert b"expired" in files.written["s3://b/failed/i"]
    sent = notices(INVOCATION, outcome, chance, work.sequence, "us-east-1", NOW)
    assert [notice.message["invocationStatus"] for notice in sent] == (["Failed"] if told else [])


def test_an_invocation_is_taken_once_in_order_and_again_after_it_was_given_back(
    database: sqlite3.Connection,
) -> None:
    backlog = Backlog(database)
    first, second = (backlog.add(INVOCATION, None, expires=9e9) for _ in range(2))
    assert [work.sequence for work in (backlog.take("e", 1.0), backlog.take("e", 1.0)) if work] == [first, second]
    assert backlog.take("e", 1.0) is None
    backlog.give_back(first, not_before=5.0)
    assert backlog.take("e", 4.9) is None
    again = backlog.take("e", 5.0)
    assert again is not None
    assert again.sequence == first


def test_the_result_of_an_endpoint_that_was_deleted_meanwhile_is_not_announced(
    database: sqlite3.Connection,
) -> None:
    backlog = Backlog(database)
    sequence = backlog.add(INVOCATION, None, expires=9e9)
    backlog.forget("e")
    chance = Chance(Documents(database), backlog)
    backlog.settle(sequence, notices(INVOCATION, Outcome(None, None), chance, sequence, "us-east-1", NOW))
    assert backlog.unsent() == 0


def test_a_late_notice_is_due_so_much_later(database: sqlite3.Connection) -> None:
    backlog = Backlog(database)
    chance = Chance(Documents(database), backlog)
    chance.set(Knobs(late_rate=1, late_seconds=300))
    (late,) = notices(INVOCATION, Outcome(None, None), chance, 1, "us-east-1", NOW)
    assert late.due == NOW + 300


def test_a_clock_that_was_turned_does_not_go_back_when_the_process_is_new(tmp_path: Path) -> None:
    with closing(open_database(tmp_path)) as before:
        clock = TurnableClock(Documents(before))
        started = clock()
        clock.turn(3600)
    with closing(open_database(tmp_path)) as after:
        assert TurnableClock(Documents(after))() >= started + 3600


def test_who_waits_on_a_clock_goes_on_when_it_is_turned(database: sqlite3.Connection) -> None:
    clock = TurnableClock(Documents(database))

    async def waits() -> bool:
        waiting = asyncio.create_task(wait(clock, 3600))
        await asyncio.sleep(0)
        clock.turn(3599)
        done, _ = await asyncio.wait([waiting], timeout=3 * TICK_SECONDS)
        assert not done
        clock.turn(1)
        await asyncio.wait_for(waiting, 10)
        return True

    assert asyncio.run(waits())


def test_knobs_and_the_countdown_of_failures_outlive_the_process(tmp_path: Path) -> None:
    with closing(open_database(tmp_path)) as before:
        chance = Chance(Documents(before), Backlog(before))
        chance.set(Knobs(fail_next=2, seed=3))
        assert chance.fails(1)
    with closing(open_database(tmp_path)) as after:
        assert Chance(Documents(after), Backlog(after)).knobs == Knobs(fail_next=1, seed=3)


def _patterns(shape: Shape, seen: set[str]) -> Iterator[str]:
    if shape.name in seen:
        return
    seen.add(shape.name)
    if "pattern" in shape.metadata:
        yield shape.metadata["pattern"]
    inner: list[Any] = []
    if isinstance(shape, StructureShape):
        inner = list(shape.members.values())
    elif isinstance(shape, ListShape):
        inner = [shape.member]
    elif isinstance(shape, MapShape):
        inner = [shape.key, shape.value]
    for member in inner:
        yield from _patterns(member, seen)


def test_python_understands_every_pattern_of_the_service_model() -> None:
    operations = ["CreateModel", "CreateEndpointConfig", "CreateEndpoint", "ListEndpoints", "AddTags", "ListTags"]
    seen: set[str] = set()
    patterns = [p for name in operations for p in _patterns(input_shape("sagemaker", name), seen)]
    patterns += _patterns(input_shape("sagemaker-runtime", "InvokeEndpointAsync"), seen)
    for name in ("RegisterScalableTarget", "PutScalingPolicy"):
        patterns += _patterns(input_shape("application-autoscaling", name), seen)
    assert len(patterns) > 30
    assert all("\\p" not in python_pattern(pattern).pattern for pattern in patterns)


@pytest.mark.parametrize(
    ("shape", "value", "fits"),
    [
        ("TagKey", "größe: a/b", True),
        ("TagKey", "a;b", False),
        ("EndpointName", "a-b", True),
        ("EndpointName", "a-", False),
    ],
)
def test_a_pattern_must_match_the_whole_value(shape: str, value: str, fits: bool) -> None:
    pattern = service_model("sagemaker").shape_for(shape).metadata["pattern"]
    assert bool(python_pattern(pattern).fullmatch(value)) is fits
