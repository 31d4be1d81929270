"""What is counted: jobs by owner, endpoint and type; seconds that endpoints are awake; and budgets."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from darkroom.jobs.model import JobLine
from darkroom.jobs.state import CANCELLED
from darkroom.jobs.types import JobType

STAGE = "stage"
"""The name of the budget of the whole stage in requests. An owner of that name can have no budget of its own."""
HOURS = tuple(f"{hour:02}" for hour in range(24))


class Group(NamedTuple):
    """What jobs are counted by."""

    owner: str
    endpoint: str
    type: JobType


@dataclass(frozen=True, slots=True)
class JobCost:
    """A job as far as costs go. `cost` and `price` (an hour of its share of an instance) are in US dollars, None while
    that is not known; `pictures` is how many it asks for, at least 1."""

    id: str
    group: Group
    ended: bool
    cancelled: bool = False
    cost: float | None = None
    run_seconds: float | None = None
    price: float | None = None
    pictures: int = 1
    estimated: bool = False

    @classmethod
    def of(cls, line: JobLine) -> "JobCost":
        """A line of the history, as it is now."""
        return cls(
            line.id,
            Group(line.owner, line.endpoint or "", line.type),
            ended=line.settled,
            cancelled=line.status == CANCELLED,
            cost=line.cost,
            run_seconds=line.run_seconds,
            price=line.price,
            pictures=max(1, line.batch or 1),
            estimated=line.cost_estimated,
        )


@dataclass(frozen=True, slots=True)
class Count:
    """What jobs add up to: how many, their cost in US dollars, for how many ended ones it is unknown (cancelled ones
    need none), for how many it is an estimate; and of those whose run time is known the seconds and the pictures."""

    jobs: int = 0
    cost: float = 0.0
    unknown: int = 0
    estimated: int = 0
    run_seconds: float = 0.0
    pictures: int = 0

    @classmethod
    def of(cls, job: JobCost) -> "Count":
        """One job."""
        timed = job.run_seconds is not None
        return cls(
            jobs=1,
            cost=job.cost or 0.0,
            unknown=int(job.ended and not job.cancelled and job.cost is None),
            estimated=int(job.estimated and job.cost is not None),
            run_seconds=job.run_seconds or 0.0,
            pictures=job.pictures if timed else 0,
        )

    def __add__(self, other: "Count") -> "Count":
        return Count(
            self.jobs + other.jobs,
            round(self.cost + other.cost, 9),
            self.unknown + other.unknown,
            self.estimated + other.estimated,
            round(self.run_seconds + other.run_seconds, 3),
            self.pictures + other.pictures,
        )


Counts = Mapping[Group, Count]


def added(*counts: Counts) -> dict[Group, Count]:
    """Counts of several stretches of time as one."""
    whole: dict[Group, Count] = {}
    for each in counts:
        for group, count in each.items():
            whole[group] = whole.get(group, Count()) + count
    return whole


def counted(jobs: Iterable[JobCost]) -> dict[Group, Count]:
    """What these jobs add up to."""
    return added(*({job.group: Count.of(job)} for job in jobs))


@dataclass(frozen=True, slots=True)
class Hour:
    """The jobs that were made in an hour. `settled` when all of them had ended; `final` when they were counted once
    more after nothing could happen to any of them."""

    counts: Counts
    settled: bool = False
    final: bool = False


@dataclass(frozen=True, slots=True)
class Day:
    """The jobs that were made on a day (UTC), by hour while it is not closed: `hours` by their two digits. `version`
    counts the writes of its row, 0 without one."""

    date: str
    closed: Counts | None = None
    hours: Mapping[str, Hour] = field(default_factory=dict)
    version: int = 0

    @property
    def counts(self) -> dict[Group, Count]:
        """What was counted so far."""
        return added(self.closed or {}, *(hour.counts for hour in self.hours.values()))


@dataclass(frozen=True, slots=True)
class Metered:
    """Seconds of instances, those of several at once added up; `waking` are those of them in which an instance was
    asked for and not there yet."""

    seconds: float = 0.0
    waking: float = 0.0

    def __add__(self, other: "Metered") -> "Metered":
        return Metered(round(self.seconds + other.seconds, 3), round(self.waking + other.waking, 3))


@dataclass(frozen=True, slots=True)
class Sample:
    """What the meter last saw of an endpoint: until when (epoch seconds) it is counted, and whether it was awake."""

    until: float
    awake: bool


@dataclass(frozen=True, slots=True)
class AwakeDay:
    """What was metered of an endpoint on a day, by instance type."""

    endpoint: str
    date: str
    by_type: Mapping[str, Metered]


@dataclass(frozen=True, slots=True)
class Budget:
    """What an owner, or the stage (`owner` None), may spend in a month, in US dollars; from the share `warn_at` of it
    on there is a warning. Times are ISO 8601."""

    owner: str | None
    monthly: float
    warn_at: float
    set_by: str
    set_at: str
