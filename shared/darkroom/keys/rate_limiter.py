"""How many requests a key may send in a minute, counted by all warm functions together."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from darkroom.errors import Busy
from darkroom.keys.ports import Counts

MOST_UNTOLD = 25
"""Requests of a key that a function counts for itself before it shares its count. So many each of several warm
functions may let through beyond the limit; few enough that it does not matter, and that most minutes cost no call."""
_SHARE = 8
"""The nearer the limit, the sooner a count is shared: after an eighth of what is left."""
_REMEMBERED = 1_000


@dataclass
class _Window:
    """One key's minute: what all functions had counted when it was last shared, and what this one counted since."""

    minute: int
    shared: int = 0
    untold: int = 0


class RateLimiter:
    """Counts in windows of a clock minute."""

    def __init__(self, counts: Counts, now: Callable[[], float] = time.time) -> None:
        self._counts = counts
        self._now = now
        self._windows: dict[str, _Window] = {}

    def wait(self, key: str, limit: int) -> int | None:
        """Count a request of a key that may send `limit` in a minute: None when it may go on, else in how many
        seconds the next one may. Where the shared count cannot be reached, this function's own has to do."""
        now = self._now()
        minute = int(now // 60)
        window = self._window(key, minute)
        if window.shared + window.untold >= limit:
            return 60 - int(now % 60)
        window.untold += 1
        left = limit - window.shared
        if window.untold >= max(1, min(MOST_UNTOLD, left // _SHARE)):
            self._share(key, window)
        return None if window.shared + window.untold <= limit else 60 - int(now % 60)

    def _window(self, key: str, minute: int) -> _Window:
        window = self._windows.get(key)
        if window is None or window.minute != minute:
            if len(self._windows) >= _REMEMBERED:
                self._windows = {name: kept for name, kept in self._windows.items() if kept.minute == minute}
            window = self._windows[key] = _Window(minute)
        return window

    def _share(self, key: str, window: _Window) -> None:
        try:
            window.shared = self._counts.add(key, window.minute, window.untold)
        except Busy:
            window.shared += window.untold
        window.untold = 0
