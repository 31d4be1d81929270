"""When the API waits for a job, and when it says at once to ask again. The clock moves only by the pauses."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from darkroom import ids
from darkroom.endpoints.service import Endpoints
from darkroom.errors import Busy
from darkroom.jobs.model import Job, JobLine
from darkroom.jobs.service import Awaited, Jobs
from tests.support.lifecycle import Clock
from tests.support.memory import MemoryJobs, MemoryOutputs
from tests.support.sagemaker import Details, FakeOpenJobs, FakeSageMaker, FakeScaling

ENDPOINT = "darkroom-test-a"


@dataclass
class Waiting:
    """A stage with one job, which changes at times that a test sets. `reads` counts how often its row is read."""

    clock: Clock = field(default_factory=Clock)
    sagemaker: FakeSageMaker = field(default_factory=FakeSageMaker)
    scaling: FakeScaling = field(default_factory=FakeScaling)
    reads: int = 0
    changes: list[tuple[float, Callable[[Job], Job]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = MemoryJobs(self.clock, 1)
        self.store.get = self._get  # type: ignore[method-assign]
        self.made = self.clock.now
        self.id = ids.new_id_at(datetime.fromtimestamp(self.made, UTC))
        line = JobLine(self.id, "anna", "txt2img", "in_progress", endpoint=ENDPOINT)
        self.job = Job(line, parameters={})
        unused: Any = None
        endpoints = Endpoints(self.sagemaker, self.scaling, FakeOpenJobs(), "darkroom-test-", self.clock)
        self.jobs = Jobs(
            self.store,
            unused,
            MemoryOutputs(),
            endpoints,
            unused,
            unused,
            unused,
            shards=1,
            clock=self.clock,
            monotonic=self.clock,
            sleep=self._sleep,
        )

    def at(self, seconds: float, change: Callable[[Job], Job]) -> None:
        """Let the job change so many seconds after it was made."""
        self.changes.append((self.made + seconds, change))

    def instances(self, running: int) -> None:
        """Let so many instances of its endpoint run."""
        self.sagemaker.details[ENDPOINT] = Details(instances=running)

    def wait(self, seconds: int, age: float = 0) -> tuple[Awaited, float, int]:
        """Wait for the job when it is so old; returns the answer, how long it took, and the reads it made."""
        self.clock.now = begun = self.made + age
        self.reads = 0
        awaited = self.jobs.wait_for(self.id, seconds)
        return awaited, round(self.clock.now - begun, 3), self.reads

    def _get(self, job_id: str) -> Job:
        assert job_id == self.id
        self.reads += 1
        for due, change in sorted(self.changes, key=lambda entry: entry[0]):
            self.job = change(self.job) if due <= self.clock.now else self.job
        return self.job

    def _sleep(self, seconds: float) -> None:
        self.clock.now += seconds


def done(job: Job) -> Job:
    return replace(job, line=replace(job.line, status="succeed", completed_at="2026-06-01T00:00:00Z"))


def started(job: Job) -> Job:
    return replace(job, started_at="2026-06-01T00:00:00Z")


def test_a_new_job_on_an_idle_endpoint_is_waited_for_to_its_end() -> None:
    stage = Waiting()
    stage.at(5, done)
    awaited, took, _ = stage.wait(20)
    assert (awaited.job.status, awaited.retry_after) == ("succeed", None)
    assert 5 <= took < 6


def test_a_job_that_runs_is_waited_for_as_long_as_the_caller_says_however_old_it_is() -> None:
    stage = Waiting()
    stage.at(3000, started)
    awaited, took, _ = stage.wait(20, age=3600)
    assert (awaited.job.phase, awaited.retry_after, took) == ("running", None, 20)


def test_a_job_that_loads_its_models_is_waited_for_like_one_that_runs() -> None:
    stage = Waiting()
    stage.at(3000, lambda job: replace(started(job), loading=0.4))
    awaited, took, _ = stage.wait(20, age=3600)
    assert (awaited.job.phase, awaited.job.phase_detail) == ("loading", "Its model files are loading: 40%.")
    assert (awaited.retry_after, took) == (None, 20)


def test_a_new_job_that_starts_is_waited_for_beyond_its_first_seconds() -> None:
    stage = Waiting()
    stage.at(8, started)
    stage.at(15, done)
    awaited, took, _ = stage.wait(20)
    assert awaited.job.status == "succeed"
    assert 15 <= took < 16


def test_a_job_whose_endpoint_sleeps_is_answered_at_once_with_one_read() -> None:
    stage = Waiting()
    stage.instances(0)
    awaited, took, reads = stage.wait(20)
    assert (awaited.job.phase, awaited.retry_after) == ("waking", 15)
    assert (took, reads) == (0, 1)


def test_a_new_job_that_does_not_start_is_waited_for_ten_seconds_and_no_longer() -> None:
    stage = Waiting()
    awaited, took, reads = stage.wait(20)
    assert (awaited.job.phase, awaited.retry_after) == ("in_line", 2)
    assert 10 <= took < 11
    assert reads <= 17


@pytest.mark.parametrize(("age", "seconds"), [(11, 2), (35, 3), (49, 4), (120, 5), (7200, 5)])
def test_one_that_waits_in_line_is_asked_for_less_often_the_longer_it_has_waited(age: float, seconds: int) -> None:
    awaited, took, reads = Waiting().wait(20, age=age)
    assert (awaited.retry_after, took, reads) == (seconds, 0, 1)


@pytest.mark.parametrize(("age", "seconds"), [(0, 15), (180, 15), (202, 10), (209, 5), (500, 5)])
def test_one_whose_endpoint_wakes_is_asked_for_more_often_once_it_may_be_awake(age: float, seconds: int) -> None:
    stage = Waiting()
    stage.instances(0)
    stage.scaling.woke[ENDPOINT] = [240.0, 212.4]
    awaited, took, _ = stage.wait(20, age=age)
    assert (awaited.job.phase, awaited.retry_after, took) == ("waking", seconds, 0)


@pytest.mark.parametrize("trouble", ["gone", "busy"])
def test_of_an_old_job_about_whose_endpoint_nothing_is_known_the_caller_asks_again(trouble: str) -> None:
    stage = Waiting()
    if trouble == "gone":
        stage.sagemaker.endpoints = []
    else:

        def busy(_: str) -> None:
            raise Busy("aws_busy", "slow down")

        stage.sagemaker.on_call = busy
    awaited, took, reads = stage.wait(20, age=60)
    assert (awaited.job.phase, awaited.retry_after, took, reads) == (None, 5, 0, 1)


def test_a_job_that_has_ended_is_answered_at_once_and_says_nothing_about_asking_again() -> None:
    stage = Waiting()
    stage.at(0, done)
    for wait in (0, 20):
        awaited, took, reads = stage.wait(wait, age=60)
        assert (awaited.retry_after, took, reads) == (None, 0, 1)


def test_who_does_not_wait_is_told_too_when_to_ask_again() -> None:
    awaited, took, reads = Waiting().wait(0, age=60)
    assert (awaited.retry_after, took, reads) == (5, 0, 1)


def test_waiting_for_less_than_the_first_seconds_ends_in_time() -> None:
    awaited, took, _ = Waiting().wait(3)
    assert (awaited.retry_after, took) == (None, 3)
