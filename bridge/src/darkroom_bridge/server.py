"""Serves the bridge until it is stopped."""

import logging
from collections.abc import Callable

import uvicorn

from darkroom_bridge.app import build
from darkroom_bridge.settings import Settings

STOP_SECONDS = 5
"""How long open connections may go on after a stop."""


def server(settings: Settings) -> uvicorn.Server:
    """A server for these settings, which has not begun. Forwarded addresses are not believed: a client's own address is
    part of who it is."""
    config = uvicorn.Config(
        build(settings),
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
    return uvicorn.Server(config)


def serve(settings: Settings, ready: Callable[[str], object]) -> bool:
    """Serve until Ctrl-C. `ready` is told the bridge's address once it listens. Returns whether it ever did."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    logging.getLogger("darkroom_bridge").setLevel(logging.INFO)
    running = server(settings)
    started = running.startup

    async def startup(sockets: list[object] | None = None) -> None:
        await started(sockets)  # type: ignore[arg-type]
        if running.started:
            port = running.servers[0].sockets[0].getsockname()[1]
            host = f"[{settings.host}]" if ":" in settings.host else settings.host
            ready(f"http://{host}:{port}")

    running.startup = startup  # type: ignore[method-assign, assignment]
    running.run()
    return bool(running.started)
