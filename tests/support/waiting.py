"""Waiting for what another process does."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(look: Callable[[], T], seconds: float = 120, every: float = 0.05) -> T:
    """What `look` returns as soon as it is truthy; it looks `every` so many seconds, and fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not happen in time"
        # Another process brings it about, and has no event to wait for.
        time.sleep(every)
    return found
