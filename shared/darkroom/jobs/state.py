"""The life of a job: which status may follow which, and the reason of each transition.

    created ──▶ in_progress ──▶ succeed | fail | cancelled
    created ──▶ succeed | fail | cancelled      (the callback overtook the mark)
    in_progress ──▶ in_progress                 (its worker was stopped, and it was handed over again)
    fail(timed_out, expired) ──▶ succeed        (the result came after all)

Nothing follows `succeed` and `cancelled`. How far the run of a cancelled job was may be learned later, and
only goes forward: before ── during ── after. A transition that is not legal from the status of the job
is not an error: events come twice, late and out of order, and then change nothing.
"""

from dataclasses import dataclass
from typing import Final, Literal, get_args

OpenStatus = Literal["created", "in_progress"]
EndStatus = Literal["succeed", "fail", "cancelled"]
Status = Literal[OpenStatus, EndStatus]
CREATED: Final = "created"
IN_PROGRESS: Final = "in_progress"
SUCCEED: Final = "succeed"
FAIL: Final = "fail"
CANCELLED: Final = "cancelled"
"""The statuses by name: no other module writes them out."""
Basis = Literal["invoke", "callback", "s3", "deadline", "endpoint", "caller"]
"""Why a transition was made: SageMaker's answer to the invoke, the callback, an object that the sweeper found in S3,
a deadline that passed, an endpoint that is gone, or a person's request."""
CancelPoint = Literal["before", "during", "after"]
"""When a job was cancelled: before its run, during it, or after it, when the result was not used any more."""

OPEN: tuple[Status, ...] = get_args(OpenStatus)
ENDS: tuple[Status, ...] = get_args(EndStatus)
STATUSES: tuple[Status, ...] = get_args(Status)
DeletionStatus = Literal["running", "done", "stopped", "fail"]
"""Where a deletion of many jobs stands."""
TIMED_OUT = "timed_out"
ENDPOINT_GONE = "endpoint_gone"
EXPIRED = "expired"
"""The error of a job whose time in SageMaker's line was over before an instance took it."""
WITHOUT_RESULT = (TIMED_OUT, EXPIRED)
"""The errors of jobs of which no result is known. One may come all the same: of an invocation that was sent twice,
because nobody knew whether the first had arrived, one may expire and the other paint."""


@dataclass(frozen=True)
class Origin:
    """A status that a transition may start from; with `error_code`, only when the job failed with that code."""

    status: Status
    error_code: str | None = None


_ORIGINS: dict[Status, tuple[Origin, ...]] = {
    CREATED: (),
    IN_PROGRESS: (Origin(CREATED),),
    SUCCEED: (Origin(CREATED), Origin(IN_PROGRESS), *(Origin(FAIL, code) for code in WITHOUT_RESULT)),
    FAIL: (Origin(CREATED), Origin(IN_PROGRESS)),
    CANCELLED: (Origin(CREATED), Origin(IN_PROGRESS)),
}


def origins(target: Status, run: int | None = None) -> tuple[Origin, ...]:
    """Every status from which a job may go to `target`. A job whose later `run` is marked is in progress already."""
    if target == IN_PROGRESS and run is not None and run > 1:
        return (Origin(IN_PROGRESS),)
    return _ORIGINS[target]


def may(target: Status, status: Status, error_code: str | None, run: int | None = None) -> bool:
    """Whether a job that stands at `status` (and failed with `error_code`, if it did) may go to `target`."""
    return any(origin.status == status and origin.error_code in (None, error_code) for origin in origins(target, run))


def short_of(point: CancelPoint) -> tuple[CancelPoint, ...]:
    """Every cancel point earlier than this one."""
    points: tuple[CancelPoint, ...] = get_args(CancelPoint)
    return points[: points.index(point)]
