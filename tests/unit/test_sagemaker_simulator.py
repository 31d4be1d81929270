"""Parts of the SageMaker simulator that the contract tests cannot reach."""

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
from local.sagemaker.clock import TurnableClock, wait
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


class FakeS3:
    """Keeps what is written, by its S3 URI."""

    def __init__(self) -> None:
        self.written: dict[str, bytes] = {}

    async def write(self, location: str, content: bytes, content_type: str) -> None:
        self.written[location] = content


@pytest.mark.parametrize("knobs", [{}, {"expiry_notice": "Failed"}, {"expiry_notice": "none"}])
def test_a_request_that_expired_in_the_queue_is_written_to_s3_and_announced_as_the_knob_says(
    database: sqlite3.Connection, knobs: dict[str, Any]
) -> None:
    backlog, s3 = Backlog(database), FakeS3()
    chance = Chance(Documents(database), backlog)
    chance.set(Knobs(**knobs))
    backlog.add(INVOCATION, b"{}", expires=NOW)
    work = backlog.take("e", now=NOW)
    assert work is not None
    execution = Execution(cast(Cloud, s3), cast(httpx.AsyncClient, None), chance, lambda: NOW)
    outcome = asyncio.run(execution.run(work))
    assert b"expired" in s3.written["s3://b/failed/i"]
    sent = notices(INVOCATION, outcome, chance, work.sequence, "us-east-1", NOW)
    status = knobs.get("expiry_notice", "Expired")
    assert [notice.message["invocationStatus"] for notice in sent] == ([] if status == "none" else [status])
    assert ["failureReason" in notice.message for notice in sent] == ([] if status == "none" else [status == "Failed"])


def test_invocations_are_taken_once_in_order_and_again_when_they_are_given_back(
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


def test_a_result_is_not_announced_after_its_endpoint_is_deleted(
    database: sqlite3.Connection,
) -> None:
    backlog = Backlog(database)
    sequence = backlog.add(INVOCATION, None, expires=9e9)
    backlog.forget("e")
    chance = Chance(Documents(database), backlog)
    backlog.settle(sequence, notices(INVOCATION, Outcome(None, None), chance, sequence, "us-east-1", NOW))
    assert backlog.unsent() == 0


def test_a_late_notice_is_due_after_its_delay(database: sqlite3.Connection) -> None:
    backlog = Backlog(database)
    chance = Chance(Documents(database), backlog)
    chance.set(Knobs(late_rate=1, late_seconds=300))
    (late,) = notices(INVOCATION, Outcome(None, None), chance, 1, "us-east-1", NOW)
    assert late.due == NOW + 300


def test_a_turned_clock_does_not_go_back_in_a_new_process(tmp_path: Path) -> None:
    with closing(open_database(tmp_path)) as before:
        clock = TurnableClock(Documents(before))
        started = clock()
        clock.turn(3600)
    with closing(open_database(tmp_path)) as after:
        assert TurnableClock(Documents(after))() >= started + 3600


def test_a_wait_ends_when_the_clock_is_turned_to_its_end_and_not_before(database: sqlite3.Connection) -> None:
    clock = TurnableClock(Documents(database))

    async def turn_twice() -> bool:
        read = asyncio.Event()

        def watched_clock() -> float:
            read.set()
            return clock()

        waiting = asyncio.create_task(wait(watched_clock, 3600))
        await read.wait()
        clock.turn(3590)
        for _ in range(2):
            read.clear()
            await asyncio.wait_for(read.wait(), 10)
        early = waiting.done()
        clock.turn(10)
        await asyncio.wait_for(waiting, 10)
        return early

    assert not asyncio.run(turn_twice())


def test_knobs_and_the_number_of_failures_to_come_are_kept_for_a_new_process(tmp_path: Path) -> None:
    with closing(open_database(tmp_path)) as before:
        chance = Chance(Documents(before), Backlog(before))
        chance.set(Knobs(fail_next=2, seed=3))
        assert chance.fails(1)
    with closing(open_database(tmp_path)) as after:
        assert Chance(Documents(after), Backlog(after)).knobs == Knobs(fail_next=1, seed=3)


def patterns_of(shape: Shape, visited: set[str]) -> Iterator[str]:
    """Every pattern of a shape and of the shapes inside it, except of those that were `visited` before."""
    if shape.name in visited:
        return
    visited.add(shape.name)
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
        yield from patterns_of(member, visited)


def test_python_understands_every_pattern_of_the_service_model() -> None:
    operations = ["CreateModel", "CreateEndpointConfig", "CreateEndpoint", "ListEndpoints", "AddTags", "ListTags"]
    visited: set[str] = set()
    patterns = [pattern for name in operations for pattern in patterns_of(input_shape("sagemaker", name), visited)]
    patterns += patterns_of(input_shape("sagemaker-runtime", "InvokeEndpointAsync"), visited)
    for name in ("RegisterScalableTarget", "PutScalingPolicy"):
        patterns += patterns_of(input_shape("application-autoscaling", name), visited)
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
