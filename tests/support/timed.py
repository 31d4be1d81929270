"""SageMaker in memory whose endpoints take their time to change, on a clock that tests and `bench/sleep.py` turn."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from darkroom.endpoints.model import Endpoint, EndpointDetails
from darkroom.times import iso
from tests.support.sagemaker import Details, FakeSageMaker


class TimedSageMaker(FakeSageMaker):
    """Endpoints are `Updating` for `start` seconds when they get instances, for `stop` seconds when they lose some.
    `asked` hears of each change that is agreed to: the name and the new number of instances."""

    def __init__(self, clock: Callable[[], float], start: float, stop: float) -> None:
        super().__init__()
        self.clock, self.start, self.stop = clock, start, stop
        self.asked: Callable[[str, int], None] = lambda name, instances: None
        self.settles: dict[str, float] = {}
        self._running: dict[str, int] = {}

    def sleeping(self, name: str, most: int = 1) -> None:
        """Add an endpoint of Darkroom's that may sleep, and does."""
        made = _at(self.clock())
        self.endpoints = [*(e for e in self.endpoints if e.name != name), Endpoint(name, "InService", made, made)]
        self.tagged[name] = {"darkroom:min": "0", "darkroom:max": str(most)}
        self.details[name] = Details(instances=0)

    def all(self) -> list[Endpoint]:
        self.advance()
        return super().all()

    def describe(self, name: str) -> EndpointDetails | None:
        self.advance()
        found = super().describe(name)
        return replace(found, current=self.running(name)) if found else None

    def running(self, name: str) -> int:
        """How many instances an endpoint has now."""
        return self._running.get(name, self.details[name].instances)

    def advance(self) -> list[str]:
        """End the changes whose time is over; returns the names of their endpoints."""
        over = [name for name, at in self.settles.items() if at <= self.clock()]
        for name in over:
            self._running.pop(name, None)
            self._mark(name, "InService", self.settles.pop(name))
        return over

    def _set_instances(self, name: str, instances: int) -> None:
        self.advance()
        before = self.details[name].instances
        super()._set_instances(name, instances)
        self._running[name] = before
        self.settles[name] = self.clock() + (self.start if instances > before else self.stop)
        self._mark(name, "Updating", self.clock())
        self.asked(name, instances)

    def _mark(self, name: str, status: str, at: float) -> None:
        self.move(name, status)
        self.endpoints = [replace(e, modified_at=_at(at)) if e.name == name else e for e in self.endpoints]


def _at(seconds: float) -> str:
    return iso(datetime.fromtimestamp(seconds, UTC))
