"""What the endpoints feature needs from the outside. SageMaker and Application Auto Scaling keep everything about
endpoints; nothing of it is kept anywhere else."""

from collections.abc import Mapping
from typing import Literal, Protocol, get_args

from darkroom.endpoints.model import (
    Bounds,
    Endpoint,
    EndpointDetails,
    EndpointSpec,
    EndpointTags,
    Machine,
    Part,
    ScalingState,
)

PartKind = Literal["config", "model"]
PART_KINDS: tuple[PartKind, ...] = get_args(PartKind)
"""In the order in which they are taken away: a configuration names its model."""


class EndpointSource(Protocol):
    """What there is."""

    def all(self) -> list[Endpoint]:
        """Every endpoint of this stage, newest first."""

    def describe(self, name: str) -> EndpointDetails | None:
        """One endpoint with its instances; None when there is none of this name."""

    def made(self, described: EndpointDetails) -> EndpointTags:
        """What it was made with: its instance type and its tags; nothing of one that is gone."""

    def machine(self, config: str) -> Machine | None:
        """What a configuration runs on, None when it is gone."""

    def tags(self, arn: str) -> dict[str, str]:
        """The tags of an endpoint or a part; none for one that is gone."""

    def parts(self, kind: PartKind) -> list[Part]:
        """Every model, or every endpoint configuration, of this stage."""


class EndpointControl(Protocol):
    """Making and unmaking. Each call may be repeated: what is there already, or gone already, is fine.

    What SageMaker will not do is raised as Invalid `endpoint_not_possible` or Conflict `quota_exceeded`, in its words.
    """

    def make_model(self, plan: EndpointSpec) -> None:
        """The model: image and role."""

    def make_config(self, plan: EndpointSpec) -> None:
        """The configuration: instances, where answers go, who hears of them."""

    def make_endpoint(self, plan: EndpointSpec) -> None:
        """The endpoint itself."""

    def tag(self, arn: str, tags: Mapping[str, str]) -> None:
        """Set these tags, leave the others."""

    def remove_endpoint(self, name: str) -> None:
        """Begin its deletion. Raises Conflict `endpoint_changing` while SageMaker is at work on it."""

    def remove_part(self, kind: PartKind, name: str) -> None:
        """Delete a model or a configuration."""


class Scaling(Protocol):
    """Application Auto Scaling, and the alarm that wakes an endpoint from zero."""

    def set_up(self, name: str, bounds: Bounds) -> None:
        """Register the endpoint between these bounds, with both policies and the alarm; as often as it is called."""

    def remove(self, name: str) -> None:
        """Take all of it away; what is gone is fine."""

    def standing(self) -> dict[str, ScalingState]:
        """What stands, by the endpoints' names, whether these are there or not."""

    def bounds(self, names: list[str]) -> dict[str, Bounds]:
        """The registered bounds of these endpoints; one that is not registered is not named."""

    def wakeups(self, name: str) -> list[float]:
        """How many seconds the last wake-ups from zero took, newest first."""


class EndpointJobs(Protocol):
    """The jobs that wait or run, as far as endpoints have to do with them."""

    def by_endpoint(self, fresh: bool = False) -> Mapping[str, int]:
        """How many there are on each endpoint, some seconds ago or, when `fresh`, now; an endpoint without any is not
        named."""

    def fail(self, endpoint: str, code: str, message: str) -> int:
        """Fail the open jobs of an endpoint, some hundreds at most; returns how many."""

    def last(self, endpoint: str) -> float | None:
        """When the newest job of an endpoint came or ended, in epoch seconds; None when it has none."""
