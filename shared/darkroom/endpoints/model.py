"""SageMaker endpoints as Darkroom sees them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from darkroom.endpoints.hours import HOURS_TAG, Hours
from darkroom.endpoints.hours import read as read_hours

NAME = re.compile("[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
"""The pattern of an endpoint's name (botocore's service model, EndpointName)."""
_TYPE = re.compile(r"ml\.[a-z0-9-]+\.[a-z0-9]+")
IN_SERVICE = "InService"
FAILED = "Failed"
SERVING = frozenset({IN_SERVICE, "Updating", "SystemUpdating", "RollingBack"})
"""Statuses in which SageMaker takes invocations. An endpoint is `Updating` whenever Application Auto Scaling
changes its instances, so also while it wakes (API reference, EndpointSummary). An endpoint that refused jobs then
would refuse the jobs that woke it."""
CHANGING = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"})
"""Statuses in which SageMaker refuses to change or delete an endpoint; each ends by itself."""
ENGINE_TAG = "darkroom:engine"
"""The tag that says what an endpoint's container paints with."""
AT_ONCE_TAG = "darkroom:jobs-at-once"
"""The tag that says how many jobs an instance works at side by side. Endpoints of earlier releases do not have it: of
them SageMaker's own number is the right one."""
WARM_TAG = "darkroom:warm-until"
"""The tag that says until when an endpoint is kept awake, in epoch seconds; 0 once somebody ended that."""
DELETION_TAG = "darkroom:delete"
"""The tag of an endpoint that somebody deleted while SageMaker refused to: it is deleted as soon as possible."""


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

    def is_called(self, name: str) -> bool:
        """Whether a full name means this endpoint, in whatever case it is written."""
        return self.name.lower() == name.lower()

    @property
    def serving(self) -> bool:
        """Whether SageMaker takes jobs for it: in service, or changing its instances."""
        return self.status in SERVING


@dataclass(frozen=True)
class Bounds:
    """How many instances an endpoint may have: at least `least`, at most `most`."""

    least: int
    most: int

    def may_be_moved_to(self, registered: "Bounds") -> bool:
        """Whether these bounds, which were asked for, may be registered so for a while: one way of waking an endpoint
        raises the minimum to 1, and of taking instances from it lowers the maximum."""
        return self.least == 0 and registered.least <= 1 and registered.most <= max(1, self.most)


@dataclass(frozen=True)
class EndpointDetails:
    """An endpoint as DescribeEndpoint has it. `config` is the name of its configuration, `current` how many instances
    run, `desired` how many shall run, and `failure` SageMaker's reason when it failed, or when its last change did.

    `running` says how many instances of each type run, in order of preference, for an endpoint with several types;
    with one type it is empty, and `current` says it. `said` is what SageMaker says of a change that is under way.
    """

    endpoint: Endpoint
    arn: str
    config: str
    current: int
    desired: int
    image: str | None = None
    failure: str | None = None
    running: Mapping[str, int] = field(default_factory=dict)
    said: str | None = None

    @property
    def sleeps(self) -> bool:
        """Whether it has no instance and is to have none."""
        return self.desired == 0

    def lacking(self, types: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the endpoint's types of which SageMaker says that there is no capacity: of the change that is under
        way, or of the last one. Where it names none, all of them."""
        words = self.said if self.endpoint.status in CHANGING else self.failure
        sentences = [each for each in re.split(r"(?<=[.;])\s", words or "") if "capacity" in each.lower()]
        named = {name for each in sentences for name in _TYPE.findall(each)}
        return tuple(each for each in types if each in named or (sentences and not named))


@dataclass(frozen=True)
class Machine:
    """What an endpoint runs on: the instance type that is preferred, how many jobs an instance runs at once, and the
    types that are taken when the ones before them are not to be had."""

    instance_type: str
    at_once: int = 1
    fallbacks: tuple[str, ...] = ()

    @property
    def instance_types(self) -> tuple[str, ...]:
        """Every type, in order of preference."""
        return (self.instance_type, *self.fallbacks)

    def told_by(self, tags: Mapping[str, str]) -> "Machine":
        """The same with what the endpoint's tags say. Of endpoints that Darkroom made, the configuration may tell one
        more: a job that waits in the container while its files are fetched."""
        at_once = tags.get(AT_ONCE_TAG, "")
        return replace(self, at_once=int(at_once)) if at_once.isdecimal() and int(at_once) else self


@dataclass(frozen=True)
class EndpointTags:
    """The tags of an endpoint, and the instance types of its configuration (None when that was deleted): the one that
    is preferred, and those that stand in for it."""

    instance_type: str | None
    tags: dict[str, str] = field(default_factory=dict)
    fallbacks: tuple[str, ...] = ()

    @property
    def instance_types(self) -> tuple[str, ...]:
        """Every type, in order of preference; none when the configuration was deleted."""
        return (self.instance_type, *self.fallbacks) if self.instance_type else ()

    @property
    def owner(self) -> str | None:
        """The owner of the key that made it."""
        return self.tags.get("darkroom:owner")

    @property
    def engine(self) -> str | None:
        """What it paints with, as the request that made it said; None when it did not say."""
        return self.tags.get(ENGINE_TAG)

    @property
    def bounds(self) -> Bounds | None:
        """The bounds that were last requested, None for an endpoint that was not made by Darkroom."""
        least, most = self.tags.get("darkroom:min"), self.tags.get("darkroom:max")
        if least is None or most is None or not (least.isdecimal() and most.isdecimal()):
            return None
        return Bounds(int(least), int(most))

    @property
    def first_bounds(self) -> str | None:
        """The bounds in the request that made it, as `bounds_text` writes them; `bounds` may have changed since."""
        return self.tags.get("darkroom:asked")

    @property
    def scaled(self) -> float:
        """When somebody last changed its bounds, in epoch seconds; 0 when nobody did."""
        seconds = self.tags.get("darkroom:scaled", "")
        return float(seconds) if seconds.isdecimal() else 0.0

    @property
    def warm_until(self) -> float:
        """Until when it is kept awake, in epoch seconds; 0 when nobody asked for that."""
        seconds = self.tags.get(WARM_TAG, "")
        return float(seconds) if seconds.isdecimal() else 0.0

    @property
    def hours(self) -> Hours | None:
        """Its working hours, None without."""
        return read_hours(self.tags.get(HOURS_TAG))

    @property
    def deletion_requested(self) -> bool:
        """Whether somebody deleted it while SageMaker refused to."""
        return DELETION_TAG in self.tags


@dataclass(frozen=True)
class JobSpan:
    """From when to when a job was open, in epoch seconds; `ended` is None for one that still is."""

    created: float
    ended: float | None


@dataclass(frozen=True)
class Container:
    """An endpoint's container. `package` is the prefix in S3 that SageMaker puts into the container, `ami` the machine
    image, `environment` what this container needs beside what all get."""

    image: str
    package: str | None = None
    ami: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def told(self) -> tuple[str, ...]:
        """What makes it another container, in words; of an image of one's own the image alone."""
        if self.package is None:
            return (self.image,)
        entries = (f"{name}={value}" for name, value in sorted(self.environment.items()))
        return (self.image, self.package, self.ami or "", *entries)


@dataclass(frozen=True)
class EndpointSpec:
    """An endpoint to make. `parts` is the name of both its model and its configuration, and `earlier` those that
    releases before gave to parts for the same request. `fallbacks` are the instance types that stand in for
    `instance_type`, in order of preference. `at_once` is how many jobs each instance runs at once, and
    `waiting` how many more SageMaker may send it; `engine` is what its container is to paint with (None: as the
    container has it)."""

    name: str
    parts: str
    instance_type: str
    container: Container
    bounds: Bounds
    at_once: int
    tags: dict[str, str]
    waiting: int = 0
    engine: str | None = None
    earlier: frozenset[str] = frozenset()
    fallbacks: tuple[str, ...] = ()

    @property
    def instance_types(self) -> tuple[str, ...]:
        """Every type, in order of preference."""
        return (self.instance_type, *self.fallbacks)


@dataclass(frozen=True)
class Part:
    """A model or an endpoint configuration; `created` is in epoch seconds."""

    name: str
    arn: str
    created: float


@dataclass(frozen=True)
class ScalingState:
    """How much of an endpoint's scaling is set up: its bounds, the policies, and the alarm that wakes it. Of the two
    policies that follow the backlog, `tracking` adds and takes instances, and `growing` only adds them."""

    bounds: Bounds | None = None
    tracking: bool = False
    growing: bool = False
    waking: bool = False
    alarm: bool = False

    def fits(self, asked: Bounds) -> bool:
        """Whether all of it is set up for the bounds that were asked for; those that are registered may have been moved
        for a while."""
        follows = self.growing and not self.tracking if asked.least == 0 else self.tracking
        registered = self.bounds == asked or (self.bounds is not None and asked.may_be_moved_to(self.bounds))
        return registered and follows and self.waking and self.alarm


@dataclass(frozen=True)
class WakeUp:
    """A wake-up of an endpoint. All times are epoch seconds; what is not there yet, or was never seen, is None."""

    endpoint: str
    asked: float
    instance: float | None = None
    container: float | None = None
    picture: float | None = None

    @property
    def seconds(self) -> float | None:
        """From the ask to the first picture."""
        return None if self.picture is None else self.picture - self.asked

    @property
    def start(self) -> float | None:
        """How long the start took: from the ask until the container worked, as far as that is known, else until the
        instance was there."""
        there = self.container if self.container is not None else self.instance
        return None if there is None else there - self.asked


def bounds_tags(bounds: Bounds) -> dict[str, str]:
    """Bounds as tags of an endpoint. SageMaker so keeps what was requested, and the scaling can be repaired from it."""
    return {"darkroom:min": str(bounds.least), "darkroom:max": str(bounds.most)}


def hours_tags(hours: Hours | None) -> dict[str, str]:
    """Working hours as a tag of an endpoint; an empty one where it has none any more."""
    return {HOURS_TAG: hours.text if hours else ""}


def bounds_text(bounds: Bounds) -> str:
    """Bounds as one word, as in `0-2`."""
    return f"{bounds.least}-{bounds.most}"
