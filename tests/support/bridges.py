"""A bridge inside the test: the real application behind the real server, at a port of its own."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import httpx
import uvicorn

from darkroom_bridge import server
from darkroom_bridge.app import build
from darkroom_bridge.settings import Settings
from darkroom_client import Darkroom
from tests.support.waiting import eventually


@contextmanager
def bridged(
    url: str, key: str | None = None, connect: Callable[[str], Darkroom] | None = None, **more: Any
) -> Iterator[str]:
    """A bridge to the Darkroom at `url`; yields its address. `more` are further settings."""
    settings = Settings(url, key, port=0, **more)
    running = server.server(settings)
    if connect:
        running.config.app = build(settings, connect)
    thread = Thread(target=running.run, daemon=True)
    thread.start()
    eventually(lambda: running.started)
    try:
        yield f"http://127.0.0.1:{_port(running)}"
    finally:
        running.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


def _port(running: uvicorn.Server) -> int:
    port: int = running.servers[0].sockets[0].getsockname()[1]
    return port


def begun(address: str, path: str, body: Any) -> socket.socket:
    """A request whose answer nobody has read yet: closing the socket is what a client does that breaks off."""
    parts = httpx.URL(address)
    opened = socket.create_connection((parts.host, parts.port or 80))
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: {parts.host}:{parts.port}\r\nContent-Length: {len(content)}\r\n\r\n"
    opened.sendall(head.encode() + content)
    return opened
