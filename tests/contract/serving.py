"""Servers and processes that the contract tests start, and waiting for what they do."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

import httpx
import uvicorn
from starlette.applications import Starlette

from local.home import ROOT

T = TypeVar("T")


def wait_until(condition: Callable[[], T], seconds: float = 10) -> T:
    """Call `condition` until it returns something truthy, and return that. Fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)  # another process or thread changes the state, and has no event to wait for
    return found


@contextmanager
def served(app: Starlette, port: int = 0) -> Iterator[str]:
    """Serve an application from a thread of this process, on a free port unless one is given; yields its base URL."""
    # uvicorn closes a connection after five idle seconds, perhaps while a client that tries once sends a request on it.
    config = uvicorn.Config(app, port=port, log_config=None, timeout_graceful_shutdown=1, timeout_keep_alive=600)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


@contextmanager
def running_process(*command: str, health: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process and yield it when the URL `health` answers. It is killed at the end if it still runs."""
    variables = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | environment
    process = subprocess.Popen(  # noqa: S603 - the commands come from these tests
        command, env=variables, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: _answers(health), 20)
        yield process
    finally:
        process.kill()
        process.wait(10)


@cache
def http() -> httpx.Client:
    """One client for all tests: each new client loads the certificates again, which is slow."""
    return httpx.Client(trust_env=False, timeout=60)


def _answers(url: str) -> bool:
    try:
        return http().get(url).is_success
    except httpx.TransportError:
        return False


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
