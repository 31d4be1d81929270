"""One job waits in the container while another is painted, and its model files come meanwhile."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from starlette.testclient import TestClient

from darkroom.jobs.contract import Progress, WorkAnswer, WorkRequest
from tests.contract.worker_client import BUCKET, REGION, code_of, invoke, s3, worker_with
from tests.support.waiting import eventually
from worker.cache import Cache
from worker.engines import Painting, Task
from worker.engines.preview import PreviewEngine
from worker.errors import DamagedCopy
from worker.fetching import Fetching
from worker.model_files import ModelFiles
from worker.store import Location, Store
from worker.used_files import JobFiles, files_of

CONTENT = b"weights" * 100_000


class Held(Store):
    """A store whose model files come when the test lets them."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.go.set()
        self.asked: list[str] = []

    def read_into(self, room: memoryview, at: Location, etag: str, begin: int, look: Any = lambda: None) -> None:
        self.asked.append(at.key)
        while not self.go.wait(0.01):
            look()
        super().read_into(room, at, etag, begin, look)


class Painter(PreviewEngine):
    """Has model files, as the engine of real models has, and paints until the test lets it finish."""

    def __init__(self, folder: Path) -> None:
        self.store = Held()
        self.files = ModelFiles(self.store, Cache(folder, keep_free=0))
        self.painting: list[str] = []
        self.loads = 0
        self.finish = threading.Event()
        self.looked: Counter[str] = Counter()

    def goes_on(self, job: str) -> None:
        """Returns when the job, whatever it does, has looked a few times more whether it was cancelled."""
        before = self.looked[job]
        eventually(lambda: self.looked[job] > before + 4)

    def fetch(self, request: WorkRequest) -> Fetching:
        return Fetching(self.files, [file for _, file in files_of(request)])

    def load(self, task: Task) -> None:
        self.loads += 1
        with JobFiles(self.files, task.request) as files:
            for _, file in files_of(task.request):
                path = files.path(file, lambda: task.step(0.0))
                with self.files.open(file, lambda: None) as opened:
                    opened.verify(path.name)

    def paint(self, task: Task) -> Iterator[Painting]:
        self.painting.append(task.request.job_id)
        while not self.finish.wait(0.01):
            task.step(0.5)
        yield from super().paint(task)


@pytest.fixture
def painter(tmp_path: Path, aws_in_memory: None, monkeypatch: pytest.MonkeyPatch) -> Painter:
    monkeypatch.setattr("worker.watch.CANCEL_CHECK_SECONDS", 0.05)
    s3().create_bucket(Bucket="models", CreateBucketConfiguration={"LocationConstraint": REGION})
    for name in "abc":
        s3().put_object(Bucket="models", Key=name, Body=name.encode() + CONTENT)
    made, look = Painter(tmp_path / "cache"), Store.exists

    def exists(store: Store, at: Location) -> bool:
        made.looked[at.key.split("/")[1]] += 1
        return look(store, at)

    monkeypatch.setattr(Store, "exists", exists)
    return made


Submit = Callable[..., "Future[WorkAnswer]"]


@contextmanager
def serving(painter: Painter, monkeypatch: pytest.MonkeyPatch, at_once: int = 1) -> Iterator[tuple[TestClient, Submit]]:
    """A worker, and how to send it a job by its name and that of its checkpoint."""
    with worker_with(monkeypatch, painter, at_once) as worker, ThreadPoolExecutor(4) as callers:

        def submit(job: str, checkpoint: str, **more: Any) -> "Future[WorkAnswer]":
            file = {"name": f"{checkpoint}.safetensors", "s3": f"s3://models/{checkpoint}"}
            output = f"s3://{BUCKET}/jobs/{job}/output/"
            return callers.submit(invoke, worker, job_id=job, output=output, checkpoint=file, **more)

        try:
            yield worker, submit
        finally:
            painter.finish.set()
            painter.store.go.set()


def is_there(painter: Painter, checkpoint: str) -> bool:
    """Whether a whole copy of the checkpoint is in the cache."""
    content = checkpoint.encode() + CONTENT
    return any(path.read_bytes() == content for path in painter.files.cache.folder.glob("*.safetensors"))


def test_the_files_of_the_job_that_waits_come_while_the_other_is_painted(
    painter: Painter, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(painter, monkeypatch) as (_, submit):
        first = submit("one", "a")
        eventually(lambda: painter.painting)
        begun = time.monotonic()
        second = submit("two", "b")
        eventually(lambda: is_there(painter, "b"))
        painter.goes_on("two")
        assert painter.painting == ["one"]
        waited = time.monotonic() - begun
        painter.finish.set()
        assert code_of(first.result(60)) is None
        timings, whole = second.result(60).timings, time.monotonic() - begun
    assert timings
    assert timings.queued is not None
    assert timings.busy is not None
    # The second was asked for a moment after the clock began to run.
    assert timings.queued > waited / 2
    assert timings.queued + timings.busy <= whole
    assert painter.store.asked.count("b") == 1


def test_what_is_fetched_while_nobody_paints_is_downloading_and_no_waiting(
    painter: Painter, monkeypatch: pytest.MonkeyPatch
) -> None:
    painter.finish.set()
    painter.store.go.clear()
    with serving(painter, monkeypatch) as (_, submit):
        job = submit("one", "a")
        eventually(lambda: painter.store.asked)
        begun = time.monotonic()
        time.sleep(0.3)
        held = time.monotonic() - begun
        painter.store.go.set()
        timings = job.result(60).timings
    assert timings
    assert timings.download is not None
    assert timings.download > held


def test_a_job_that_waits_says_nothing_of_itself_before_its_turn(
    painter: Painter, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqs = boto3.client("sqs", region_name=REGION)
    queue = sqs.create_queue(QueueName="progress")["QueueUrl"]

    def told() -> list[Progress]:
        found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=0).get("Messages", [])
        return [Progress.model_validate_json(message["Body"]) for message in found]

    with serving(painter, monkeypatch) as (_, submit):
        first = submit("one", "a")
        eventually(lambda: painter.painting)
        second = submit("two", "b", progress_queue=queue)
        eventually(lambda: is_there(painter, "b"))
        painter.goes_on("two")
        assert told() == []
        painter.finish.set()
        assert (code_of(first.result(60)), code_of(second.result(60))) == (None, None)
        # Its files were there, so it never said that it loads.
        assert [(message.job_id, message.loading) for message in told()] == [("two", None)]


def test_a_job_whose_files_are_on_their_way_says_how_many_of_their_bytes_are_there(
    painter: Painter, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqs = boto3.client("sqs", region_name=REGION)
    queue = sqs.create_queue(QueueName="progress")["QueueUrl"]
    painter.finish.set()
    painter.store.go.clear()
    with serving(painter, monkeypatch) as (_, submit):
        job = submit("one", "a", progress_queue=queue)
        [message] = eventually(lambda: sqs.receive_message(QueueUrl=queue, VisibilityTimeout=0).get("Messages", []))
        loading = Progress.model_validate_json(message["Body"])
        assert (loading.loading, loading.progress) == (0.0, 0.0)
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        painter.store.go.set()
        assert code_of(job.result(60)) is None
        # That it paints is told at once, though the last message is no five seconds ago.
        [message] = sqs.receive_message(QueueUrl=queue)["Messages"]
        assert Progress.model_validate_json(message["Body"]).loading is None


def test_a_job_that_is_cancelled_while_it_waits_ends_at_once(painter: Painter, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(painter, monkeypatch) as (_, submit):
        first = submit("one", "a")
        eventually(lambda: painter.painting)
        painter.store.go.clear()
        second = submit("two", "b")
        eventually(lambda: "b" in painter.store.asked)
        s3().put_object(Bucket=BUCKET, Key="jobs/two/cancelled", Body=b"")
        assert code_of(second.result(60)) == "cancelled"
        assert not first.done()
        # Its file was for nobody else.
        eventually(lambda: not [*painter.files.cache.folder.glob("*.part")])
        assert not is_there(painter, "b")


def test_a_third_job_waits_with_nothing_fetched_and_all_are_served_in_their_order(
    painter: Painter, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(painter, monkeypatch) as (worker, submit):
        jobs = [submit("one", "a")]
        eventually(lambda: painter.painting)
        jobs.append(submit("two", "b"))
        eventually(lambda: is_there(painter, "b"))
        jobs.append(submit("three", "c"))
        for _ in range(3):
            assert worker.get("/ping").status_code == 200
        assert "c" not in painter.store.asked
        painter.finish.set()
        assert [code_of(job.result(60)) for job in jobs] == [None] * 3
    assert painter.painting == ["one", "two", "three"]


def test_a_worker_for_two_paints_two_and_lets_one_wait(painter: Painter, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(painter, monkeypatch, at_once=2) as (_, submit):
        jobs = [submit("one", "a"), submit("two", "b")]
        eventually(lambda: len(painter.painting) == 2)
        jobs.append(submit("three", "c"))
        eventually(lambda: is_there(painter, "c"))
        painter.goes_on("three")
        assert len(painter.painting) == 2
        painter.finish.set()
        assert [code_of(job.result(60)) for job in jobs] == [None] * 3


def test_a_damaged_copy_is_fetched_anew_and_the_job_succeeds(painter: Painter, monkeypatch: pytest.MonkeyPatch) -> None:
    painter.finish.set()
    with serving(painter, monkeypatch) as (_, submit):
        assert code_of(submit("one", "a").result(60)) is None
        [copy] = painter.files.cache.folder.glob("*.safetensors")
        copy.write_bytes(b"A" + copy.read_bytes()[1:])
        assert code_of(submit("two", "a").result(60)) is None
    assert is_there(painter, "a")
    assert painter.store.asked == ["a", "a"]
    assert painter.loads == 3


def test_a_copy_that_is_damaged_twice_ends_the_job(painter: Painter, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(task: Task) -> None:
        painter.loads += 1
        raise DamagedCopy(painter.files.cache.folder / "x", "a.safetensors")

    monkeypatch.setattr(painter, "load", damaged)
    with serving(painter, monkeypatch) as (_, submit):
        answer = submit("one", "a").result(60)
    assert answer.error
    assert answer.error.code == "model_unreadable"
    assert "a.safetensors" in answer.error.message
    assert painter.loads == 2


def test_a_file_that_is_not_there_ends_a_job_only_if_the_engine_asks_for_it(
    painter: Painter, monkeypatch: pytest.MonkeyPatch
) -> None:
    painter.finish.set()
    missing = {"lora": [{"name": "l.safetensors", "s3": "s3://models/missing"}]}
    with serving(painter, monkeypatch) as (_, submit):
        assert code_of(submit("one", "a", models=missing).result(60)) == "model_unreadable"
        monkeypatch.setattr(painter, "load", lambda task: None)
        assert code_of(submit("two", "a", models=missing).result(60)) is None
