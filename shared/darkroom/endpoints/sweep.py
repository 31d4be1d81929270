"""What is put right about endpoints every few minutes: half-made ones, scaling that does not stand, and GPUs that
somebody forgot."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from darkroom.endpoints.fleet import Fleet, endpoint_of
from darkroom.endpoints.model import IN_SERVICE, Bounds, Endpoint, Standing, bounds_tags
from darkroom.endpoints.ports import PART_KINDS, EndpointControl, EndpointSource, OpenJobs, Scaling

GRACE_SECONDS = 900.0
"""How long parts without an endpoint are left: a request that makes them takes seconds, its repeat minutes."""
STEP_SECONDS = 10.0
"""What one endpoint may take: no other is begun with less time left."""


@dataclass(frozen=True)
class Guard:
    """The idle guard: `hours` without a job before an endpoint that never sleeps is reported; `to_zero` lets it
    sleep then."""

    hours: float
    to_zero: bool


@dataclass(frozen=True)
class EndpointsSwept:
    """What one round found and did. `idle` are the endpoints that run for nothing, `broken` those that
    could not be seen to."""

    endpoints: int = 0
    scaling_set_up: int = 0
    deleted: int = 0
    leftovers: int = 0
    idle: tuple[str, ...] = ()
    put_to_sleep: int = 0
    failed: int = 0
    broken: tuple[str, ...] = ()

    def told(self) -> dict[str, int | list[str]]:
        """The same as counts and, where somebody must look, names."""
        counts: dict[str, int | list[str]] = {
            "endpoints": self.endpoints,
            "scaling_set_up": self.scaling_set_up,
            "deleted": self.deleted,
            "leftovers": self.leftovers,
            "put_to_sleep": self.put_to_sleep,
            "failed_endpoints": self.failed,
        }
        return counts | {"idle": list(self.idle), "broken": list(self.broken)}


class EndpointSweep:
    """One round over everything of this stage that SageMaker and Application Auto Scaling know."""

    def __init__(
        self,
        fleet: Fleet,
        source: EndpointSource,
        control: EndpointControl,
        scaling: Scaling,
        open_jobs: OpenJobs,
        guard: Guard,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._fleet = fleet
        self._source = source
        self._control = control
        self._scaling = scaling
        self._open_jobs = open_jobs
        self._guard = guard
        self._now = now

    def run(self, left: Callable[[], float]) -> EndpointsSwept:
        """One round; `left` tells how many seconds there still are.

        What goes wrong with one endpoint does not keep the others waiting.
        Parts are listed before endpoints: one whose endpoint is made meanwhile is then not taken for a leftover.
        """
        parts = [part for kind in PART_KINDS for part in self._source.parts(kind)]
        standing = self._scaling.standing()
        endpoints = self._source.all()
        names = {endpoint.name for endpoint in endpoints}
        counts = self._open_jobs.by_endpoint() if endpoints else {}
        done = EndpointsSwept(endpoints=len(endpoints))
        for endpoint in endpoints:
            if left() < STEP_SECONDS:
                break
            stands, open_jobs = standing.get(endpoint.name, Standing()), counts.get(endpoint.name, 0)
            try:
                done = self._see_to(endpoint, stands, open_jobs, done)
            except Exception:
                done = replace(done, broken=(*done.broken, endpoint.name))
        old = self._now() - GRACE_SECONDS
        told = {endpoint_of(part.name) for part in parts if part.created < old} | set(standing)
        for name in sorted({name for name in told if name} - names):
            if left() < STEP_SECONDS:
                break
            # Asked again: it may have been made since.
            if self._source.describe(name) is None:
                self._fleet.clear(name)
                done = replace(done, leftovers=done.leftovers + 1)
        return done

    def _see_to(self, endpoint: Endpoint, standing: Standing, open_jobs: int, done: EndpointsSwept) -> EndpointsSwept:
        described = self._source.describe(endpoint.name)
        if described is None:
            return done
        made = self._source.made(described)
        if described.endpoint.status == "Failed":
            done = replace(done, failed=done.failed + 1)
        if made.wanted_gone:
            deleted = self._fleet.came_to_rest(endpoint.name) == "deleted"
            return replace(done, deleted=done.deleted + deleted)
        if described.endpoint.status != IN_SERVICE:
            return done
        if made.bounds and not (standing.complete and standing.bounds == made.bounds):
            self._scaling.set_up(endpoint.name, made.bounds)
            done = replace(done, scaling_set_up=done.scaling_set_up + 1)
        bounds = made.bounds or standing.bounds
        # Without bounds nothing lets it sleep, whoever made it.
        never_sleeps = bounds is None or bounds.least > 0
        if never_sleeps and not open_jobs and self._idle(endpoint):
            done = replace(done, idle=(*done.idle, endpoint.name))
            if self._guard.to_zero:
                asleep = Bounds(0, bounds.most if bounds else max(1, described.wanted))
                self._control.tag(described.arn, bounds_tags(asleep))
                self._scaling.set_up(endpoint.name, asleep)
                done = replace(done, put_to_sleep=done.put_to_sleep + 1)
        return done

    def _idle(self, endpoint: Endpoint) -> bool:
        """Whether it has had no job for the guard's hours, and has been there for that long."""
        made = datetime.fromisoformat(endpoint.created_at).timestamp()
        last = self._open_jobs.last(endpoint.name) or made
        return self._now() - max(last, made) > self._guard.hours * 3600
