"""What an open job waits for and for how long as a rule, in sentences for people. One table of words for the command
line, the bridge and the extension; the page has its own, in three languages."""

import math

from darkroom_client.answers import Forecast, Job

_MINUTE, _HOUR = 60, 3600
_SHORT = 2 * _MINUTE
"""Below it a time is told in tens of seconds."""
_LONG = 100 * _MINUTE
"""From it on a time is told in hours and minutes."""


def doing(job: Job) -> str:
    """What an open job is doing, as one line: what it waits for, how long that takes as a rule, and its place in line.
    Its status when nothing else is known."""
    told = [job["phase_detail"] or job["status"]]
    if expected := job["forecast"]:
        told.append(usual(expected))
    if (before := job["place"]) is not None:
        told.append(place(before))
    return " ".join(told)


def usual(expected: Forecast) -> str:
    """How long the first picture takes when an endpoint wakes, as a sentence."""
    middle = span(expected["median"])
    if expected["wake_ups"] == 1:
        return f"Last time the first picture took {middle}."
    most = span(expected["ninth_decile"], up=True)
    nearly = "hardly ever longer" if most == middle else f"nearly always under {most}"
    return f"The first picture usually takes {middle}, {nearly}."


def place(before: int) -> str:
    """A job's place in line as a sentence; `before` counts the open jobs that came before it."""
    if before == 0:
        return "It is the first in line."
    return "1 job is before it." if before == 1 else f"{before} jobs are before it."


def span(seconds: float, up: bool = False) -> str:
    """A time as people say it: `40 s`, `3 min`, `1 h 50 min`; rounded up if `up`."""
    unit = 10 if seconds < _SHORT else _MINUTE
    whole = unit * max(1, math.ceil(seconds / unit) if up else round(seconds / unit))
    if whole < _SHORT:
        return f"{whole} s"
    if whole < _LONG:
        return f"{whole // _MINUTE} min"
    hours, rest = divmod(whole, _HOUR)
    return f"{hours} h {rest // _MINUTE} min" if rest else f"{hours} h"
