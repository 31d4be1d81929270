"""What is put right about endpoints every few minutes: half-made ones, scaling that does not stand, and GPUs that
somebody forgot."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from darkroom.endpoints.fleet import Fleet, OldPart, endpoint_of
from darkroom.endpoints.model import (
    CHANGING,
    FAILED,
    IN_SERVICE,
    Bounds,
    Endpoint,
    EndpointDetails,
    EndpointTags,
    ScalingState,
    bounds_tags,
)
from darkroom.endpoints.ports import EndpointControl, EndpointJobs, EndpointSource, Scaling

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
        open_jobs: EndpointJobs,
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
        parts = self._fleet.parts()
        standing = self._scaling.standing()
        endpoints = self._source.all()
        counts = self._open_jobs.by_endpoint(fresh=True) if endpoints else {}
        done = EndpointsSwept(endpoints=len(endpoints))
        configs: dict[str, str] = {}
        for endpoint in endpoints:
            if left() < STEP_SECONDS:
                return done
            stands, open_jobs = standing.get(endpoint.name, ScalingState()), counts.get(endpoint.name, 0)
            try:
                described = self._source.describe(endpoint.name)
                if described is not None:
                    configs[endpoint.name] = described.config
                    done = self._see_to(described, stands, open_jobs, done)
            except Exception as error:
                done = _broke(done, endpoint.name, error)
        told = {endpoint_of(part.name) for _, part in parts} | set(standing)
        for name in sorted({name for name in told if name} - {endpoint.name for endpoint in endpoints}):
            if left() < STEP_SECONDS:
                return done
            try:
                self._fleet.clear(name, parts)
                done = replace(done, leftovers=done.leftovers + 1)
            except Exception as error:
                done = _broke(done, name, error)
        return self._remove_strays(parts, configs, done)

    def _remove_strays(self, parts: list[OldPart], configs: dict[str, str], done: EndpointsSwept) -> EndpointsSwept:
        """Parts of an endpoint that was made with others: of two requests at once, one lost."""
        for kind, part in parts:
            name = endpoint_of(part.name)
            config = configs.get(name or "")
            if config and endpoint_of(config) == name and part.name != config:
                try:
                    self._fleet.remove_own(kind, part)
                    done = replace(done, leftovers=done.leftovers + 1)
                except Exception as error:
                    done = _broke(done, part.name, error)
        return done

    def _see_to(
        self, described: EndpointDetails, standing: ScalingState, open_jobs: int, done: EndpointsSwept
    ) -> EndpointsSwept:
        endpoint, made = described.endpoint, self._source.made(described)
        if endpoint.status == FAILED:
            self._fleet.fail_jobs_of_failed(described)
            done = replace(done, failed=done.failed + 1)
        if made.deletion_requested:
            deleted = endpoint.status not in CHANGING and self._fleet.remove(described)
            return replace(done, deleted=done.deleted + deleted)
        if endpoint.status != IN_SERVICE:
            return done
        bounds = made.bounds
        if bounds and not (standing.complete and standing.bounds == bounds and _within(described.wanted, bounds)):
            self._scaling.set_up(endpoint.name, bounds)
            done = replace(done, scaling_set_up=done.scaling_set_up + 1)
        known = bounds or standing.bounds
        # Without bounds nothing lets it sleep, whoever made it.
        never_sleeps = described.wanted > 0 and (known is None or known.least > 0)
        if never_sleeps and not open_jobs and self._idle(endpoint, made):
            done = replace(done, idle=(*done.idle, endpoint.name))
            # What others made is theirs to scale.
            if self._guard.to_zero and bounds:
                asleep = Bounds(0, bounds.most)
                self._control.tag(described.arn, bounds_tags(asleep))
                self._scaling.set_up(endpoint.name, asleep)
                done = replace(done, put_to_sleep=done.put_to_sleep + 1)
        return done

    def _idle(self, endpoint: Endpoint, made: EndpointTags) -> bool:
        """Whether for the guard's hours nobody made it, scaled it, or gave it a job."""
        created = datetime.fromisoformat(endpoint.created_at).timestamp()
        last = self._open_jobs.last(endpoint.name) or created
        return self._now() - max(last, created, made.scaled) > self._guard.hours * 3600


def _within(instances: int, bounds: Bounds) -> bool:
    return bounds.least <= instances <= bounds.most


def _broke(done: EndpointsSwept, name: str, error: Exception) -> EndpointsSwept:
    """With what could not be seen to, and the kind of error it was, without its text, which may hold anything."""
    cause = getattr(error, "code", None) or type(error).__name__
    return replace(done, broken=(*done.broken, f"{name}: {cause}"))
