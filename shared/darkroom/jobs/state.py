"""The life of a job: which status may follow which, and what each transition rests on.

    created ──▶ in_progress ──▶ succeed | fail | cancelled
    created ──▶ succeed | fail | cancelled      (the callback overtook the mark)
    fail(timed_out) ──▶ succeed                 (the result came after all)

Nothing follows `succeed` and `cancelled`. How far a cancelled job had come may be learned later, and
only goes forward: before its run ── during ── after. A transition that is not legal from the status a job has
is not an error: events come twice, late and out of order, and then change nothing.
"""

from dataclasses import dataclass
from typing import Literal, get_args

Status = Literal["created", "in_progress", "succeed", "fail", "cancelled"]
Basis = Literal["invoke", "callback", "s3", "deadline", "endpoint", "caller"]
"""What a transition rests on: the answer of the invoke, the callback, an object in S3 that the
sweeper saw, a deadline that passed, an endpoint that is gone, or the person who asked."""
CancelPoint = Literal["before", "during", "after"]
"""How far a cancelled job had come: its run never began, was stopped, or came to its end for nothing."""

STATUSES: tuple[Status, ...] = get_args(Status)
OPEN: tuple[Status, ...] = ("created", "in_progress")
ENDS: tuple[Status, ...] = ("succeed", "fail", "cancelled")
TIMED_OUT = "timed_out"
ENDPOINT_GONE = "endpoint_gone"


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


def may(target: Status, status: Status, error_code: str | None) -> bool:
    """Whether a job that stands at `status` (and failed with `error_code`, if it did) may go to `target`."""
    return any(origin.status == status and origin.error_code in (None, error_code) for origin in origins(target))


def short_of(point: CancelPoint) -> tuple[CancelPoint, ...]:
    """Every point of a run that lies before this one."""
    points: tuple[CancelPoint, ...] = get_args(CancelPoint)
    return points[: points.index(point)]
