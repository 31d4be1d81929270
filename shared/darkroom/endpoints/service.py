"""Which endpoint a job goes to."""

import time
from collections.abc import Callable, Mapping

from darkroom.endpoints.model import Endpoint
from darkroom.endpoints.ports import EndpointSource
from darkroom.errors import Conflict, Invalid

CACHE_SECONDS = 10.0


class Endpoints:
    """The stage's endpoints, remembered for seconds in a warm function."""

    def __init__(self, source: EndpointSource, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._clock = clock
        self._cached: tuple[float, list[Endpoint]] | None = None

    def all(self, fresh: bool = False) -> list[Endpoint]:
        """Every endpoint, newest first; at most `CACHE_SECONDS` old, or read now when `fresh`."""
        now = self._clock()
        if fresh or self._cached is None or now - self._cached[0] > CACHE_SECONDS:
            self._cached = (now, self._source.all())
        return self._cached[1]

    def choose(self, wanted: str | None, open_jobs: Callable[[], Mapping[str, int]]) -> str:
        """The endpoint a job goes to: the wanted one, or the usable one with the fewest open jobs.

        `open_jobs` is asked only when there is a choice. Before a refusal the list is read again,
        so an endpoint that came into service a second ago is not refused from memory.
        Raises Invalid `endpoint_unknown`, Conflict `endpoint_not_in_service` or `no_endpoint_available`.
        """
        candidates = self._usable(wanted, self.all()) or self._usable(wanted, self.all(fresh=True))
        if not candidates:
            raise self._refusal(wanted)
        if len(candidates) == 1:
            return candidates[0]
        counts = open_jobs()
        return min(candidates, key=lambda name: (counts.get(name, 0), name))

    @staticmethod
    def _usable(wanted: str | None, endpoints: list[Endpoint]) -> list[str]:
        return [e.name for e in endpoints if e.usable and wanted in (None, e.name)]

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
            f"The endpoint {wanted!r} is {statuses[wanted]}, and only an InService one takes jobs. "
            "Wait for it, or leave `endpoint` out to let Darkroom choose.",
        )
