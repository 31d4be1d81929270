"""The one place that puts real adapters into services: `build` for any stage, `stage` for that of this process."""

import time
from collections.abc import Callable
from functools import cache

from darkroom.aws.clients import client
from darkroom.settings import Settings
from darkroom.wiring.adapters import Adapters, Clients
from darkroom.wiring.services import Services

__all__ = ["Adapters", "Clients", "Services", "build", "stage"]


def build(
    settings: Settings,
    clients: Clients,
    clock: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
    threads: int = 8,
) -> Services:
    """The services of the stage that `settings` describe, over these `clients`; each is created at its first use.

    `clock` gives epoch seconds, `monotonic` seconds that only measure durations and the age of caches. The sweeper and
    deletions handle `threads` jobs side by side.
    """
    return Services(settings, Adapters(settings, clients, clock), monotonic, threads)


@cache
def stage() -> Services:
    """The services of the stage that this function belongs to; its environment is read at the first call."""
    return build(Settings.from_environment(), cache(client))
