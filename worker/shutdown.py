"""How the process ends: what SIGTERM means for the jobs in it."""

import asyncio
import socket
import threading
from dataclasses import dataclass, field

import uvicorn

GRACE = 20.0
"""Seconds that a job under way gets to finish after SIGTERM; SageMaker kills a container after 30."""
LAST_ANSWERS = 5.0
"""Seconds after that in which a job that was stopped says so."""


@dataclass(frozen=True)
class Shutdown:
    """`begun`: no job is begun any more. `urgent`: a job under way stops at its next step."""

    begun: threading.Event = field(default_factory=threading.Event)
    urgent: threading.Event = field(default_factory=threading.Event)


class Server(uvicorn.Server):
    """uvicorn, that tells a Shutdown when the process is told to end.

    By itself it tells the app only when the last request is answered, or given up.
    """

    def __init__(self, config: uvicorn.Config, shutdown: Shutdown) -> None:
        super().__init__(config)
        self._shutdown = shutdown

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Called by uvicorn after a signal. A second Ctrl-C makes it return early."""
        self._shutdown.begun.set()
        asyncio.get_running_loop().call_later(GRACE, self._shutdown.urgent.set)
        try:
            await super().shutdown(sockets)
        finally:
            self._shutdown.urgent.set()
