"""Keeping an endpoint awake that would sleep: for some hours that somebody asks for, and during its working hours.

Both are kept in the endpoint's tags. The rounds of the scaler carry them out: `least` is how many instances they leave.
"""

import time
from collections.abc import Callable

from darkroom.endpoints.fleet import asked_bounds
from darkroom.endpoints.hours import Hours
from darkroom.endpoints.model import WARM_TAG, EndpointDetails, EndpointTags
from darkroom.endpoints.ports import EndpointControl, EndpointSource
from darkroom.endpoints.service import Endpoints, not_found
from darkroom.endpoints.waking import Waker


def least(tags: EndpointTags, now: float) -> int:
    """How many instances an endpoint has at least at `now` (epoch seconds), beside what its bounds say: 1 while it is
    kept warm, and in its working hours."""
    return 1 if tags.warm_until > now or _works(tags.hours, now) else 0


def _works(hours: Hours | None, now: float) -> bool:
    return hours is not None and hours.cover(now)


class Warmth:
    """Keeps endpoints warm for a while."""

    def __init__(
        self,
        endpoints: Endpoints,
        source: EndpointSource,
        control: EndpointControl,
        waker: Callable[[], Waker],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`waker` is called when an endpoint that sleeps is to be kept warm. `clock` gives epoch seconds."""
        self._endpoints = endpoints
        self._source = source
        self._control = control
        self._waker = waker
        self._clock = clock

    def warm(self, name: str, seconds: int) -> str:
        """Keep an endpoint awake for so many seconds from now; one that sleeps is woken. An earlier request that lasts
        longer counts on. Returns the full name.

        Raises Missing `endpoint_not_found`, Conflict `endpoint_is_going`, `endpoint_failed` or `endpoint_not_ours`.
        """
        details, tags = self._found(name)
        full, until = details.endpoint.name, int(self._clock()) + seconds
        # Tags have no conditions: of two requests at once the shorter may be the last, and then this one writes again.
        for _ in range(2):
            if tags.warm_until >= until:
                break
            self._control.tag(details.arn, {WARM_TAG: str(until)})
            tags = self._source.endpoint_tags(details)
        self._endpoints.forget()
        if details.endpoint.serving and details.sleeps:
            self._waker().ask(full, "warm")
        return full

    def end(self, name: str) -> str:
        """Keep an endpoint warm no longer; it falls asleep as it would without. Returns the full name. Errors are as
        for `warm`."""
        details, tags = self._found(name)
        if tags.warm_until:
            self._control.tag(details.arn, {WARM_TAG: "0"})
        self._endpoints.forget()
        return details.endpoint.name

    def _found(self, name: str) -> tuple[EndpointDetails, EndpointTags]:
        details = self._source.describe(self._endpoints.full_name(name))
        if details is None:
            raise not_found(name)
        tags = self._source.endpoint_tags(details)
        asked_bounds(details, tags)
        return details, tags
