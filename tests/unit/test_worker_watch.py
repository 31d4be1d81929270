"""How often a worker reports, and how soon it notices that it should stop."""

import threading

import pytest

from darkroom.jobs.contract import Progress, WorkRequest
from worker.errors import JobError
from worker.store import Location, Store
from worker.watch import Watch


class FakeStore(Store):
    """Keeps what was sent and asked for; `marked` is whether the cancel marker is there."""

    def __init__(self) -> None:
        self.sent: list[float] = []
        self.asked: list[Location] = []
        self.marked = False

    def send(self, queue: str, progress: Progress) -> None:
        self.sent.append(progress.progress)

    def exists(self, at: Location) -> bool:
        self.asked.append(at)
        return self.marked


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def watch_over(store: Store, clock: Clock, stopping: threading.Event | None = None) -> Watch:
    request = WorkRequest(
        job_id="job-1",
        type="txt2img",
        output="s3://bucket/jobs/job-1/output/",
        progress_queue="http://localhost/queue",
    )
    return Watch(request, store, stopping or threading.Event(), clock)


def test_progress_goes_out_at_the_start_and_then_every_five_seconds() -> None:
    store, clock = FakeStore(), Clock()
    watch = watch_over(store, clock)
    for second in range(13):
        clock.now = 1000.0 + second
        watch.step(second / 100)
    assert store.sent == [0.0, 0.05, 0.1]


def test_the_marker_is_looked_for_at_the_start_and_then_every_three_seconds() -> None:
    store, clock = FakeStore(), Clock()
    watch = watch_over(store, clock)
    for second in range(8):
        clock.now = 1000.0 + second
        watch.step(0)
    assert store.asked == [Location("bucket", "jobs/job-1/cancelled")] * 3


def test_a_marker_that_appears_between_two_steps_ends_the_job() -> None:
    store, clock = FakeStore(), Clock()
    watch = watch_over(store, clock)
    watch.step(0.1)
    store.marked = True
    watch.step(0.2)
    clock.now += 3
    with pytest.raises(JobError) as ended:
        watch.step(0.3)
    assert ended.value.code == "cancelled"


def test_a_job_leaves_when_the_process_is_told_to_end() -> None:
    stopping = threading.Event()
    watch = watch_over(FakeStore(), Clock(), stopping)
    watch.step(0)
    stopping.set()
    with pytest.raises(JobError) as ended:
        watch.step(0)
    assert ended.value.code == "worker_stopped"


def test_a_progress_beyond_the_end_is_told_as_the_end() -> None:
    store = FakeStore()
    watch_over(store, Clock()).step(1.2)
    assert store.sent == [1.0]


@pytest.mark.parametrize("uri", ["http://bucket/key", "s3://", "s3://bucket", "s3://bucket/", "s3:///key", ""])
def test_only_whole_s3_addresses_are_taken(uri: str) -> None:
    with pytest.raises(ValueError, match="not an S3 URI"):
        Location.parse(uri)
