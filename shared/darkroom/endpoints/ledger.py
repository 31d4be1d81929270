"""The ledger of wake-ups. An ask is written when AWS agreed to it, which is one write for each wake-up. What follows is
added by a round, which reads it from the endpoint and from the rows of its jobs: so jobs of an endpoint that is awake,
and those that follow the first, cost no call more."""

import time
from collections.abc import Callable
from dataclasses import replace

from darkroom.endpoints.model import EndpointDetails, WakeUp
from darkroom.endpoints.ports import EndpointSource, FirstWork, WakeUpStore
from darkroom.endpoints.wakeups import GIVEN_UP_SECONDS, REMEMBERED, one_each
from darkroom.endpoints.waking import Asked

STEP_SECONDS = 5.0
"""How many seconds one endpoint may take: with less time left, no other is begun."""
_ROWS = 2 * REMEMBERED
"""Rows that are read: some may be a second ask for the same wake-up."""


class WakeUps:
    """The wake-ups of a stage's endpoints."""

    def __init__(
        self,
        store: WakeUpStore,
        source: EndpointSource,
        work: FirstWork,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock` gives epoch seconds."""
        self._store = store
        self._source = source
        self._work = work
        self._clock = clock

    def asked(self, asked: Asked) -> None:
        """Note an ask: a listener of `Waker`. One write."""
        self._store.add(WakeUp(asked.endpoint, asked.at))

    def last(self, endpoint: str) -> list[WakeUp]:
        """The last wake-ups of an endpoint, newest first: one read."""
        return one_each(self._store.last(endpoint, _ROWS))[:REMEMBERED]

    def run(self, left: Callable[[], float]) -> dict[str, int | list[str]]:
        """One round: add what is there now to the last wake-up of each endpoint that is awake. `left` gives the seconds
        left for it. An error with one endpoint does not stop the others."""
        noted, broken = 0, []
        for endpoint in self._source.all():
            if left() < STEP_SECONDS:
                break
            try:
                details = self._source.describe(endpoint.name) if endpoint.serving else None
                noted += details is not None and self._look(details)
            except Exception as error:
                broken.append(f"{endpoint.name}: {type(error).__name__}")
        return {"noted": noted, "broken": broken}

    def _look(self, details: EndpointDetails) -> bool:
        """Add what is there to the last wake-up of an endpoint; whether there was anything new."""
        name, now = details.endpoint.name, self._clock()
        if not details.current:
            return False
        found = self.last(name)[:1]
        if not found or found[0].picture is not None or now - found[0].asked > GIVEN_UP_SECONDS:
            return False
        seen = self._seen(found[0], now)
        if seen == found[0]:
            return False
        self._store.complete(seen)
        return True

    def _seen(self, wake_up: WakeUp, now: float) -> WakeUp:
        """A wake-up of an endpoint that has an instance, with what its jobs tell. Times that cannot be are left out:
        what a worker tells of itself may be anything."""
        work = self._work.first_work(wake_up.endpoint, wake_up.asked, wake_up.instance or now)
        container, picture = (
            when if when is not None and wake_up.asked <= when <= now else None
            for when in (work.container, work.picture)
        )
        # A container of one's own need not tell when it began; it did before its first picture.
        container = wake_up.container or container or picture
        known = [when for when in (wake_up.instance or now, container, picture) if when is not None]
        return replace(wake_up, instance=min(known), container=container, picture=picture)
