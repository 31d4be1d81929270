"""What the endpoints feature needs from the outside. Everything about endpoints is stored in SageMaker and Application
Auto Scaling, and nowhere else."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

from darkroom.endpoints.model import (
    Bounds,
    Endpoint,
    EndpointDetails,
    EndpointSpec,
    EndpointTags,
    JobSpan,
    Machine,
    Part,
    ScalingState,
    WakeUp,
)

PartKind = Literal["config", "model"]
PART_KINDS: tuple[PartKind, ...] = get_args(PartKind)
"""In the order in which they are deleted: a configuration names its model."""


class EndpointSource(Protocol):
    """Reads endpoints and what they are made of."""

    def all(self) -> list[Endpoint]:
        """Every endpoint of this stage, newest first."""

    def describe(self, name: str) -> EndpointDetails | None:
        """One endpoint with its instances, by its name in any case; None when there is none of this name."""

    def endpoint_tags(self, details: EndpointDetails) -> EndpointTags:
        """The tags and the instance type of an endpoint; empty for one that is gone."""

    def machine(self, config: str) -> Machine | None:
        """The instances that a configuration names; None when it was deleted."""

    def tags(self, arn: str) -> dict[str, str]:
        """The tags of an endpoint or a part; an empty dict for one that is gone."""

    def parts(self, kind: PartKind) -> list[Part]:
        """Every model, or every endpoint configuration, of this stage."""


class EndpointControl(Protocol):
    """Creates and deletes endpoints and their parts. Each call may be repeated: to create what exists or delete what is
    gone is no error.

    When SageMaker refuses, Invalid `endpoint_not_possible` or Conflict `quota_exceeded` is raised with its own words.
    """

    def make_model(self, spec: EndpointSpec) -> None:
        """Create the model: image and role."""

    def make_config(self, spec: EndpointSpec) -> None:
        """Create the configuration: instances, where answers are stored, and which topic announces them."""

    def make_endpoint(self, spec: EndpointSpec) -> None:
        """Create the endpoint itself."""

    def tag(self, arn: str, tags: Mapping[str, str]) -> None:
        """Set these tags; other tags stay."""

    def remove_endpoint(self, name: str) -> None:
        """Start deleting an endpoint. Raises Conflict `endpoint_changing` while SageMaker changes it."""

    def remove_part(self, kind: PartKind, name: str) -> None:
        """Delete a model or a configuration."""


class Scaling(Protocol):
    """Application Auto Scaling, and the alarm that wakes an endpoint from zero."""

    def set_up(self, name: str, bounds: Bounds) -> None:
        """Register the endpoint with these bounds, both policies and the alarm. May be repeated."""

    def set_bounds(self, name: str, bounds: Bounds) -> None:
        """Register the bounds alone."""

    def remove(self, name: str) -> None:
        """Remove all of it; no error when it is gone."""

    def states(self) -> dict[str, ScalingState]:
        """What is set up, by endpoint name; also for endpoints that are gone."""

    def bounds(self, names: list[str]) -> dict[str, Bounds]:
        """The registered bounds by endpoint name; an endpoint that is not registered is left out."""

    def wakeups(self, name: str) -> list[float]:
        """How many seconds the last wake-ups from zero took, newest first."""


class Waking(Protocol):
    """Sets how many instances an endpoint has.

    Both raise Conflict `endpoint_changing` while SageMaker is changing the endpoint, so that the call may be tried
    again later; Missing `endpoint_not_found` for one that is gone; and Invalid `instances_refused` with the words of
    AWS for every other refusal.
    """

    def wake(self, name: str) -> None:
        """Ask for the first instance of an endpoint that has none."""

    def keep(self, name: str, instances: int) -> None:
        """Let go of all instances but so many; 0 puts the endpoint to sleep."""


class EndpointJobs(Protocol):
    """The jobs of endpoints."""

    def by_endpoint(self, fresh: bool = False) -> Mapping[str, int]:
        """How many open jobs each endpoint has: now when `fresh`, otherwise at most some seconds ago. An endpoint
        without open jobs is left out."""

    def fail(self, endpoint: str, code: str, message: str) -> int:
        """End the open jobs of an endpoint as `fail`, at most some hundreds; returns how many."""

    def last(self, endpoint: str) -> float | None:
        """When a job of an endpoint was last created or ended, in epoch seconds; None when it has no job."""

    def spans(self, endpoint: str, most: int) -> list[JobSpan]:
        """From when to when the newest jobs of an endpoint were open, at most so many, newest first. A change of this
        moment may not be seen yet."""


@dataclass(frozen=True)
class Begun:
    """When a container first told that it works at a job, and when the first picture was there, in epoch seconds; None
    for what has not happened."""

    container: float | None = None
    picture: float | None = None


class FirstWork(Protocol):
    """What the jobs of an endpoint tell of its start."""

    def first_work(self, endpoint: str, since: float, there: float) -> Begun:
        """The first work of an endpoint after `since`, at jobs that waited for its instance: they came before it was
        there. A job that came to an instance that waited for jobs tells nothing of the start. Times are epoch
        seconds."""


class WakeUpStore(Protocol):
    """Keeps the wake-ups of endpoints for some months."""

    def add(self, wake_up: WakeUp) -> None:
        """Write a wake-up that was asked for now."""

    def complete(self, wake_up: WakeUp) -> None:
        """Write what is known of a wake-up that was added; nothing happens to one that is gone."""

    def last(self, endpoint: str, most: int) -> list[WakeUp]:
        """The newest rows of an endpoint, newest first."""
