"""The worker while it paints: progress, cancelling, a second job, and the end of its process."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from starlette.testclient import TestClient

from darkroom.jobs.contract import Progress
from tests.contract.worker_client import BUCKET, JOB, REGION, code_of, invoke, job_keys, s3, worker_with
from worker.engines import Painting, Task
from worker.engines.preview import PreviewEngine
from worker.server import main


def test_a_job_cancelled_before_it_starts_paints_nothing(worker: TestClient) -> None:
    s3().put_object(Bucket=BUCKET, Key=f"jobs/{JOB}/cancelled", Body=b"")
    assert code_of(invoke(worker)) == "cancelled"
    assert job_keys() == [f"jobs/{JOB}/cancelled"]


def test_the_cancel_marker_of_another_job_does_not_count(worker: TestClient) -> None:
    s3().put_object(Bucket=BUCKET, Key="jobs/other/cancelled", Body=b"")
    assert code_of(invoke(worker)) is None


def test_a_progress_message_is_sent_when_the_job_starts(worker: TestClient) -> None:
    sqs = boto3.client("sqs", region_name=REGION)
    queue = sqs.create_queue(QueueName="progress")["QueueUrl"]
    invoke(worker, progress_queue=queue)
    messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    assert len(messages) == 1
    progress = Progress.model_validate_json(messages[0]["Body"])
    assert (progress.job_id, progress.progress) == (JOB, 0.0)
    assert progress.started_at.endswith("Z")


def test_a_missing_progress_queue_does_not_fail_the_job(worker: TestClient) -> None:
    queue = f"https://sqs.{REGION}.amazonaws.com/123456789012/missing"
    assert len(invoke(worker, progress_queue=queue).images) == 1


class SlowEngine(PreviewEngine):
    """Paints until the test sets `finish`, or until a step stops the job. It counts jobs that run at the same time."""

    def __init__(self) -> None:
        self.painting = threading.Event()
        self.finish = threading.Event()
        self.running = 0
        self.most_at_once = 0

    def paint(self, task: Task) -> Iterator[Painting]:
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        self.painting.set()
        try:
            while not self.finish.wait(0.01):
                task.step(0.5)
            yield from super().paint(task)
        finally:
            self.running -= 1


def test_ping_answers_while_a_job_is_painted_and_a_second_job_waits(
    monkeypatch: pytest.MonkeyPatch, aws_in_memory: None
) -> None:
    engine = SlowEngine()
    with worker_with(monkeypatch, engine) as worker, ThreadPoolExecutor(2) as callers:
        jobs = [callers.submit(invoke, worker) for _ in range(2)]
        assert engine.painting.wait(10)
        assert worker.get("/ping").status_code == 200
        engine.finish.set()
        assert [len(job.result(10).images) for job in jobs] == [1, 1]
    assert engine.most_at_once == 1


def test_two_jobs_are_painted_at_once_by_a_worker_for_two(monkeypatch: pytest.MonkeyPatch, aws_in_memory: None) -> None:
    engine = SlowEngine()
    both = threading.Barrier(2)
    monkeypatch.setattr(engine, "load", lambda request: both.wait(30))
    engine.finish.set()
    with worker_with(monkeypatch, engine, jobs_at_once=2) as worker, ThreadPoolExecutor(2) as callers:
        outputs = [f"s3://{BUCKET}/jobs/{name}/output/" for name in ("one", "other")]
        jobs = [callers.submit(invoke, worker, output=output) for output in outputs]
        assert [len(job.result(30).images) for job in jobs] == [1, 1]


@pytest.mark.parametrize("number", ["0", "17", "many"])
def test_jobs_at_once_out_of_range_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: str
) -> None:
    monkeypatch.setenv("DARKROOM_JOBS_AT_ONCE", number)
    monkeypatch.setattr(sys, "argv", ["worker"])
    with pytest.raises(SystemExit):
        main()
    assert "--jobs-at-once" in capsys.readouterr().err


def test_the_answer_tells_how_long_the_job_waited(worker: TestClient) -> None:
    timings = invoke(worker).timings
    assert timings is not None
    assert timings.queued is not None


def test_a_job_cancelled_while_it_is_painted_stops(monkeypatch: pytest.MonkeyPatch, aws_in_memory: None) -> None:
    monkeypatch.setattr("worker.watch.CANCEL_CHECK_SECONDS", 0.05)
    engine = SlowEngine()
    with worker_with(monkeypatch, engine) as worker, ThreadPoolExecutor(1) as caller:
        job = caller.submit(invoke, worker)
        assert engine.painting.wait(10)
        s3().put_object(Bucket=BUCKET, Key=f"jobs/{JOB}/cancelled", Body=b"")
        assert code_of(job.result(10)) == "cancelled"


def test_a_worker_ends_on_sigterm() -> None:
    command = [sys.executable, "-m", "worker.server", "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(  # noqa: S603 - our own command
        command, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr
            assert any("Uvicorn running on" in line for line in process.stderr), "the worker did not start"
            process.terminate()
            assert process.wait(10) in (0, -signal.SIGTERM)
        finally:
            process.kill()
