"""How often a worker reports its progress, and how soon it notices that it should stop."""

import threading

import pytest

from darkroom.jobs.contract import Progress, WorkRequest
from tests.unit.clocks import Clock
from worker.errors import JobError
from worker.store import Location, Store
from worker.watch import Watch


class FakeStore(Store):
    """Keeps the progress that was sent and the objects that were looked for. `marked` says whether the cancel marker
    exists."""

    def __init__(self) -> None:
        self.sent: list[float] = []
        self.loading: list[float | None] = []
        self.looked_for: list[Location] = []
        self.marked = False

    def send(self, queue: str, progress: Progress) -> None:
        self.sent.append(progress.progress)
        self.loading.append(progress.loading)

    def exists(self, at: Location) -> bool:
        self.looked_for.append(at)
        return self.marked


def watch_over(store: Store, clock: Clock, stopping: threading.Event | None = None) -> Watch:
    request = WorkRequest(
        job_id="job-1",
        type="txt2img",
        output="s3://bucket/jobs/job-1/output/",
        progress_queue="http://localhost/queue",
    )
    return Watch(request, store, stopping or threading.Event(), clock)


def test_progress_is_sent_at_the_start_and_then_every_five_seconds() -> None:
    store, clock = FakeStore(), Clock(1000.0)
    watch = watch_over(store, clock)
    for second in range(13):
        clock.now = 1000.0 + second
        watch.step(second / 100)
    assert store.sent == [0.0, 0.05, 0.1]


def test_the_cancel_marker_is_looked_for_at_the_start_and_then_every_three_seconds() -> None:
    store, clock = FakeStore(), Clock(1000.0)
    watch = watch_over(store, clock)
    for second in range(8):
        clock.now = 1000.0 + second
        watch.step(0)
    assert store.looked_for == [Location("bucket", "jobs/job-1/cancelled")] * 3


def test_a_cancel_marker_that_appears_between_two_steps_ends_the_job() -> None:
    store, clock = FakeStore(), Clock(1000.0)
    watch = watch_over(store, clock)
    watch.step(0.1)
    store.marked = True
    watch.step(0.2)
    clock.now += 3
    with pytest.raises(JobError) as stopped:
        watch.step(0.3)
    assert stopped.value.code == "cancelled"


def test_a_job_stops_when_the_process_ends() -> None:
    stopping = threading.Event()
    watch = watch_over(FakeStore(), Clock(1000.0), stopping)
    watch.step(0)
    stopping.set()
    with pytest.raises(JobError) as stopped:
        watch.step(0)
    assert stopped.value.code == "worker_stopped"


def test_while_files_are_on_their_way_their_share_is_told_and_painting_at_once_when_it_begins() -> None:
    store, clock, share = FakeStore(), Clock(1000.0), [0.25]
    watch = watch_over(store, clock)
    watch.begin(lambda: share[0])
    watch.step(0)
    clock.now, share[0] = 1005.0, 0.75
    watch.step(0)
    clock.now = 1006.0
    watch.painting()
    watch.step(0.1)
    watch.step(0.2)
    assert store.loading == [0.25, 0.75, None]
    assert store.sent == [0, 0, 0.1]


def test_nothing_is_told_before_it_is_known_whether_files_have_to_come() -> None:
    store, clock, share = FakeStore(), Clock(1000.0), list[float | None]([None])
    watch = watch_over(store, clock)
    watch.begin(lambda: share[0])
    watch.step(0)
    assert store.sent == []
    share[0] = 1.0
    watch.step(0)
    assert store.loading == [None]


def test_a_look_tells_nothing_and_notices_a_cancel() -> None:
    store = FakeStore()
    watch = watch_over(store, Clock(1000.0))
    store.marked = True
    with pytest.raises(JobError, match="cancelled"):
        watch.look()
    assert store.sent == []


def test_a_progress_above_1_is_sent_as_1() -> None:
    store = FakeStore()
    watch_over(store, Clock(1000.0)).step(1.2)
    assert store.sent == [1.0]


@pytest.mark.parametrize("uri", ["http://bucket/key", "s3://", "s3://bucket", "s3://bucket/", "s3:///key", ""])
def test_only_complete_s3_uris_are_accepted(uri: str) -> None:
    with pytest.raises(ValueError, match="not an S3 URI"):
        Location.parse(uri)
