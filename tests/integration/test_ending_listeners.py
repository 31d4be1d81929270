"""What follows from an end: a listener hears of each end once, whoever wrote it."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from darkroom.errors import Missing
from darkroom.jobs.ending import Ended, Endings
from darkroom.jobs.events import Events
from darkroom.jobs.model import output_prefix
from darkroom.jobs.results import Results
from tests.support.aws import TIMEOUTS
from tests.support.events import completed, failed, manifest
from tests.support.lifecycle import BODY, Lifecycle
from tests.support.sagemaker import endpoint
from tests.unit.test_lifecycle import in_memory


class Machine(Lifecycle):
    """The services over twins in memory, driven by hand."""

    world = staticmethod(in_memory)


@pytest.fixture
def machine() -> Machine:
    return Machine()


def ends(machine: Machine) -> list[tuple[str, str, str | None]]:
    return [(ended.status, ended.basis, ended.code) for ended in machine.ended]


def submit(machine: Machine) -> str:
    job_id = machine.submission.submit("alice", BODY).job.id
    machine.clock.now += 1
    return job_id


def deliver(machine: Machine, *messages: dict[str, Any]) -> None:
    for message in messages:
        machine.events.receive(json.dumps(message))


def a_message(machine: Machine, job_id: str) -> None:
    machine.on.put(f"{output_prefix(job_id)}0.png", b"picture")
    deliver(machine, completed(job_id, manifest(job_id)))


def a_cancel(machine: Machine, job_id: str) -> None:
    machine.jobs.cancel(job_id)


def the_sweeper(machine: Machine, job_id: str) -> None:
    machine.clock.now += TIMEOUTS.deadline + 60
    machine.sweep(1_000)


def a_broken_off_cancel(machine: Machine, job_id: str) -> None:
    machine.on.outputs.mark_cancelled(job_id, None)
    machine.clock.now += 400
    machine.sweep(1_000)


def a_gone_endpoint(machine: Machine, job_id: str) -> None:
    machine.sagemaker.endpoints = [endpoint("darkroom-test-b")]
    machine.clock.now += 400
    machine.sweep(1_000)


def a_deletion(machine: Machine, job_id: str) -> None:
    assert machine.open_jobs.fail("darkroom-test-a", "endpoint_deleted", "The endpoint was deleted.") <= 1


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (a_message, ("succeed", "callback", None)),
        (a_cancel, ("cancelled", "caller", None)),
        (the_sweeper, ("fail", "deadline", "timed_out")),
        (a_broken_off_cancel, ("cancelled", "s3", None)),
        (a_gone_endpoint, ("fail", "endpoint", "endpoint_gone")),
        (a_deletion, ("fail", "endpoint", "endpoint_deleted")),
    ],
)
def test_each_writer_of_an_end_calls_the_listener_once_and_repeats_do_not(
    machine: Machine, act: Callable[[Machine, str], None], told: tuple[str, str, str | None]
) -> None:
    job_id = submit(machine)
    for _ in range(2):
        act(machine, job_id)
    assert ends(machine) == [told]
    assert machine.ended[0].job_id == job_id


def test_a_refusal_of_the_dispatcher_calls_the_listener_once(machine: Machine) -> None:
    machine.sagemaker.trouble = "refused"
    job_id = submit(machine)
    assert ends(machine) == [("fail", "invoke", "endpoint_refused")]
    deliver(machine, completed(job_id, manifest(job_id)), failed(job_id))
    assert len(machine.ended) == 1


def test_late_ends_and_ends_of_deleted_jobs_call_no_listener(machine: Machine) -> None:
    cancelled, deleted = submit(machine), submit(machine)
    machine.jobs.cancel(cancelled)
    machine.jobs.delete(deleted)
    machine.ended.clear()
    for job_id in (cancelled, deleted):
        deliver(machine, completed(job_id, manifest(job_id)), failed(job_id))
    assert machine.ended == []


def test_a_result_after_the_deadline_is_a_second_end(machine: Machine) -> None:
    job_id = submit(machine)
    the_sweeper(machine, job_id)
    a_message(machine, job_id)
    assert ends(machine) == [("fail", "deadline", "timed_out"), ("succeed", "callback", None)]


def test_a_listener_that_fails_undoes_no_end_and_keeps_no_other_from_its_turn(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(ended: Ended) -> None:
        raise Missing("secret-text", "x")

    endings = Endings(machine.on.store, machine.on.outputs, (breaks, machine.ended.append), machine.clock)
    on = machine.on
    machine.events = Events(Results(on.store, on.outputs, endings, machine.dispatcher.dispatch, machine.clock))
    job_id = submit(machine)
    a_message(machine, job_id)
    assert machine.jobs.get(job_id).status == "succeed"
    assert len(machine.ended) == 1
    assert "Missing" in caplog.text
    assert "secret-text" not in caplog.text
