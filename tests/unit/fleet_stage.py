"""A stage of Darkroom in memory, for the tests of its endpoints."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from darkroom.endpoints.api import EndpointIn
from darkroom.endpoints.containers import StageWorker
from darkroom.endpoints.fleet import Fleet
from darkroom.endpoints.model import Bounds, ScalingState
from darkroom.endpoints.service import Endpoints
from darkroom.endpoints.sweep import EndpointsSwept, EndpointSweep, Guard
from darkroom.errors import DarkroomError
from tests.support.sagemaker import FakeOpenJobs, FakeSageMaker, FakeScaling

PREFIX = "darkroom-test-"
NAME = f"{PREFIX}anime"
ANIME = EndpointIn(name="anime")


class Killed(BaseException):
    """The function was stopped in the middle, as AWS does after a timeout."""


@dataclass
class Stage:
    """A stage without endpoints. Its clock is `sagemaker.now`."""

    sagemaker: FakeSageMaker = field(default_factory=FakeSageMaker)
    scaling: FakeScaling = field(default_factory=FakeScaling)
    jobs: FakeOpenJobs = field(default_factory=FakeOpenJobs)
    worker: StageWorker = field(default_factory=lambda: StageWorker("ml.g5.xlarge", "worker:1"))
    guard: Guard = field(default_factory=lambda: Guard(12, False))

    def __post_init__(self) -> None:
        self.sagemaker.endpoints = []

    @property
    def fleet(self) -> Fleet:
        """A new one, as a function has it after a cold start."""
        endpoints = Endpoints(self.sagemaker, self.scaling, self.jobs, PREFIX)
        parts = (endpoints, self.sagemaker, self.sagemaker, self.scaling, self.jobs)
        return Fleet(*parts, "test", lambda: self.worker, lambda: self.sagemaker.now)

    def sweep(self, later: float = 0.0, left: Callable[[], float] = lambda: 100.0) -> EndpointsSwept:
        """One round of the sweeper, so many seconds later; `left` gives the seconds that the round may still take."""
        self.sagemaker.now += later
        source, now = self.sagemaker, lambda: self.sagemaker.now
        return EndpointSweep(self.fleet, source, source, self.scaling, self.jobs, self.guard, now).run(left)

    def finish_changes(self) -> list[str]:
        """Let SageMaker finish all changes, and reconcile each changed endpoint; what was done about each."""
        return [self.fleet.reconcile(name) for name in self.sagemaker.settle()]

    def statuses(self) -> dict[str, str]:
        """The status of every endpoint by its name."""
        return {found.name: found.status for found in self.sagemaker.endpoints}

    def parts(self) -> list[int]:
        """The number of endpoint configurations and of models."""
        return [len(names) for names in self.sagemaker.parts_made.values()]

    def is_empty(self) -> bool:
        """Whether there is no endpoint, no configuration, no model and no scaling."""
        return not (self.sagemaker.endpoints or any(self.parts()) or self.scaling.stands)


def complete_scaling(minimum: int = 0, maximum: int = 1) -> ScalingState:
    """Scaling with all its parts."""
    sleeps = minimum == 0
    return ScalingState(Bounds(minimum, maximum), tracking=not sleeps, growing=sleeps, waking=True, alarm=True)


def refusal(call: Callable[[], object]) -> str:
    """The code with which a call is refused."""
    with pytest.raises(DarkroomError) as refused:
        call()
    return refused.value.code
