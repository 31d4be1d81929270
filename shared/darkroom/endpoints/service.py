"""Which endpoints there are, what they are doing, and which one a job goes to."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from darkroom.endpoints.model import Bounds, Endpoint, EndpointDetails, EndpointTags, Machine
from darkroom.endpoints.ports import EndpointJobs, EndpointSource, Scaling
from darkroom.errors import Conflict, Invalid, Missing

CACHE_SECONDS = 10.0
WAKEUP_CACHE_SECONDS = 300.0
_T = TypeVar("_T")


@dataclass(frozen=True)
class EndpointView:
    """Everything a list tells of an endpoint; `bounds` are None until they are registered or asked for."""

    described: EndpointDetails
    made: EndpointTags
    bounds: Bounds | None
    scaling: bool
    open_jobs: int

    @property
    def endpoint(self) -> Endpoint:
        """The endpoint itself."""
        return self.described.endpoint


class Endpoints:
    """The stage's endpoints, remembered for seconds in a warm function."""

    def __init__(
        self,
        source: EndpointSource,
        scaling: Scaling,
        open_jobs: EndpointJobs,
        prefix: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`prefix` is what the names of this stage's endpoints begin with."""
        self._source = source
        self._scaling = scaling
        self._open_jobs = open_jobs
        self._prefix = prefix
        self._clock = clock
        self._cache: dict[str, tuple[float, object]] = {}
        self._machines: dict[tuple[str, str], Machine | None] = {}

    def full_name(self, name: str) -> str:
        """The name SageMaker knows: people may leave the stage's prefix out."""
        return name if name.startswith(self._prefix) else self._prefix + name

    def all(self, fresh: bool = False) -> list[Endpoint]:
        """Every endpoint, newest first; at most `CACHE_SECONDS` old, or read now when `fresh`."""
        return self._remembered("all", self._source.all, fresh=fresh)

    def shown(self) -> list[EndpointView]:
        """Every endpoint with all there is to tell, newest first; at most `CACHE_SECONDS` old."""
        return self._remembered("shown", self._show_all)

    def show(self, name: str) -> EndpointView:
        """One endpoint, read now. Raises Missing `endpoint_not_found`."""
        described = self._source.describe(self.full_name(name))
        if described is None:
            raise not_found(name)
        return self._show(
            described, self._scaling.bounds([described.endpoint.name]), self._open_jobs.by_endpoint(fresh=True)
        )

    def forget(self) -> None:
        """Read everything anew: something was changed."""
        self._cache.clear()

    def machine(self, name: str) -> Machine | None:
        """What an endpoint runs on. It never changes, so it is looked up once in a function's life."""
        created = next((endpoint.created_at for endpoint in self.all() if endpoint.name == name), None)
        if created is None:
            return None
        if (name, created) not in self._machines:
            described = self._source.describe(name)
            self._machines[name, created] = self._source.machine(described.config) if described else None
        return self._machines[name, created]

    def described(self, name: str) -> EndpointDetails | None:
        """An endpoint with its instances, at most `CACHE_SECONDS` old; None when it is gone."""
        return self._remembered(f"described {name}", lambda: self._source.describe(name))

    def wakeups(self, name: str) -> list[float]:
        """How many seconds the last wake-ups from zero took, newest first."""
        return self._remembered(f"wakeups {name}", lambda: self._scaling.wakeups(name), WAKEUP_CACHE_SECONDS)

    def choose(self, wanted: str | None) -> str:
        """The endpoint a job goes to: the wanted one, or the one with the fewest open jobs.

        One that is fully in service comes before one that is changing its instances. Open jobs are counted
        only when there is a choice. Before a refusal the list is read again, so an endpoint that came into
        service a second ago is not refused from memory.
        Raises Invalid `endpoint_unknown`, Conflict `endpoint_not_in_service` or `no_endpoint_available`.
        """
        name = self.full_name(wanted) if wanted is not None else None
        candidates = self._serving(name, self.all()) or self._serving(name, self.all(fresh=True))
        if not candidates:
            raise self._refusal(name)
        if len(candidates) == 1:
            return candidates[0]
        counts = self._open_jobs.by_endpoint()
        return min(candidates, key=lambda candidate: (counts.get(candidate, 0), candidate))

    def _remembered(self, key: str, read: Callable[[], _T], seconds: float = CACHE_SECONDS, fresh: bool = False) -> _T:
        now = self._clock()
        kept = self._cache.get(key)
        if fresh or kept is None or now - kept[0] > seconds:
            kept = self._cache[key] = (now, read())
        return kept[1]  # type: ignore[return-value]

    def _show_all(self) -> list[EndpointView]:
        names = [endpoint.name for endpoint in self._source.all()]
        if not names:
            return []
        bounds, counts = self._scaling.bounds(names), self._open_jobs.by_endpoint(fresh=True)
        described = (self._source.describe(name) for name in names)
        return [self._show(found, bounds, counts) for found in described if found]

    def _show(
        self, described: EndpointDetails, bounds: Mapping[str, Bounds], counts: Mapping[str, int]
    ) -> EndpointView:
        name = described.endpoint.name
        made = self._source.made(described)
        registered = bounds.get(name)
        return EndpointView(described, made, registered or made.bounds, registered is not None, counts.get(name, 0))

    @staticmethod
    def _serving(wanted: str | None, endpoints: list[Endpoint]) -> list[str]:
        serving = [e for e in endpoints if e.serving and wanted in (None, e.name)]
        return [e.name for e in serving if e.usable] or [e.name for e in serving]

    def _refusal(self, wanted: str | None) -> Exception:
        statuses = {e.name: e.status for e in self.all()}
        if wanted is None:
            return Conflict(
                "no_endpoint_available",
                "No endpoint is InService. GET /endpoints shows what there is; "
                "wait until one is InService or create one.",
            )
        if wanted not in statuses:
            return Invalid(
                "endpoint_unknown",
                f"There is no endpoint {wanted!r}. GET /endpoints shows those there are; "
                "leave `endpoint` out to let Darkroom choose.",
            )
        return Conflict(
            "endpoint_not_in_service",
            f"The endpoint {wanted!r} is {statuses[wanted]}, and only one that is in service takes jobs. "
            "Wait for it, or leave `endpoint` out to let Darkroom choose.",
        )


def not_found(name: str) -> Missing:
    """The refusal for an endpoint that is not there."""
    return Missing("endpoint_not_found", f"There is no endpoint {name[:64]!r}. GET /endpoints shows those there are.")
