"""The life of a job: which status may follow which, and what each transition rests on.

    created ──▶ in_progress ──▶ succeed | fail | cancelled
    created ──▶ succeed | fail | cancelled      (the callback overtook the mark)
    fail(timed_out) ──▶ succeed                 (the result came after all)

Nothing follows `succeed` and `cancelled`. A transition that is not legal from the status a job has
is not an error: events come twice, late and out of order, and then change nothing.
"""

from dataclasses import dataclass
from typing import Literal, get_args

Status = Literal["created", "in_progress", "succeed", "fail", "cancelled"]
Basis = Literal["invoke", "callback", "s3", "deadline", "caller"]
"""What a transition rests on: the answer of the invoke, the callback, an object in S3 that the
sweeper saw, a deadline that passed, or the person who asked."""

STATUSES: tuple[Status, ...] = get_args(Status)
OPEN: tuple[Status, ...] = ("created", "in_progress")
TIMED_OUT = "timed_out"


@dataclass(frozen=True)
class Origin:
    """A status that a transition may start from; with `error_code`, only when the job failed with that code."""

    status: Status
    error_code: str | None = None


_ORIGINS: dict[Status, tuple[Origin, ...]] = {
    "created": (),
    "in_progress": (Origin("created"),),
    "succeed": (Origin("created"), Origin("in_progress"), Origin("fail", TIMED_OUT)),
    "fail": (Origin("created"), Origin("in_progress")),
    "cancelled": (Origin("created"), Origin("in_progress")),
}


def origins(target: Status) -> tuple[Origin, ...]:
    """Every status that `target` may be reached from."""
    return _ORIGINS[target]
