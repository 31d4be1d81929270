"""The limit of requests a minute for each key, counted by all functions together."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from darkroom.errors import Busy
from darkroom.keys.ports import Counts

MAX_UNSHARED = 25
"""How many requests of a key a function counts in memory before it adds them to the shared count. Each function may
exceed the limit by so many. That is few enough not to matter, and spares most minutes the call."""
_SHARE = 8
"""Close to the limit a count is shared sooner: after an eighth of the requests that are left."""
_MAX_WINDOWS = 1_000
"""With so many windows in memory, those of past minutes are dropped."""


@dataclass
class _Window:
    """One key and minute: the shared count after its last update, and the requests counted here since then."""

    minute: int
    shared: int = 0
    unshared: int = 0


class RateLimiter:
    """Counts requests in windows of one minute. `clock` gives epoch seconds."""

    def __init__(self, counts: Counts, clock: Callable[[], float] = time.time) -> None:
        self._counts = counts
        self._clock = clock
        self._windows: dict[str, _Window] = {}

    def wait(self, key: str, limit: int) -> int | None:
        """Count a request of a key that may send `limit` requests a minute. None when the request is allowed, otherwise
        the seconds until the next one is. While the shared count cannot be written, only this function's own requests
        are counted."""
        now = self._clock()
        minute = int(now // 60)
        window = self._window(key, minute)
        if window.shared + window.unshared >= limit:
            return 60 - int(now % 60)
        window.unshared += 1
        left = limit - window.shared
        if window.unshared >= max(1, min(MAX_UNSHARED, left // _SHARE)):
            self._share(key, window)
        return None if window.shared + window.unshared <= limit else 60 - int(now % 60)

    def _window(self, key: str, minute: int) -> _Window:
        window = self._windows.get(key)
        if window is None or window.minute != minute:
            if len(self._windows) >= _MAX_WINDOWS:
                self._windows = {name: kept for name, kept in self._windows.items() if kept.minute == minute}
            window = self._windows[key] = _Window(minute)
        return window

    def _share(self, key: str, window: _Window) -> None:
        try:
            window.shared = self._counts.add(key, window.minute, window.unshared)
        except Busy:
            window.shared += window.unshared
        window.unshared = 0
