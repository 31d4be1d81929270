"""The sweeper's round over endpoints: it repairs scaling, finishes deletions, removes leftover parts, and reports
endpoints that run without jobs."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from darkroom.endpoints.fleet import Fleet, OldPart
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
from darkroom.endpoints.spec import endpoint_of

STEP_SECONDS = 10.0
"""How many seconds one endpoint may take: with less time left, no other is begun."""


@dataclass(frozen=True)
class Guard:
    """When an endpoint that never sleeps is reported: after `hours` without a job. With `to_zero` it is also put to
    sleep."""

    hours: float
    to_zero: bool


@dataclass(frozen=True)
class EndpointsSwept:
    """What one round found and did. `idle` are the endpoints that run without jobs, `broken` those for which the round
    failed, each with the kind of error."""

    endpoints: int = 0
    scaling_set_up: int = 0
    deleted: int = 0
    leftovers: int = 0
    idle: tuple[str, ...] = ()
    put_to_sleep: int = 0
    failed: int = 0
    broken: tuple[str, ...] = ()

    def counts(self) -> dict[str, int | list[str]]:
        """The result for logs and metrics: counts, and the names of endpoints that a person must look at."""
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
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock` gives epoch seconds."""
        self._fleet = fleet
        self._source = source
        self._control = control
        self._scaling = scaling
        self._open_jobs = open_jobs
        self._guard = guard
        self._clock = clock

    def run(self, left: Callable[[], float]) -> EndpointsSwept:
        """One round; `left` gives the seconds left for it. An error with one endpoint does not stop the others.

        Parts are listed before endpoints. Otherwise a part whose endpoint is created in between would look like a
        leftover.
        """
        parts = self._fleet.parts()
        states = self._scaling.states()
        endpoints = self._source.all()
        counts = self._open_jobs.by_endpoint(fresh=True) if endpoints else {}
        done = EndpointsSwept(endpoints=len(endpoints))
        configs: dict[str, str] = {}
        for endpoint in endpoints:
            if left() < STEP_SECONDS:
                return done
            state, open_jobs = states.get(endpoint.name, ScalingState()), counts.get(endpoint.name, 0)
            try:
                details = self._source.describe(endpoint.name)
                if details is not None:
                    configs[endpoint.name] = details.config
                    done = self._repair(details, state, open_jobs, done)
            except Exception as error:
                done = _with_failure(done, endpoint.name, error)
        owners = {endpoint_of(part.name) for _, part in parts} | set(states)
        for name in sorted({name for name in owners if name} - {endpoint.name for endpoint in endpoints}):
            if left() < STEP_SECONDS:
                return done
            try:
                self._fleet.clear(name, parts)
                done = replace(done, leftovers=done.leftovers + 1)
            except Exception as error:
                done = _with_failure(done, name, error)
        return self._remove_strays(parts, configs, done)

    def _remove_strays(self, parts: list[OldPart], configs: dict[str, str], done: EndpointsSwept) -> EndpointsSwept:
        """Remove parts that their endpoint does not use: of two requests for one name at once, one made the endpoint,
        and the parts of the other are left over."""
        for kind, part in parts:
            name = endpoint_of(part.name)
            config = configs.get(name or "")
            if config and endpoint_of(config) == name and part.name != config:
                try:
                    self._fleet.remove_own(kind, part)
                    done = replace(done, leftovers=done.leftovers + 1)
                except Exception as error:
                    done = _with_failure(done, part.name, error)
        return done

    def _repair(
        self, details: EndpointDetails, state: ScalingState, open_jobs: int, done: EndpointsSwept
    ) -> EndpointsSwept:
        endpoint, tags = details.endpoint, self._source.endpoint_tags(details)
        if endpoint.status == FAILED:
            self._fleet.fail_jobs_of_failed(details)
            done = replace(done, failed=done.failed + 1)
        if tags.deletion_requested:
            deleted = endpoint.status not in CHANGING and self._fleet.remove(details)
            return replace(done, deleted=done.deleted + deleted)
        if endpoint.status != IN_SERVICE:
            return done
        bounds = tags.bounds
        if bounds and not (state.fits(bounds) and _within(details.desired, bounds)):
            self._scaling.set_up(endpoint.name, bounds)
            done = replace(done, scaling_set_up=done.scaling_set_up + 1)
        known = bounds or state.bounds
        # An endpoint without bounds never sleeps, whoever made it.
        never_sleeps = details.desired > 0 and (known is None or known.least > 0)
        if never_sleeps and not open_jobs and self._idle(endpoint, tags):
            done = replace(done, idle=(*done.idle, endpoint.name))
            # An endpoint that Darkroom did not make is not scaled by it either.
            if self._guard.to_zero and bounds:
                asleep = Bounds(0, bounds.most)
                self._control.tag(details.arn, bounds_tags(asleep))
                self._scaling.set_up(endpoint.name, asleep)
                done = replace(done, put_to_sleep=done.put_to_sleep + 1)
        return done

    def _idle(self, endpoint: Endpoint, tags: EndpointTags) -> bool:
        """Whether it is longer than the guard's hours that somebody made it, scaled it, or gave it a job."""
        created = datetime.fromisoformat(endpoint.created_at).timestamp()
        last = self._open_jobs.last(endpoint.name) or created
        return self._clock() - max(last, created, tags.scaled) > self._guard.hours * 3600


def _within(instances: int, bounds: Bounds) -> bool:
    return bounds.least <= instances <= bounds.most


def _with_failure(done: EndpointsSwept, name: str, error: Exception) -> EndpointsSwept:
    """The result with one more failure: the name and the kind of error, without its text, which may hold anything."""
    cause = getattr(error, "code", None) or type(error).__name__
    return replace(done, broken=(*done.broken, f"{name}: {cause}"))
