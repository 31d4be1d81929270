"""Wake-ups of endpoints: when the first instance was asked for, and when it, its container and its first picture were
there; and what follows from them for the next one."""

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from darkroom.endpoints.model import WakeUp

REMEMBERED = 20
"""How many of the last wake-ups are shown and counted."""
GIVEN_UP_SECONDS = 3600.0
"""After so long without a picture nothing more of a wake-up is noted: it was for nothing, or its jobs failed."""


@dataclass(frozen=True)
class Forecast:
    """How many seconds pass from the ask to the first picture: in the middle case, and in nine of ten; worked out from
    `wake_ups` of them."""

    median: float
    ninth_decile: float
    wake_ups: int


def forecast(found: Iterable[WakeUp]) -> Forecast | None:
    """What the last wake-ups let expect; None when none of them came to a picture."""
    took = sorted(one.seconds for one in found if one.seconds is not None)
    if not took:
        return None
    return Forecast(statistics.median(took), took[math.ceil(0.9 * len(took)) - 1], len(took))


def starts(found: Iterable[WakeUp]) -> list[float]:
    """How many seconds the starts took, in the order of the wake-ups; those whose end was not seen are left out."""
    return [one.start for one in found if one.start is not None]


def one_each(rows: Iterable[WakeUp]) -> list[WakeUp]:
    """Wake-ups, newest first, of rows in any order. Two jobs that come at once may both ask: an ask before the instance
    of the one before it was there belongs to that one."""
    found: list[WakeUp] = []
    for row in sorted(rows, key=lambda one: one.asked):
        if found and row.asked < _open_until(found[-1]):
            continue
        found.append(row)
    return found[::-1]


def _open_until(wake_up: WakeUp) -> float:
    return wake_up.instance or wake_up.picture or wake_up.asked + GIVEN_UP_SECONDS
