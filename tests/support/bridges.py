"""A bridge inside the test: the real application behind the real server, at a port of its own."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import httpx

from darkroom_bridge import server
from darkroom_bridge.settings import Settings
from darkroom_client import Darkroom
from tests.support.waiting import eventually


@contextmanager
def bridged(
    url: str, key: str | None = None, connect: Callable[[str], Darkroom] | None = None, **more: Any
) -> Iterator[str]:
    """A bridge to the Darkroom at `url`; yields its address. `more` are further settings."""
    settings = Settings(url, key, port=0, **more)
    running, told = server.server(settings, connect), list[str]()
    running.ready = told.append
    thread = Thread(target=running.run, daemon=True)
    thread.start()
    eventually(lambda: told)
    try:
        yield told[0]
    finally:
        running.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


def begun(address: str, path: str, body: Any) -> socket.socket:
    """A request whose answer nobody has read yet: closing the socket is what a client does that breaks off."""
    parts = httpx.URL(address)
    opened = socket.create_connection((parts.host, parts.port or 80))
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: {parts.host}:{parts.port}\r\nContent-Length: {len(content)}\r\n\r\n"
    opened.sendall(head.encode() + content)
    return opened
