"""The sweeper's round over work in steps that stands still: its messages are lost, or lie among the dead letters.

A step that fails is repeated after at most a quarter of an hour (`darkroom.steps`), and so is one that was killed. So
after an hour without a step nothing goes on any more.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

STALLED_SECONDS = 3600.0
LEAST_SECONDS = 5.0
"""How many seconds the end of one piece of work may take: with less time left, no other is begun."""


@dataclass(frozen=True)
class Stalled:
    """Work that stands still. `name` is for the log. `end` writes its end, and returns False when it went on
    meanwhile."""

    name: str
    end: Callable[[], bool]


def stands_still(last_step: str, now: float) -> bool:
    """Whether it is too long since the last step (ISO 8601); `now` is in epoch seconds."""
    return now - datetime.fromisoformat(last_step).timestamp() > STALLED_SECONDS


class StalledWork:
    """Ends what the finders find: each lists one kind of work that stands still."""

    def __init__(self, finders: Sequence[Callable[[], Iterable[Stalled]]]) -> None:
        self._finders = finders

    def run(self, left: Callable[[], float]) -> dict[str, int | list[str]]:
        """One round; `left` gives the seconds left for it. An error with one stops no other; `broken` tells it by name
        and kind, without its text, which may hold anything."""
        stalled = 0
        broken: list[str] = []
        for find in self._finders:
            for work in find():
                if left() < LEAST_SECONDS:
                    return {"stalled": stalled, "broken": broken}
                try:
                    stalled += work.end()
                except Exception as error:
                    broken.append(f"{work.name}: {getattr(error, 'code', None) or type(error).__name__}")
        return {"stalled": stalled, "broken": broken}
