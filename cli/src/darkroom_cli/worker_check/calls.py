"""The worker under test: its two requests, and how it is stopped."""

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from darkroom_cli.worker_check.contract import END_SECONDS, PING_SECONDS
from darkroom_client import Failure


@dataclass(frozen=True)
class Response:
    """What the worker answered: status, body, and the seconds that it took. `status` is None when the connection broke
    or no answer came in time; `fault` then says which."""

    status: int | None
    content: bytes
    seconds: float
    fault: str = ""


@dataclass
class Worker:
    """A worker at `url`. `timeout` is how many seconds a job may take."""

    url: str
    timeout: float
    child: "Child | None" = None
    stop_command: str | None = None
    stopping: "subprocess.Popen[bytes] | None" = None
    _http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        # No connection is used again: a worker that is shut down may close one while a request is on its way.
        limits = httpx.Limits(max_keepalive_connections=0)
        self._http = httpx.Client(trust_env=False, limits=limits, timeout=self.timeout)

    def ping(self) -> Response:
        """`GET /ping`, as long as SageMaker waits for it."""
        return self._send("GET", "/ping", timeout=PING_SECONDS)

    def invoke(self, body: bytes) -> Response:
        """`POST /invocations`."""
        headers = {"Content-Type": "application/json"}
        return self._send("POST", "/invocations", content=body, headers=headers)

    @property
    def can_stop(self) -> bool:
        """Whether there is a way to shut it down."""
        return self.child is not None or self.stop_command is not None

    def stop(self) -> None:
        """Begins the command that sends SIGTERM, or sends it to the process that was started. Returns at once. Raises
        Failure when the command cannot be run."""
        if self.stop_command:
            try:
                self.stopping = subprocess.Popen(  # noqa: S603 - the person's own command, without a shell
                    shlex.split(self.stop_command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
            except (OSError, ValueError, IndexError) as error:
                raise Failure(f"the command of --stop cannot be run: {error}") from error
        elif self.child:
            self.child.process.send_signal(signal.SIGTERM)

    def close(self) -> None:
        """Ends the calls, and the process that was started for the check."""
        self._http.close()
        if self.child:
            self.child.end()
        if self.stopping:
            with suppress(subprocess.TimeoutExpired):
                self.stopping.wait(END_SECONDS)

    def _send(self, method: str, path: str, **given: Any) -> Response:
        begun = time.monotonic()
        try:
            answer = self._http.request(method, self.url.rstrip("/") + path, **given)
        except httpx.TimeoutException:
            seconds = time.monotonic() - begun
            return Response(None, b"", seconds, f"it did not answer within {seconds:.0f} seconds")
        except httpx.TransportError as error:
            why = f"the connection broke: {error or type(error).__name__}"
            return Response(None, b"", time.monotonic() - begun, why)
        return Response(answer.status_code, answer.content, time.monotonic() - begun)


@dataclass(frozen=True)
class Child:
    """A worker that was started for the check. What it prints is in the file `log`."""

    process: "subprocess.Popen[bytes]"
    log: Path

    @classmethod
    def started(
        cls, command: Sequence[str], variables: Mapping[str, str], without: Sequence[str], log: Path
    ) -> "Child":
        """Starts a command in the person's environment `without` some variables, and with these added. Raises Failure
        when it cannot be run."""
        kept = {name: value for name, value in os.environ.items() if name not in without}
        with log.open("wb") as out:
            try:
                process = subprocess.Popen(  # noqa: S603 - the person's own command, without a shell
                    list(command), env={**kept, **variables}, stdout=out, stderr=out, stdin=subprocess.DEVNULL
                )
            except OSError as error:
                raise Failure(f"{command[0]} cannot be started: {error}") from error
        return cls(process, log)

    def last_words(self) -> str:
        """The last lines that it printed."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-10:])

    def end(self, seconds: float = END_SECONDS) -> None:
        """Ends the process: with SIGTERM, and after so many seconds by force."""
        if self.process.poll() is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def wait_for(worker: Worker, seconds: float) -> None:
    """Waits until `/ping` answers 200. Raises Failure when it does not in time, or when the process has ended."""
    deadline = time.monotonic() + seconds
    while True:
        answer = worker.ping()
        if answer.status == 200:
            return
        child = worker.child
        if child and child.process.poll() is not None:
            code = child.process.returncode
            raise Failure(f"The worker ended with code {code} before it answered. It said: {child.last_words()}")
        if time.monotonic() >= deadline:
            told = answer.fault or f"it answers {answer.status}"
            raise Failure(f"{worker.url}/ping did not answer 200 within {seconds:.0f} seconds: {told}.")
        time.sleep(0.3)
