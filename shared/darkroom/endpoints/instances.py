"""The scaler's round over instances: it wakes endpoints with jobs and no instance, and lets go of instances that
nobody needs.

Nothing is remembered between two rounds: all is read from SageMaker, from Application Auto Scaling and from the jobs.
So a round that was killed between any two calls leaves nothing that the next one does not see, and two rounds at once
do no harm. docs/endpoints.md tells what happens when a job comes while an endpoint falls asleep.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median

from darkroom.endpoints.model import IN_SERVICE, Bounds, EndpointDetails, EndpointTags, JobSpan
from darkroom.endpoints.ports import EndpointJobs, EndpointSource, Scaling, Waking
from darkroom.endpoints.service import Endpoints
from darkroom.endpoints.waking import Waker
from darkroom.endpoints.warm import least
from darkroom.errors import Busy, Conflict, DarkroomError, Missing

log = logging.getLogger(__name__)
START_SECONDS = 180.0
"""How long a start is taken to last where none was measured."""
EVERY_SECONDS = 60.0
"""The time between two rounds."""
STEP_SECONDS = 5.0
"""With less time left, no other endpoint is begun."""
JOBS_PER_INSTANCE = 3
"""How many open jobs one instance is for; target tracking adds instances by the same number."""
SPANS = 100
"""How many of an endpoint's newest jobs are looked at."""


@dataclass(frozen=True)
class SleepAfter:
    """For how many seconds an instance is kept that no open job needs: for as long as a start takes, at least `least`
    and at most `most`. Whoever waits as long as a start takes pays at most twice what one would pay who knows when the
    next job comes."""

    least: float
    most: float

    def seconds(self, starts: Sequence[float]) -> float:
        """The time by what the last starts took, in seconds."""
        return min(self.most, max(self.least, median(starts) if starts else START_SECONDS))


@dataclass
class Done:
    """What a round did: how many endpoints it asked to wake, and how many it put to sleep or took instances from;
    `broken` are those for which it failed, each with the kind of error."""

    woken: int = 0
    let_go: int = 0
    broken: list[str] = field(default_factory=list)

    def counts(self) -> dict[str, int | list[str]]:
        """The result for logs and metrics."""
        return {"woken": self.woken, "let_go": self.let_go, "broken": self.broken}


@dataclass(frozen=True)
class Needs:
    """What an endpoint needed of late: when its newest jobs were open, for how long an instance is kept that no job
    needs, and when SageMaker last changed the endpoint (epoch seconds). With `too_many`, more jobs came in that time
    than are looked at."""

    spans: tuple[JobSpan, ...]
    after: float
    changed: float
    too_many: bool = False

    def over_at(self, instances: int, open_jobs: int = 0) -> float | None:
        """From when on so many instances are enough, in epoch seconds: when for long enough no more jobs were open at
        once than they are for. None while more are open, of which `open_jobs` are known."""
        most = instances * JOBS_PER_INSTANCE
        busy = busy_until(self.spans, most)
        if self.too_many or open_jobs > most or busy is None:
            return None
        return max(busy, self.changed) + self.after


class InstanceRound:
    """One round over the endpoints that may sleep. Endpoints that Darkroom did not make are left alone."""

    def __init__(
        self,
        endpoints: Endpoints,
        source: EndpointSource,
        scaling: Scaling,
        waking: Callable[[], Waking],
        waker: Waker,
        open_jobs: EndpointJobs,
        sleep_after: SleepAfter,
        clock: Callable[[], float] = time.time,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """`waking` is called when instances are let go of. `clock` gives epoch seconds; `pause` returns after so many
        of them."""
        self._endpoints = endpoints
        self._source = source
        self._scaling = scaling
        self._waking = waking
        self._waker = waker
        self._open_jobs = open_jobs
        self._sleep_after = sleep_after
        self._clock = clock
        self._pause = pause

    def run(self, left: Callable[[], float]) -> dict[str, int | list[str]]:
        """One round; `left` gives the seconds left for it. An error with one endpoint does not stop the others.

        An instance that nobody will need from some moment on before the next round is waited for, so that it is let go
        of in time: a round later would be a minute too dear.
        """
        done = Done()
        due = sorted(self._look_at_all(left, done))
        for at, name in due:
            wait = at - self._clock()
            if wait > left() - STEP_SECONDS:
                break
            if wait > 0:
                self._pause(wait)
            with _noted(done, name):
                self._let_go(name, done)
        return done.counts()

    def _look_at_all(self, left: Callable[[], float], done: Done) -> Iterator[tuple[float, str]]:
        """Look at each endpoint, and yield those from which instances can be taken before the next round: when, in
        epoch seconds, and the name."""
        names = [found.name for found in self._source.all() if found.serving]
        if not names:
            return
        counts, bounds = self._open_jobs.by_endpoint(fresh=True), self._scaling.bounds(names)
        for name in names:
            if left() < STEP_SECONDS:
                return
            at = None
            with _noted(done, name):
                at = self._look(name, counts.get(name, 0), bounds.get(name), done)
            if at is not None and at - self._clock() < EVERY_SECONDS:
                yield at, name

    def _look(self, name: str, open_jobs: int, registered: Bounds | None, done: Done) -> float | None:
        """Wake an endpoint that needs it, and register its bounds if they were moved and need not be any more. Returns
        when instances can be taken from it; None when they cannot by what is known now."""
        found = self._of_ours(name)
        if found is None:
            return None
        details, asked, kept = found
        if details.sleeps and (open_jobs or kept):
            done.woken += self._waker.ask(name, "round")
            return None
        if details.endpoint.status != IN_SERVICE:
            return None
        moved = registered is not None and registered != asked and asked.may_be_moved_to(registered)
        # Until the number of instances is what the bounds were moved for, they stay.
        if moved and registered is not None and details.desired <= registered.most:
            self._scaling.set_bounds(name, asked)
        if details.desired <= kept:
            return None
        return self._needs(details).over_at(details.desired - 1, open_jobs)

    def _let_go(self, name: str, done: Done) -> None:
        """Take from an endpoint the instances that nobody needs. Everything is read anew, the open jobs last: nothing
        lies between that and the call."""
        found = self._of_ours(name)
        if found is None or found[0].endpoint.status != IN_SERVICE or found[0].sleeps:
            return
        details, _, kept = found
        now, needs, enough = self._clock(), self._needs(details), details.desired
        while enough > kept and (at := needs.over_at(enough - 1)) is not None and at <= now:
            enough -= 1
        if enough == details.desired or self._count(name) > enough * JOBS_PER_INSTANCE:
            return
        try:
            self._waking().keep(name, enough)
        except (Busy, Conflict, Missing) as later:
            log.info("%s keeps its instances for now: %s", name, later.code)
            return
        except DarkroomError as refused:
            self._waker.report(name, refused)
            return
        finally:
            self._endpoints.forget_details(name)
        log.info("%s was asked to keep %d of %d instances", name, enough, details.desired)
        done.let_go += 1
        if not enough and self._count(name):
            # A job came in between. Mostly SageMaker refuses now, and the next event or round asks again.
            self._waker.ask(name, "round")

    def _of_ours(self, name: str) -> tuple[EndpointDetails, Bounds, int] | None:
        """An endpoint with the bounds that were asked for, and how many instances it has now without any job, because
        it is kept warm; None when it is gone, going, not ours, or never sleeps."""
        details = self._source.describe(name)
        if details is None:
            return None
        tags = EndpointTags(None, self._source.tags(details.arn))
        bounds = tags.bounds
        if bounds is None or bounds.least or tags.deletion_requested:
            return None
        return details, bounds, least(tags, self._clock())

    def _needs(self, details: EndpointDetails) -> Needs:
        name = details.endpoint.name
        spans = self._open_jobs.spans(name, SPANS)
        after = self._sleep_after.seconds(self._endpoints.wakeups(name))
        changed = datetime.fromisoformat(details.endpoint.modified_at).timestamp()
        too_many = len(spans) == SPANS and spans[-1].created > self._clock() - after
        return Needs(() if too_many else tuple(spans), after, changed, too_many)

    def _count(self, name: str) -> int:
        return self._open_jobs.by_endpoint(fresh=True).get(name, 0)


def busy_until(spans: Sequence[JobSpan], most: int) -> float | None:
    """When for the last time more than `most` jobs were open at once, in epoch seconds: 0 when they never were, None
    when they are now."""
    changes = [(span.created, 1) for span in spans] + [(span.ended, -1) for span in spans if span.ended is not None]
    open_now, last = 0, 0.0
    for at, change in sorted(changes):
        if open_now > most:
            last = at
        open_now += change
    return None if open_now > most else last


@contextmanager
def _noted(done: Done, name: str) -> Iterator[None]:
    """A block whose error is noted for one endpoint: the name and the kind of error, without its text, which may hold
    anything."""
    try:
        yield
    except Exception as error:
        done.broken.append(f"{name}: {getattr(error, 'code', None) or type(error).__name__}")
