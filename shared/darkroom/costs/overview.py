"""The costs of a month: what was metered and what was counted, put together by endpoint and by owner."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from darkroom.costs.model import AwakeDay, Count, Counts, Metered, added

NOWHERE = ""
"""The endpoint of jobs that got none."""


@dataclass(frozen=True)
class TypeCost:
    """An instance type of an endpoint: what was metered, and US dollars for an hour, None when the stage has no
    price."""

    instance_type: str
    metered: Metered
    price: float | None

    @property
    def cost(self) -> float | None:
        """US dollars."""
        return None if self.price is None else self.metered.seconds * self.price / 3600

    @property
    def waking(self) -> float:
        """Those of them for instances that were not there yet."""
        return self.metered.waking * (self.price or 0.0) / 3600


@dataclass(frozen=True)
class EndpointCost:
    """What an endpoint cost in a month. What its instances cost and jobs do not, is overhead: it was `waking`, or idle.
    The prices of jobs are of when they were made, so the jobs may cost more than what was metered."""

    name: str
    types: tuple[TypeCost, ...] = ()
    jobs: Count = field(default_factory=Count)

    @property
    def seconds(self) -> float:
        """Seconds that its instances were awake."""
        return sum(kind.metered.seconds for kind in self.types)

    @property
    def awake(self) -> float:
        """What these seconds cost, in US dollars, as far as prices are known."""
        return sum(kind.cost or 0.0 for kind in self.types)

    @property
    def unpriced(self) -> bool:
        """Whether a type has no price."""
        return any(kind.price is None for kind in self.types)

    @property
    def cost(self) -> float:
        """What it cost in all: the awake time, or its jobs where that is more, for it was not always metered."""
        return max(self.awake, self.jobs.cost)

    @property
    def overhead(self) -> float:
        """What belongs to no job."""
        return self.cost - self.jobs.cost

    @property
    def waking(self) -> float:
        """The part of the overhead for instances that were asked for and not there yet."""
        return min(self.overhead, sum(kind.waking for kind in self.types))

    @property
    def idle(self) -> float:
        """The rest of it."""
        return self.overhead - self.waking


def by_endpoint(counts: Counts, awake: Iterable[AwakeDay], prices: Mapping[str, float]) -> list[EndpointCost]:
    """Every endpoint that was awake or had jobs, by name."""
    metered: dict[str, dict[str, Metered]] = {}
    for day in awake:
        types = metered.setdefault(day.endpoint, {})
        for kind, value in day.by_type.items():
            types[kind] = types.get(kind, Metered()) + value
    jobs: dict[str, Count] = {}
    for group, count in counts.items():
        jobs[group.endpoint] = jobs.get(group.endpoint, Count()) + count
    return [
        EndpointCost(
            name,
            tuple(TypeCost(kind, value, prices.get(kind)) for kind, value in sorted(metered.get(name, {}).items())),
            jobs.get(name, Count()),
        )
        for name in sorted(metered.keys() | jobs.keys())
    ]


def by_owner(counts: Counts) -> dict[str, Count]:
    """What the jobs of each owner add up to, the dearest first."""
    owners: dict[str, Count] = {}
    for group, count in added(counts).items():
        owners[group.owner] = owners.get(group.owner, Count()) + count
    return dict(sorted(owners.items(), key=lambda each: (-each[1].cost, each[0])))


def spent_by_stage(counts: Counts, awake: Iterable[AwakeDay], prices: Mapping[str, float]) -> float:
    """What all endpoints cost, in US dollars."""
    return sum(endpoint.cost for endpoint in by_endpoint(counts, awake, prices))
