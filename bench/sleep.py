"""What sleeping and waking cost, and how long people wait: `python -m bench.sleep`.

Patterns of arrivals are replayed through the real code (the waker, the scaler's round, the handler of state events)
with a turned clock; only SageMaker is played. The seconds that are billed are held against those of a clairvoyant, who
knows when the next job comes and has the same endpoint: for both they run from the request for an instance to its
release, the start included. docs/endpoints.md shows the table, `tests/unit/test_sleep_bench.py` holds the ratios.
"""

import heapq
import logging
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial

from rich.console import Console
from rich.table import Table

from darkroom.endpoints.containers import StageWorker
from darkroom.endpoints.fleet import Fleet
from darkroom.endpoints.instances import EVERY_SECONDS, InstanceRound, SleepAfter
from darkroom.endpoints.model import JobSpan
from darkroom.endpoints.service import Endpoints
from darkroom.endpoints.waking import Waker
from darkroom.settings import OperatorSettings
from tests.support.sagemaker import FakeOpenJobs, FakeScaling
from tests.support.timed import TimedSageMaker

NAME = "darkroom-test-bench"
BEGINNING = 1_780_000_000.0
HOUR, DAY = 3600.0, 86_400.0
START, STOP = 150.0, 30.0
"""How many seconds a start takes, and until an endpoint that falls asleep may be woken again."""
RUN = 10.0
"""How many seconds a job takes."""
WITH_PEOPLE, ANY = 1.5, 2.0
"""The budgets: for patterns of people at work, and for any pattern."""


@dataclass(frozen=True)
class Pattern:
    """When jobs come, in seconds from the beginning. With `adversary`, so many more come, each a second after the
    endpoint was put to sleep."""

    name: str
    budget: float
    arrivals: tuple[float, ...]
    adversary: int = 0


@dataclass
class Job:
    """A job in the replay."""

    came: float
    started: float | None = None
    ended: float | None = None


@dataclass(frozen=True)
class Result:
    """What a replay came to: billed seconds, those of the clairvoyant, how often the endpoint was woken, and how long
    jobs waited on the average."""

    pattern: Pattern
    jobs: int
    billed: float
    clairvoyant: float
    wakes: int
    mean_wait: float

    @property
    def ratio(self) -> float:
        """Billed seconds for each of the clairvoyant's."""
        return self.billed / self.clairvoyant


class SimulatedJobs(FakeOpenJobs):
    """`darkroom.endpoints.ports.EndpointJobs` over the jobs of a replay."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs: list[Job] = []

    def by_endpoint(self, fresh: bool = False) -> Mapping[str, int]:
        """How many jobs are open now."""
        count = sum(job.ended is None for job in self.jobs[-200:])
        return {NAME: count} if count else {}

    def spans(self, endpoint: str, most: int) -> list[JobSpan]:
        """The newest jobs, newest first."""
        return [JobSpan(job.came, job.ended) for job in reversed(self.jobs[-most:])]


@dataclass
class Replay:
    """One pattern, event by event: arrivals, ends of jobs, ends of SageMaker's changes, and the rounds of the scaler.
    While a round waits, other events happen, as they would."""

    pattern: Pattern
    start: float = START
    now: float = BEGINNING
    events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    spans: list[tuple[float, float]] = field(default_factory=list)
    awake_since: float | None = None

    def __post_init__(self) -> None:
        self._number = 0
        self._painting = False
        self._adversary = self.pattern.adversary
        self.jobs, self.scaling = SimulatedJobs(), FakeScaling()
        self.sagemaker = TimedSageMaker(lambda: self.now, self.start, STOP)
        self.sagemaker.endpoints = []
        self.sagemaker.sleeping(NAME)
        self.sagemaker.asked = self._asked
        # It has started before.
        self.scaling.woke[NAME] = [self.start]
        clock = lambda: self.now  # noqa: E731
        source, settings = self.sagemaker, OperatorSettings()
        endpoints = Endpoints(source, self.scaling, self.jobs, "darkroom-test-", clock)
        least, most = settings.sleep_after_seconds_least, settings.sleep_after_seconds_most
        self.waker = Waker(endpoints, lambda: source, least, clock=clock, monotonic=clock)
        worker = partial(StageWorker, "ml.g5.xlarge", "worker:1")
        parts = (endpoints, source, source, self.scaling, self.jobs, "test", worker, clock)
        self.fleet = Fleet(*parts, waker=lambda: self.waker)
        parts_of_round = (endpoints, source, self.scaling, lambda: source, self.waker, self.jobs)
        self.round = InstanceRound(*parts_of_round, SleepAfter(least, most), clock, self._advance)
        for seconds in self.pattern.arrivals:
            self._at(BEGINNING + seconds, self._job_comes)
        # The schedule's minutes begin somewhere between those of the jobs.
        self._at(BEGINNING + 17.0, self._scale)

    def run(self) -> Result:
        """Replay it until all jobs are done and the endpoint sleeps."""
        while self.events:
            self._next()
        waits = [job.started - job.came for job in self.jobs.jobs if job.started is not None]
        assert len(waits) == len(self.jobs.jobs), "a job was left"
        assert self.awake_since is None, "the endpoint was left awake"
        arrivals = tuple(sorted(job.came - BEGINNING for job in self.jobs.jobs))
        billed = sum(end - begin for begin, end in self.spans)
        cheapest = clairvoyant(arrivals, self.start)
        return Result(self.pattern, len(waits), billed, cheapest, len(self.spans), sum(waits) / len(waits))

    def _at(self, when: float, what: Callable[[], None]) -> None:
        self._number += 1
        heapq.heappush(self.events, (when, self._number, what))

    def _next(self) -> None:
        when, _, what = heapq.heappop(self.events)
        self.now = max(self.now, when)
        what()

    def _advance(self, seconds: float) -> None:
        """So many seconds pass, with what happens in them."""
        until = self.now + seconds
        while self.events and self.events[0][0] <= until:
            self._next()
        self.now = max(self.now, until)

    def _job_comes(self) -> None:
        self.jobs.jobs.append(Job(self.now))
        self.waker.job_came(NAME)
        self._paint()

    def _paint(self) -> None:
        waiting = next((job for job in self.jobs.jobs[-2_000:] if job.started is None), None)
        # An instance that is being taken away takes no job any more.
        there = min(self.sagemaker.running(NAME), self.sagemaker.details[NAME].instances)
        if waiting is None or self._painting or not there:
            return
        self._painting, waiting.started = True, self.now
        self._at(self.now + RUN, partial(self._painted, waiting))

    def _painted(self, job: Job) -> None:
        job.ended, self._painting = self.now, False
        self._paint()

    def _asked(self, name: str, instances: int) -> None:
        """AWS agreed to a number of instances."""
        self._at(self.sagemaker.settles[name], self._settled)
        if instances:
            self.awake_since = self.now
        elif self.awake_since is not None:
            self.spans.append((self.awake_since, self.now))
            self.awake_since = None
            if self._adversary:
                self._adversary -= 1
                self._at(self.now + 1.0, self._job_comes)

    def _settled(self) -> None:
        for name in self.sagemaker.advance():
            self.fleet.reconcile(name)
        self._paint()

    def _scale(self) -> None:
        if self.events or self.awake_since is not None or self.jobs.by_endpoint():
            self._at(self.now + EVERY_SECONDS, self._scale)
        self.round.run(lambda: 100.0)


def clairvoyant(arrivals: Sequence[float], start: float) -> float:
    """The fewest seconds that anybody can be billed for who wakes the endpoint when a job comes, and knows whether it
    is worth to keep it until the next one: that is decided anew at each pause."""
    count = len(arrivals)

    @cache
    def awake(job: int, free: float) -> float:
        """The seconds from `free` on, when the endpoint is awake and has nothing to do before this job."""
        total, until = 0.0, free
        while job < count and arrivals[job] <= until:
            total, until, job = total + RUN, until + RUN, job + 1
        if job == count:
            return total
        pause = arrivals[job] - until
        kept = total + pause + awake(job, arrivals[job]) if pause <= start else float("inf")
        return min(kept, total + asleep(job)) if pause > 0 else kept

    @cache
    def asleep(job: int) -> float:
        return start + awake(job, arrivals[job] + start)

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, 6 * count + 1_000))
    try:
        return asleep(0) if count else 0.0
    finally:
        sys.setrecursionlimit(limit)


def sitting(dice: random.Random, begin: float, minutes: float, between: float) -> list[float]:
    """A person at work: pictures from `begin` on for so many minutes, with so many seconds between on the average."""
    times, now = [], begin
    while now < begin + 60 * minutes:
        times.append(now)
        now += dice.expovariate(1 / between)
    return times


def quiet(dice: random.Random, days: int) -> list[float]:
    """A few short sittings a day."""
    hours = [(day, hour) for day in range(days) for hour in sorted(dice.sample(range(8, 23), 3))]
    return [at for day, hour in hours for at in sitting(dice, day * DAY + hour * HOUR, dice.uniform(8, 20), 45)]


def office(dice: random.Random, days: int) -> list[float]:
    """Nine to five with a break at noon, five days a week, a job a minute on the average."""
    halves = [(day, hour) for day in range(days) if day % 7 < 5 for hour in (9, 13)]
    return [at for day, hour in halves for at in sitting(dice, day * DAY + hour * HOUR, 225, 60)]


def bursts(dice: random.Random, days: int) -> list[float]:
    """Many jobs at once, several times a day."""
    begins = [day * DAY + dice.uniform(0, DAY) for day in range(days) for _ in range(6)]
    return [begin + dice.uniform(0, 30) for begin in begins for _ in range(dice.randint(20, 60))]


def lone(dice: random.Random, days: int) -> list[float]:
    """One job now and then, each of which needs a start of its own."""
    return [day * DAY + hour * HOUR + dice.uniform(0, 1800) for day in range(days) for hour in range(0, 24, 3)]


def at_random(dice: random.Random, days: int) -> list[float]:
    """Jobs at random, as far apart on the average as a start is long: the dearest that chance alone can be."""
    return [at for day in range(days) for at in sitting(dice, day * DAY, 240, START)]


def just_too_late(dice: random.Random, days: int) -> list[float]:
    """Jobs at such distances that keeping the endpoint is as dear as starting it."""
    times, now = [], 0.0
    while now < days * DAY / 4:
        times.append(now)
        now += RUN + START * dice.uniform(0.9, 1.3)
    return times


def patterns(days: int, seed: int = 1) -> list[Pattern]:
    """All patterns, each over so many days."""
    kinds = {
        "quiet: three short sittings a day": (WITH_PEOPLE, quiet),
        "office hours": (WITH_PEOPLE, office),
        "bursts: 20 to 60 jobs at once": (WITH_PEOPLE, bursts),
        "lone jobs, hours apart": (ANY, lone),
        "at random, a start apart on the average": (ANY, at_random),
        "distances of about one start": (ANY, just_too_late),
    }
    made = [
        Pattern(name, budget, tuple(sorted(make(random.Random(f"{seed}/{name}"), days))))  # noqa: S311
        for name, (budget, make) in kinds.items()
    ]
    return [*made, Pattern("adversary: each a second after it slept", ANY, (0.0,), adversary=days * 20)]


def main() -> int:
    """Print the table; 1 when a budget is broken."""
    logging.disable(logging.WARNING)
    table = Table("arrivals", "jobs", "wake-ups", "billed, h", "clairvoyant, h", "ratio", "budget", "mean wait, s")
    results = [Replay(pattern).run() for pattern in patterns(days=14)]
    for found in results:
        hours = [f"{seconds / HOUR:.1f}" for seconds in (found.billed, found.clairvoyant)]
        told = [found.pattern.name, str(found.jobs), str(found.wakes), *hours, f"{found.ratio:.2f}"]
        table.add_row(*told, f"{found.pattern.budget:.1f}", f"{found.mean_wait:.0f}")
    Console(width=140).print(table)
    return 1 if any(found.ratio > found.pattern.budget for found in results) else 0


if __name__ == "__main__":
    sys.exit(main())
