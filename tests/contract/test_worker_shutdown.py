"""SIGTERM and Ctrl-C to the worker's own process, with an S3 that answers, or stays silent."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

IN_TIME = 60.0
"""Seconds after which something that should happen counts as not happening."""

# The first process of a container is not killed by a SIGTERM that it sends to itself; others are.
FIRST_PROCESS = "import signal; signal.raise_signal = lambda number: None"
WORKER = (
    "import worker.shutdown as s; s.GRACE, s.LAST_ANSWERS = {grace}, {last}; {more}\n"
    "import worker.server as w; w.main()"
)


class Bucket(ThreadingHTTPServer):
    """An S3 in which nothing is, and that takes what is put into it.

    `put` is set when the first picture arrives, and it is answered once `go` is set. `silent` names a method that is
    never answered, and `asked` is set when that is called.
    """

    daemon_threads = True

    def __init__(self, silent: str = "") -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.silent = silent
        self.put = threading.Event()
        self.asked = threading.Event()
        self.go = threading.Event()
        self.over = threading.Event()
        self.puts: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answers(BaseHTTPRequestHandler):
    server: Bucket
    protocol_version = "HTTP/1.1"

    def _answer(self, status: int) -> None:
        if self.command == self.server.silent:
            self.server.asked.set()
            self.server.over.wait()
            return
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_HEAD(self) -> None:
        self._answer(404)

    def do_GET(self) -> None:
        self._answer(404)

    def do_PUT(self) -> None:
        self.server.puts.append(self.path)
        self.server.put.set()
        self.server.go.wait()
        self._answer(200)

    def log_message(self, format: str, *args: Any) -> None:
        """Silence."""


@contextmanager
def bucket(silent: str = "") -> Iterator[Bucket]:
    server = Bucket(silent)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.go.set()
        server.over.set()
        server.shutdown()
        server.server_close()


class Worker:
    """The worker as a process of its own, and its callers."""

    def __init__(self, s3: Bucket, code: str) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": "eu-west-1",
            "AWS_ENDPOINT_URL": s3.url,
        }
        command = [sys.executable, "-c", code, "--port", "0"]
        self.process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)  # noqa: S603
        self.said: list[str] = []
        address = self.wait_for("Uvicorn running on").split("Uvicorn running on ")[1].split()[0]
        self.port = int(address.rpartition(":")[2])

    def wait_for(self, words: str) -> str:
        """The line, once the process has written one with `words` in it to its standard error."""
        assert self.process.stderr
        for line in self.process.stderr:
            self.said.append(line)
            if words in line:
                return line
        raise AssertionError(f"never said {words!r}: {self.said}")

    def invoke(self, **fields: Any) -> HTTPConnection:
        """Sends a job, and returns once the worker has it."""
        given = {"job_id": "1", "type": "txt2img", "output": "s3://pictures/jobs/1/output/", **fields}
        call = HTTPConnection("127.0.0.1", self.port, timeout=IN_TIME)
        call.request("POST", "/invocations", json.dumps(given))
        # Connections are served in their order.
        for _ in range(3):
            assert httpx.get(f"http://127.0.0.1:{self.port}/ping", timeout=IN_TIME).status_code == 200
        return call

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextmanager
def worker(s3: Bucket, *, grace: float = 0, last: float = 30, more: str = "") -> Iterator[Worker]:
    running = Worker(s3, WORKER.format(grace=grace, last=last, more=more or "pass"))
    try:
        yield running
    finally:
        running.end()


def answer_of(call: HTTPConnection) -> dict[str, Any]:
    response = call.getresponse()
    assert response.status == 200
    answer: dict[str, Any] = json.loads(response.read())
    return answer


MANY = {"prompt": "x" * 100_000, "width": 512, "height": 512, "batch_size": 8, "n_iter": 16}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_is_unfinished_when_the_process_is_told_to_end_is_answered(number: signal.Signals) -> None:
    with bucket() as s3, worker(s3) as running:
        under_way = running.invoke(parameters=MANY)
        assert s3.put.wait(IN_TIME)
        in_line = running.invoke()
        running.process.send_signal(number)
        running.wait_for("Shutting down")
        s3.go.set()
        for call in (under_way, in_line):
            assert answer_of(call)["error"]["code"] == "worker_stopped"
        assert running.process.wait(IN_TIME) in (0, -number)
        # The one that was being stored, and what the painter began until another thread told it.
        assert len(s3.puts) < 16


def test_a_job_under_way_has_its_grace_and_one_in_line_is_not_begun() -> None:
    with bucket() as s3, worker(s3, grace=3600) as running:
        under_way = running.invoke(parameters={**MANY, "n_iter": 1})
        assert s3.put.wait(IN_TIME)
        in_line = running.invoke()
        running.process.terminate()
        running.wait_for("Shutting down")
        # At once: another instance can have it now.
        assert answer_of(in_line)["error"]["code"] == "worker_stopped"
        s3.go.set()
        assert len(answer_of(under_way)["images"]) == 8
        assert running.process.wait(IN_TIME) in (0, -signal.SIGTERM)
        assert len([path for path in s3.puts if path.endswith(".png")]) == 8


@pytest.mark.parametrize(
    ("silent", "fields"),
    [("HEAD", {}), ("GET", {"type": "img2img", "images": {"init": "s3://pictures/images/init"}}), ("", {})],
    ids=["look for a cancel", "download", "upload"],
)
def test_an_s3_that_is_silent_does_not_keep_the_process(silent: str, fields: dict[str, Any]) -> None:
    """The call itself would go on for longer than this test waits."""
    held = "import worker.store as t; from botocore.config import Config as C; t.QUICK = C(read_timeout=3600)"
    held += "; t.PATIENT = C(read_timeout=3600)"
    with bucket(silent) as s3, worker(s3, last=1, more=f"{held}; {FIRST_PROCESS}") as running:
        running.invoke(**fields)
        assert (s3.asked if silent else s3.put).wait(IN_TIME)
        running.process.terminate()
        assert running.process.wait(IN_TIME) in (0, -signal.SIGTERM)


def test_a_second_ctrl_c_does_not_wait_for_the_grace() -> None:
    with bucket() as s3, worker(s3, grace=3600, last=3600) as running:
        running.invoke(parameters=MANY)
        assert s3.put.wait(IN_TIME)
        running.process.send_signal(signal.SIGINT)
        running.wait_for("Shutting down")
        running.process.send_signal(signal.SIGINT)
        s3.go.set()
        assert running.process.wait(IN_TIME) in (0, -signal.SIGINT)
        assert len(s3.puts) < 128
