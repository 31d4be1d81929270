"""The worker from the start of its process until its engine is there, and the word that SageMaker starts it with."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tests.contract.serving import free_port, http, running_process, served, wait_until
from worker import server, starting
from worker.server import create_app, main
from worker.shutdown import Shutdown


class Made:
    """An application that takes as long to make as the test wants."""

    def __init__(self, error: Exception | None = None) -> None:
        self.go = threading.Event()
        self.error = error
        self.broken: list[BaseException] = []

    def make(self) -> Starlette:
        self.go.wait(60)
        if self.error:
            raise self.error
        return Starlette(
            routes=[Route("/ping", _answer), Route("/invocations", _answer, methods=["POST"])],
        )

    @contextmanager
    def worker(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
        monkeypatch.setattr(starting, "AT_ONCE", 0.0)
        with served(starting.starting("other", self.make, self.broken.append)) as url:
            try:
                yield url
            finally:
                self.go.set()


async def _answer(request: Request) -> Response:
    return PlainTextResponse(f"the worker answers {request.url.path}")


def test_ping_says_not_ready_until_the_engine_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made()
    with made.worker(monkeypatch) as url:
        early = http().get(f"{url}/ping")
        assert early.status_code == 503
        assert early.json() == {"ready": False, "engine": "other", "device": None, "models_loaded": []}
        made.go.set()
        wait_until(lambda: http().get(f"{url}/ping").status_code == 200)
        assert http().get(f"{url}/ping").text == "the worker answers /ping"


def test_a_job_that_comes_early_waits_and_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made()
    answers: list[str] = []
    with made.worker(monkeypatch) as url:
        call = threading.Thread(target=lambda: answers.append(http().post(f"{url}/invocations").text))
        call.start()
        assert http().get(f"{url}/ping").status_code == 503
        assert answers == []
        made.go.set()
        call.join(30)
    assert answers == ["the worker answers /invocations"]


def test_an_engine_that_cannot_be_made_is_told_to_who_runs_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made(ImportError("no module named torch"))
    with made.worker(monkeypatch) as url:
        made.go.set()
        wait_until(lambda: made.broken)
        assert http().get(f"{url}/ping").status_code == 503
    assert made.broken == [made.error]


def test_a_worker_that_is_told_to_end_is_not_ready() -> None:
    shutdown = Shutdown()
    with served(create_app(shutdown=shutdown)) as url:
        assert http().get(f"{url}/ping").status_code == 200
        shutdown.begun.set()
        answer = http().get(f"{url}/ping")
    assert (answer.status_code, answer.json()["ready"]) == (503, False)


BREAKS = (
    "import worker.engines as e\n"
    "def gone(): raise ImportError('no torch here')\n"
    "e.ENGINES['diffusers'] = gone\n"
    "import worker.server as w; w.main()"
)


def test_a_worker_whose_engine_is_broken_ends_and_says_why() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", BREAKS, "--engine", "diffusers", "--port", "0"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603
    assert done.returncode == 1
    assert "the engine diffusers cannot be made" in done.stderr
    assert "no torch here" in done.stderr


@pytest.mark.parametrize(("words", "host"), [(["serve"], "0.0.0.0"), ([], "127.0.0.1")])  # noqa: S104
def test_the_word_serve_listens_for_others_too(words: list[str], host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[uvicorn.Config] = []

    class NotRunning:
        def __init__(self, config: uvicorn.Config, shutdown: Shutdown) -> None:
            told.append(config)

        def run(self) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr(server, "Server", NotRunning)
    monkeypatch.setattr(os, "_exit", lambda status: None)
    monkeypatch.setattr(sys, "argv", ["worker", *words])
    monkeypatch.setenv("SAGEMAKER_BIND_TO_PORT", "8123")
    server.main()
    assert [(config.host, config.port) for config in told] == [(host, 8123)]


def test_a_worker_started_with_serve_takes_jobs() -> None:
    port = free_port()
    command = [sys.executable, "-m", "worker.server", "serve"]
    url = f"http://127.0.0.1:{port}/ping"
    with running_process(*command, health=url, SAGEMAKER_BIND_TO_PORT=str(port), DARKROOM_HOST="127.0.0.1"):
        assert http().get(url).json()["ready"] is True


def test_another_word_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["worker", "train"])
    with pytest.raises(SystemExit):
        main()
    assert "invalid choice: 'train'" in capsys.readouterr().err


@pytest.mark.parametrize(("variable", "value"), [("SAGEMAKER_BIND_TO_PORT", "many"), ("DARKROOM_ENGINE", "comfy")])
def test_a_wrong_environment_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    monkeypatch.setattr(sys, "argv", ["worker", "serve"])
    with pytest.raises(SystemExit):
        main()
    assert value in capsys.readouterr().err
