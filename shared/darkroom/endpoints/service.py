"""The list of endpoints, their state, and the choice of an endpoint for a job."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from darkroom.endpoints.model import ENGINE_TAG, Bounds, Endpoint, EndpointDetails, EndpointTags, Machine, WakeUp
from darkroom.endpoints.ports import EndpointJobs, EndpointSource, Scaling
from darkroom.endpoints.wakeups import starts
from darkroom.errors import Busy, Conflict, Invalid, Missing

CACHE_SECONDS = 10.0
WAKEUP_CACHE_SECONDS = 300.0
_T = TypeVar("_T")


@dataclass(frozen=True)
class EndpointView:
    """Everything that lists show of an endpoint. `bounds` is None when nobody requested or registered any, `scaling`
    says whether they are registered."""

    details: EndpointDetails
    tags: EndpointTags
    bounds: Bounds | None
    scaling: bool
    open_jobs: int

    @property
    def endpoint(self) -> Endpoint:
        """The endpoint itself."""
        return self.details.endpoint

    @property
    def running(self) -> Mapping[str, int]:
        """How many instances of each type run, the preferred type first; empty when no type is known."""
        if len(self.tags.instance_types) == 1:
            return {self.tags.instance_types[0]: self.details.current}
        # SageMaker tells no pools of an endpoint that has no instance yet.
        order = dict.fromkeys((*self.tags.instance_types, *self.details.running))
        return {name: self.details.running.get(name, 0) for name in order}


class Endpoints:
    """The stage's endpoints. What AWS answers is cached for some seconds."""

    def __init__(
        self,
        source: EndpointSource,
        scaling: Scaling,
        open_jobs: EndpointJobs,
        prefix: str,
        monotonic: Callable[[], float] = time.monotonic,
        ledger: Callable[[str], list[WakeUp]] = lambda name: [],
    ) -> None:
        """`prefix` is what the names of this stage's endpoints begin with; `monotonic` gives seconds for the age of the
        cache; `ledger` reads the last wake-ups of an endpoint, newest first."""
        self._source = source
        self._scaling = scaling
        self._open_jobs = open_jobs
        self._prefix = prefix
        self._monotonic = monotonic
        self._ledger = ledger
        self._cache: dict[str, tuple[float, object]] = {}
        self._machines: dict[tuple[str, str], Machine | None] = {}
        self._tags: dict[tuple[str, str], dict[str, str]] = {}

    def full_name(self, name: str) -> str:
        """The name of a new endpoint in SageMaker; people may leave the stage's prefix out, and write it in any case.

        To SageMaker names that differ only in case are the same, but an invocation must name the endpoint as it was
        made (API reference, CreateEndpoint). So new ones are in lower case. Older ones keep their names: they are
        found by `Endpoint.is_called`.
        """
        lower = name.lower()
        return lower if lower.startswith(self._prefix) else self._prefix + lower

    def names_meant(self, name: str) -> tuple[str, ...]:
        """The names of endpoints that somebody means who looks for their jobs: also of one that is gone, as written."""
        full = self.full_name(name)
        as_written = self._prefix + name[-len(full.removeprefix(self._prefix)) :]
        try:
            there = [endpoint.name for endpoint in self.all() if endpoint.is_called(full)]
        except Busy:
            # Without SageMaker only jobs of an endpoint with upper case are missed that is written in another one.
            there = []
        return tuple(dict.fromkeys((full, as_written, *there)))

    def all(self, fresh: bool = False) -> list[Endpoint]:
        """Every endpoint, newest first; at most `CACHE_SECONDS` old, or read now when `fresh`."""
        return self._cached("all", self._source.all, fresh=fresh)

    def views(self) -> list[EndpointView]:
        """Every endpoint with its details, newest first; at most `CACHE_SECONDS` old."""
        return self._cached("views", self._read_views)

    def view(self, name: str) -> EndpointView:
        """One endpoint with its details, read now. Raises Missing `endpoint_not_found`."""
        details = self._source.describe(self.full_name(name))
        if details is None:
            raise not_found(name)
        bounds = self._scaling.bounds([details.endpoint.name])
        return self._view_of(details, bounds, self._open_jobs.by_endpoint(fresh=True))

    def forget(self) -> None:
        """Empty the cache, because something was changed."""
        self._cache.clear()

    def machine(self, name: str) -> Machine | None:
        """The instances of an endpoint, None when it is gone. They never change, so they are cached for ever."""
        created = self._created(name)
        if created is None:
            return None
        if (name, created) not in self._machines:
            details = self.details(name)
            found = self._source.machine(details.config) if details else None
            self._machines[name, created] = found.told_by(self._tags_of(name, created)) if found else None
        return self._machines[name, created]

    def engine(self, name: str) -> str | None:
        """What an endpoint paints with, None when nobody said it or the endpoint is gone. It never changes, so it is
        cached for ever."""
        created = self._created(name)
        if created is None:
            return None
        return self._tags_of(name, created).get(ENGINE_TAG)

    def _tags_of(self, name: str, created: str) -> dict[str, str]:
        """The tags that an endpoint was made with, read once."""
        if (name, created) not in self._tags:
            details = self.details(name)
            self._tags[name, created] = self._source.tags(details.arn) if details else {}
        return self._tags[name, created]

    def _created(self, name: str) -> str | None:
        return next((endpoint.created_at for endpoint in self.all() if endpoint.name == name), None)

    def is_ours(self, name: str) -> bool:
        """Whether Darkroom made an endpoint, and so scales it; false for one that is gone. It is cached for ever."""
        created = self._created(name)
        return created is not None and EndpointTags(None, self._tags_of(name, created)).bounds is not None

    def details(self, name: str, fresh: bool = False) -> EndpointDetails | None:
        """An endpoint with its instances, at most `CACHE_SECONDS` old, or read now when `fresh`; None when it is
        gone."""
        return self._cached(_details(name), lambda: self._source.describe(name), fresh=fresh)

    def known_to_sleep(self, name: str) -> bool:
        """Whether an endpoint had no instance when it was last read, at most `CACHE_SECONDS` ago; nothing is read."""
        read_at, found = self._cache.get(_details(name), (0.0, None))
        if not isinstance(found, EndpointDetails) or self._monotonic() - read_at > CACHE_SECONDS:
            return False
        return found.sleeps

    def forget_details(self, name: str) -> None:
        """Forget how many instances an endpoint has, because that is about to change."""
        self._cache.pop(_details(name), None)

    def wakeups(self, name: str) -> list[float]:
        """How many seconds the last wake-ups from zero took until the endpoint could work, newest first; at most
        `WAKEUP_CACHE_SECONDS` old. Only while the ledger knows of none, those count that Application Auto Scaling
        remembers."""
        if known := starts(self.last_wake_ups(name)):
            return known
        return self._cached(f"wakeups {name}", lambda: self._scaling.wakeups(name), WAKEUP_CACHE_SECONDS)

    def last_wake_ups(self, name: str, fresh: bool = False) -> list[WakeUp]:
        """The last wake-ups of an endpoint, newest first; at most `WAKEUP_CACHE_SECONDS` old, or read now when
        `fresh`."""
        return self._cached(f"ledger {name}", lambda: self._ledger(name), WAKEUP_CACHE_SECONDS, fresh)

    def choose(self, requested: str | None) -> str:
        """The name of the endpoint for a job: the requested one, or the one with the fewest open jobs.

        An endpoint that is fully in service is preferred to one that is changing its instances. Open jobs are counted
        only when there is a choice. Before a refusal the list is read again, because an endpoint may have come into
        service after the list was cached.
        Raises Invalid `endpoint_unknown`, Conflict `endpoint_not_in_service` or `no_endpoint_available`.
        """
        name = self.full_name(requested) if requested is not None else None
        candidates = self._serving(name, self.all()) or self._serving(name, self.all(fresh=True))
        if not candidates:
            raise self._refusal(name)
        if len(candidates) == 1:
            return candidates[0]
        counts = self._open_jobs.by_endpoint()
        return min(candidates, key=lambda candidate: (counts.get(candidate, 0), candidate))

    def _cached(self, key: str, read: Callable[[], _T], seconds: float = CACHE_SECONDS, fresh: bool = False) -> _T:
        now = self._monotonic()
        entry = self._cache.get(key)
        if fresh or entry is None or now - entry[0] > seconds:
            entry = self._cache[key] = (now, read())
        return entry[1]  # type: ignore[return-value]

    def _read_views(self) -> list[EndpointView]:
        names = [endpoint.name for endpoint in self._source.all()]
        if not names:
            return []
        bounds, counts = self._scaling.bounds(names), self._open_jobs.by_endpoint(fresh=True)
        details = (self._source.describe(name) for name in names)
        return [self._view_of(found, bounds, counts) for found in details if found]

    def _view_of(
        self, details: EndpointDetails, bounds: Mapping[str, Bounds], counts: Mapping[str, int]
    ) -> EndpointView:
        name = details.endpoint.name
        tags = self._source.endpoint_tags(details)
        registered = bounds.get(name)
        # While the endpoint wakes or falls asleep, its bounds may be moved; people see those they asked for.
        moved = tags.bounds is not None and registered is not None and tags.bounds.may_be_moved_to(registered)
        shown = tags.bounds if moved or registered is None else registered
        return EndpointView(details, tags, shown, registered is not None, counts.get(name, 0))

    @staticmethod
    def _serving(requested: str | None, endpoints: list[Endpoint]) -> list[str]:
        serving = [e for e in endpoints if e.serving and (requested is None or e.is_called(requested))]
        return [e.name for e in serving if e.usable] or [e.name for e in serving]

    def _refusal(self, name: str | None) -> Exception:
        statuses = {e.name.lower(): e.status for e in self.all()}
        if name is None:
            return Conflict(
                "no_endpoint_available",
                "No endpoint is InService. GET /endpoints shows what there is; "
                "wait until one is InService or create one.",
            )
        if name not in statuses:
            return Invalid(
                "endpoint_unknown",
                f"There is no endpoint {name!r}. GET /endpoints shows those there are; "
                "leave `endpoint` out to let Darkroom choose.",
            )
        return Conflict(
            "endpoint_not_in_service",
            f"The endpoint {name!r} is {statuses[name]}, and only one that is in service takes jobs. "
            "Wait for it, or leave `endpoint` out to let Darkroom choose.",
        )


def _details(name: str) -> str:
    return f"details {name}"


def not_found(name: str) -> Missing:
    """The refusal for an endpoint that is not there."""
    return Missing("endpoint_not_found", f"There is no endpoint {name[:64]!r}. GET /endpoints shows those there are.")
