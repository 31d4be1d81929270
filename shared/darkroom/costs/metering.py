"""The meter: once a minute it adds up for how long the instances of each endpoint were awake."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from darkroom.costs.model import Metered, Sample
from darkroom.costs.ports import MeterStore
from darkroom.endpoints.model import EndpointDetails, Machine
from darkroom.endpoints.ports import EndpointSource
from darkroom.times import moment

PERIOD = 60.0
"""Seconds between two rounds; an endpoint that was asleep in the last round counts for at most so long."""
LONGEST = 3_600.0
"""Seconds that one round counts at most. An endpoint that is awake after a gap, and was before it, was mostly awake in
between, too; after a longer gap nobody knows."""


@dataclass(frozen=True)
class Running:
    """The instances of an endpoint now, by instance type: those that are there, and those that were asked for and are
    not there yet. Both are paid: a start counts from the moment at which it is asked for. `made` is when the endpoint
    was made, in epoch seconds."""

    endpoint: str
    there: Mapping[str, int] = field(default_factory=dict)
    waking: Mapping[str, int] = field(default_factory=dict)
    made: float = 0.0

    @property
    def awake(self) -> bool:
        """Whether it has or will have an instance."""
        return any(self.there.values()) or any(self.waking.values())


class Meter:
    """The round `metering`."""

    def __init__(
        self,
        store: MeterStore,
        running: Callable[[], Iterable[Running]],
        prices: Mapping[str, float],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`running` tells of every endpoint of the stage, `prices` are US dollars for an hour of an instance type;
        `clock` gives epoch seconds."""
        self._store = store
        self._running = running
        self._prices = prices
        self._clock = clock

    def run(self, left: Callable[[], float]) -> dict[str, float | list[str]]:
        """Count each endpoint from where it was counted last to now. `left` gives the seconds that are left.

        Returns how many endpoints are `awake`, the `dollars_per_hour` of their instances as far as prices are known,
        the `unpriced` ones, and the `broken` ones, which the next round counts. Of two rounds at once one alone counts
        an endpoint.
        """
        found, samples, now = list(self._running()), self._store.samples(), self._clock()
        broken = []
        for one in found:
            if left() <= 0:
                # The time since the last sample is counted by the next round.
                break
            try:
                self._count(one, samples.get(one.endpoint), now)
            except Exception:
                broken.append(one.endpoint)
        awake = [one for one in found if one.awake]
        unpriced = [one.endpoint for one in awake if not {*one.there, *one.waking} <= self._prices.keys()]
        dollars = round(sum(self._dollars(one) for one in awake), 4)
        return {"awake": len(awake), "dollars_per_hour": dollars, "unpriced": unpriced, "broken": broken}

    def _count(self, one: Running, before: Sample | None, now: float) -> None:
        if not one.awake and not (before and before.awake):
            return
        # An endpoint of the same name before this one may have been awake when it was last seen.
        seconds = min(_seconds(before, now), max(0.0, now - one.made))
        if before and seconds <= 0:
            return
        metered = _by_day(one, now - seconds, now) if one.awake else {}
        self._store.add(one.endpoint, before, Sample(now, one.awake), metered)

    def _dollars(self, one: Running) -> float:
        """US dollars an hour."""
        instances = [*one.there.items(), *one.waking.items()]
        return sum(self._prices.get(kind, 0.0) * count for kind, count in instances)


def _seconds(before: Sample | None, now: float) -> float:
    """How long a sample of an awake endpoint stands for: since the sample before it."""
    if before is None:
        return PERIOD
    return min(now - before.until, LONGEST if before.awake else PERIOD)


def _by_day(one: Running, start: float, end: float) -> dict[tuple[str, str], Metered]:
    """The seconds of the instances from `start` to `end` (epoch seconds), by date in UTC and instance type."""
    metered: dict[tuple[str, str], Metered] = {}
    while start < end:
        day = moment(start).replace(hour=0, minute=0, second=0, microsecond=0)
        until = min(end, (day + timedelta(days=1)).timestamp())
        for kinds, waking in ((one.there, False), (one.waking, True)):
            for kind, count in kinds.items():
                seconds = (until - start) * count
                key = (day.date().isoformat(), kind)
                metered[key] = metered.get(key, Metered()) + Metered(seconds, seconds if waking else 0.0)
        start = until
    return {key: value for key, value in metered.items() if value.seconds}


UNKNOWN = "unknown"
"""Stands for the type of instances whose configuration is gone."""


class Instances:
    """Tells which instances the stage's endpoints have."""

    def __init__(self, source: EndpointSource) -> None:
        self._source = source
        self._machines: dict[str, Machine | None] = {}

    def now(self) -> list[Running]:
        """Every endpoint: one call for the list, one an endpoint, and one for each configuration that this process has
        not seen."""
        found = (self._source.describe(endpoint.name) for endpoint in self._source.all())
        return [self._running(details) for details in found if details]

    def _running(self, details: EndpointDetails) -> Running:
        name, kind = details.endpoint.name, self._first_type(details)
        made = datetime.fromisoformat(details.endpoint.created_at).timestamp()
        if details.endpoint.status == "Creating":
            # SageMaker tells no numbers yet; there will be one instance at least.
            return Running(name, waking={kind: max(1, details.desired)}, made=made)
        there = {kind: count for kind, count in details.running.items() if count}
        if not details.running and details.current:
            there = {kind: details.current}
        # What is asked for on one that failed, or is on its way out, never comes.
        asked = details.desired - details.current if details.endpoint.serving else 0
        return Running(name, there, {kind: asked} if asked > 0 else {}, made)

    def _first_type(self, details: EndpointDetails) -> str:
        """The preferred type: of instances that are not there yet, nobody knows another one."""
        if details.config not in self._machines:
            self._machines[details.config] = self._source.machine(details.config)
        machine = self._machines[details.config]
        return machine.instance_type if machine else UNKNOWN
