"""Serves the bridge until it is stopped."""

import contextlib
import logging
import socket
from collections.abc import Callable

import uvicorn

from darkroom_bridge.app import build
from darkroom_bridge.settings import Settings
from darkroom_client import Darkroom

STOP_SECONDS = 5
"""How long open connections may go on after a stop."""


class Server(uvicorn.Server):
    """A server that tells its address once it listens, also when it took any free port."""

    ready: Callable[[str], object] = staticmethod(lambda address: None)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Called by uvicorn."""
        await super().startup(sockets)
        if self.started:
            port = self.servers[0].sockets[0].getsockname()[1]
            host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
            self.ready(f"http://{host}:{port}")


def server(settings: Settings, connect: Callable[[str], Darkroom] | None = None) -> Server:
    """A server for these settings, which has not begun; `connect` makes a client for a key. Forwarded addresses are
    not believed: a client's own address is part of who it is."""
    config = uvicorn.Config(
        build(settings, connect),
        host=settings.host,
        port=settings.port,
        http="h11",
        ws="none",
        lifespan="on",
        access_log=False,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    return Server(config)


def serve(settings: Settings, ready: Callable[[str], object]) -> bool:
    """Serve until Ctrl-C. `ready` is told the bridge's address once it listens. Returns whether it ever did."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    logging.getLogger("darkroom_bridge").setLevel(logging.INFO)
    running = server(settings)
    running.ready = ready
    # That is how uvicorn ends where it cannot listen.
    with contextlib.suppress(SystemExit):
        running.run()
    return running.started
