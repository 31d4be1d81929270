"""The clock of the simulator. A test can turn it ahead instead of waiting."""

import asyncio
import time
from collections.abc import Callable

from local.sagemaker.store import Documents

Clock = Callable[[], float]
"""Gives epoch seconds."""

TICK_SECONDS = 0.05


class TurnableClock:
    """This machine's clock, plus the seconds by which it was turned ahead. These seconds are stored, so that the time
    does not go backwards after a restart.
    """

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._ahead: float = (documents.get("clock", "current") or {"ahead": 0.0})["ahead"]

    def __call__(self) -> float:
        return time.time() + self._ahead

    def turn(self, seconds: float) -> None:
        """Turn the clock ahead by `seconds`."""
        self._ahead += seconds
        self._documents.put("clock", "current", {"ahead": self._ahead})


async def wait(clock: Clock, seconds: float) -> None:
    """Return when `seconds` have passed on `clock`, which may be turned ahead meanwhile."""
    until = clock() + seconds
    while (left := until - clock()) > 0:
        await asyncio.sleep(min(left, TICK_SECONDS))
