"""SageMaker endpoints as Darkroom sees them."""

import re
from dataclasses import dataclass, field

NAME = re.compile("[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
"""What can be the name of an endpoint (botocore's service model, EndpointName)."""
IN_SERVICE = "InService"
FAILED = "Failed"
SERVING = frozenset({IN_SERVICE, "Updating", "SystemUpdating", "RollingBack"})
"""Statuses in which SageMaker takes invocations. An endpoint is `Updating` whenever Application Auto Scaling
changes its instances, so also all the while that it wakes (API reference, EndpointSummary): refusing jobs then
would turn away the very jobs it wakes for."""
CHANGING = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"})
"""Statuses in which SageMaker refuses to change or delete an endpoint, until it has come to rest."""
WANTED_GONE = "darkroom:delete"
"""The tag of an endpoint that somebody deleted while SageMaker would not: it goes as soon as it can."""


@dataclass(frozen=True)
class Endpoint:
    """An endpoint: `status` is SageMaker's own word (`Creating`, `InService`, …), times are ISO 8601 in UTC."""

    name: str
    status: str
    created_at: str
    modified_at: str

    @property
    def usable(self) -> bool:
        """Whether it is fully in service."""
        return self.status == IN_SERVICE

    @property
    def serving(self) -> bool:
        """Whether SageMaker takes jobs for it: in service, or changing its instances."""
        return self.status in SERVING


@dataclass(frozen=True)
class Bounds:
    """Between how many instances Application Auto Scaling keeps an endpoint."""

    least: int
    most: int


@dataclass(frozen=True)
class EndpointDetails:
    """An endpoint with what SageMaker tells of its instances; `failure` is SageMaker's reason."""

    endpoint: Endpoint
    arn: str
    config: str
    current: int
    wanted: int
    image: str | None = None
    failure: str | None = None


@dataclass(frozen=True)
class Machine:
    """What an endpoint runs on: the instance type, and how many jobs an instance runs at once."""

    instance_type: str
    at_once: int = 1


@dataclass(frozen=True)
class EndpointTags:
    """What an endpoint was made with. Nothing of it changes but the tags."""

    instance_type: str | None
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def owner(self) -> str | None:
        """Who made it."""
        return self.tags.get("darkroom:owner")

    @property
    def bounds(self) -> Bounds | None:
        """The bounds somebody asked for, None where nobody did (an endpoint made by other hands)."""
        least, most = self.tags.get("darkroom:min"), self.tags.get("darkroom:max")
        if least is None or most is None or not (least.isdecimal() and most.isdecimal()):
            return None
        return Bounds(int(least), int(most))

    @property
    def asked(self) -> str | None:
        """The bounds of the request that made it, as `asked_for` writes them; `bounds` may have changed since."""
        return self.tags.get("darkroom:asked")

    @property
    def scaled(self) -> float:
        """When somebody last changed its bounds, in epoch seconds; 0 when nobody did."""
        told = self.tags.get("darkroom:scaled", "")
        return float(told) if told.isdecimal() else 0.0

    @property
    def deletion_requested(self) -> bool:
        """Whether somebody deleted it while SageMaker would not."""
        return WANTED_GONE in self.tags


@dataclass(frozen=True)
class EndpointSpec:
    """An endpoint to make: `parts` is the name of its model and of its configuration."""

    name: str
    parts: str
    instance_type: str
    image: str
    bounds: Bounds
    at_once: int
    tags: dict[str, str]


@dataclass(frozen=True)
class Part:
    """A model or an endpoint configuration; `created` is in epoch seconds."""

    name: str
    arn: str
    created: float


@dataclass(frozen=True)
class ScalingState:
    """What stands of an endpoint's scaling: its bounds, both policies, and the alarm that wakes it."""

    bounds: Bounds | None = None
    tracking: bool = False
    waking: bool = False
    alarm: bool = False

    @property
    def complete(self) -> bool:
        """Whether all of it is there."""
        return self.bounds is not None and self.tracking and self.waking and self.alarm


def bounds_tags(bounds: Bounds) -> dict[str, str]:
    """Bounds as tags of an endpoint: SageMaker keeps what is wanted, so it can be set up again from there."""
    return {"darkroom:min": str(bounds.least), "darkroom:max": str(bounds.most)}


def asked_for(bounds: Bounds) -> str:
    """Bounds as one word."""
    return f"{bounds.least}-{bounds.most}"
