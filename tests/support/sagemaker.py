"""SageMaker and Application Auto Scaling in memory, for tests that run without the simulator."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from darkroom.endpoints.model import (
    CHANGING,
    Bounds,
    Endpoint,
    EndpointDetails,
    EndpointSpec,
    EndpointTags,
    JobSpan,
    Machine,
    Part,
    ScalingState,
)
from darkroom.endpoints.ports import PartKind
from darkroom.errors import Conflict, Missing
from darkroom.jobs.model import answer_key
from darkroom.jobs.ports import EndpointRefused
from darkroom.jobs.runs import Run

LONG_AGO = "2026-01-01T00:00:00Z"


def endpoint(name: str = "darkroom-test-a", status: str = "InService") -> Endpoint:
    """An endpoint in some status."""
    return Endpoint(name, status, LONG_AGO, LONG_AGO)


@dataclass
class Details:
    """What an endpoint is besides its line in a list."""

    config: str = ""
    instances: int = 1
    instance_type: str | None = "ml.g5.xlarge"
    image: str | None = "worker:1"
    at_once: int = 1
    failure: str | None = None
    fallbacks: tuple[str, ...] = ()
    running: Mapping[str, int] = field(default_factory=dict)
    said: str | None = None


class FakeSageMaker:
    """Endpoints with all their parts, and an inference that only remembers what it was given.

    `elsewhere` is where it says that answers go, instead of the place that is asked for. `on_call` hears each call's
    name before it is carried out, `after_call` after it.
    """

    def __init__(self) -> None:
        self.endpoints = [endpoint()]
        self.details: dict[str, Details] = {}
        self.tagged: dict[str, dict[str, str]] = {}
        self.parts_made: dict[PartKind, dict[str, float]] = {"config": {}, "model": {}}
        self.now = 1_000_000.0
        self.invoked: list[dict[str, Any]] = []
        self.runs: list[Run] = []
        self.elsewhere: str | None = None
        self.refuses: str | None = None
        self.refuses_to_make: BaseException | None = None
        self.refuses_instances: Exception | None = None
        self.on_call: Callable[[str], None] = lambda name: None
        self.after_call: Callable[[str], None] = lambda name: None
        self.before_answer: Callable[[str], None] = lambda job_id: None

    # What there is

    def all(self) -> list[Endpoint]:
        self.on_call("ListEndpoints")
        return list(self.endpoints)

    def describe(self, name: str) -> EndpointDetails | None:
        self.on_call("DescribeEndpoint")
        found = self._find(name)
        if found is None:
            return None
        name = found.name
        told = self.details.setdefault(name, Details())
        running = 0 if found.status == "Creating" else told.instances
        return EndpointDetails(
            found,
            f"arn:{name}",
            told.config,
            running,
            told.instances,
            told.image,
            told.failure,
            told.running,
            told.said,
        )

    def endpoint_tags(self, details: EndpointDetails) -> EndpointTags:
        self.on_call("ListTags")
        name = details.endpoint.name
        told = self.details[name]
        return EndpointTags(told.instance_type, dict(self.tagged.get(name, {})), told.fallbacks)

    def machine(self, config: str) -> Machine | None:
        self.on_call("DescribeEndpointConfig")
        found = (told for told in self.details.values() if told.config == config and told.instance_type)
        return next((Machine(told.instance_type or "", told.at_once, told.fallbacks) for told in found), None)

    def tags(self, arn: str) -> dict[str, str]:
        self.on_call("ListTags")
        return dict(self.tagged.get(arn.removeprefix("arn:"), {}))

    def parts(self, kind: PartKind) -> list[Part]:
        self.on_call("ListModels" if kind == "model" else "ListEndpointConfigs")
        return [Part(name, f"arn:{name}", created) for name, created in self.parts_made[kind].items()]

    # Making and unmaking

    def make_model(self, spec: EndpointSpec) -> None:
        self._effect("CreateModel", lambda: self._make_part("model", spec))

    def make_config(self, spec: EndpointSpec) -> None:
        self._effect("CreateEndpointConfig", lambda: self._make_part("config", spec))

    def make_endpoint(self, spec: EndpointSpec) -> None:
        def make() -> None:
            if self.refuses_to_make:
                raise self.refuses_to_make
            assert spec.parts in self.parts_made["config"]
            if self._find(spec.name) is None:
                self.endpoints.insert(0, endpoint(spec.name, "Creating"))
                self.tagged[spec.name] = dict(spec.tags)
                self.details[spec.name] = Details(
                    spec.parts,
                    max(1, spec.bounds.least),
                    spec.instance_type,
                    spec.container.image,
                    spec.at_once + spec.waiting,
                    fallbacks=spec.fallbacks,
                )

        self._effect("CreateEndpoint", make)

    def tag(self, arn: str, tags: Mapping[str, str]) -> None:
        name = arn.removeprefix("arn:")
        self._effect("AddTags", lambda: self.tagged.setdefault(name, {}).update(tags))

    def remove_endpoint(self, name: str) -> None:
        def remove() -> None:
            found = self._find(name)
            if found and found.status in CHANGING:
                raise Conflict("endpoint_changing", found.status)
            self.move(name, "Deleting")

        self._effect("DeleteEndpoint", remove)

    def remove_part(self, kind: PartKind, name: str) -> None:
        call = "DeleteModel" if kind == "model" else "DeleteEndpointConfig"
        self._effect(call, lambda: self.parts_made[kind].pop(name, None))

    # What time brings

    def move(self, name: str, status: str) -> None:
        """Put an endpoint into a status; nothing for one that is not there."""
        self.endpoints = [replace(e, status=status) if e.name == name else e for e in self.endpoints]

    def settle(self) -> list[str]:
        """Let everything that is under way end; the names of the endpoints that changed."""
        changed = [e.name for e in self.endpoints if e.status in CHANGING]
        for found in self.endpoints:
            if found.status == "Deleting":
                self.tagged.pop(found.name, None)
        self.endpoints = [e for e in self.endpoints if e.status != "Deleting"]
        for name in changed:
            self.move(name, "InService")
        return changed

    # Waking and sleeping

    def wake(self, name: str) -> None:
        self._set_instances(name, 1)

    def keep(self, name: str, instances: int) -> None:
        self._set_instances(name, instances)

    def _set_instances(self, name: str, instances: int) -> None:
        def change() -> None:
            if self.refuses_instances:
                raise self.refuses_instances
            found = self._find(name)
            if found is None:
                raise Missing("endpoint_not_found", name)
            if found.status in CHANGING:
                raise Conflict("endpoint_changing", found.status)
            self.details.setdefault(found.name, Details()).instances = instances

        self._effect("UpdateEndpointWeightsAndCapacities", change)

    # Inference

    def invoke(self, name: str, run: Run, body: bytes) -> tuple[str, str | None]:
        self.on_call("InvokeEndpointAsync")
        if self.refuses:
            raise EndpointRefused(self.refuses)
        if name not in {found.name for found in self.endpoints}:
            raise EndpointRefused(f"Endpoint {name} not found.")
        self.invoked.append({"endpoint": name, **json.loads(body)})
        self.runs.append(run)
        self.before_answer(run.job_id)
        place = self.elsewhere or f"s3://pictures/{answer_key(run.job_id, run.number)}"
        return place, "s3://pictures/failures/x-error.out"

    def _find(self, name: str) -> Endpoint | None:
        return next((found for found in self.endpoints if found.is_called(name)), None)

    def _make_part(self, kind: PartKind, spec: EndpointSpec) -> None:
        self.parts_made[kind].setdefault(spec.parts, self.now)
        self.tagged.setdefault(spec.parts, dict(spec.tags))

    def _effect(self, call: str, carry_out: Callable[[], object]) -> None:
        self.on_call(call)
        carry_out()
        self.after_call(call)


class FakeScaling:
    """`darkroom.endpoints.ports.Scaling`; a set-up takes its four calls one after the other, as the real one does."""

    def __init__(self) -> None:
        self.stands: dict[str, ScalingState] = {}
        self.woke: dict[str, list[float]] = {}
        self.on_call: Callable[[str], None] = lambda name: None
        self.after_call: Callable[[str], None] = lambda name: None

    def set_up(self, name: str, bounds: Bounds) -> None:
        steps: dict[str, dict[str, Any]] = {
            "RegisterScalableTarget": {"bounds": bounds},
            "PutScalingPolicy tracking": {"tracking": bounds.least > 0, "growing": bounds.least == 0},
            "PutScalingPolicy waking": {"waking": True},
            "PutMetricAlarm": {"alarm": True},
        }
        for call, brought in steps.items():
            self.on_call(call)
            self.stands[name] = replace(self.stands.get(name, ScalingState()), **brought)
            self.after_call(call)

    def set_bounds(self, name: str, bounds: Bounds) -> None:
        self.on_call("RegisterScalableTarget")
        self.stands[name] = replace(self.stands.get(name, ScalingState()), bounds=bounds)
        self.after_call("RegisterScalableTarget")

    def remove(self, name: str) -> None:
        self.on_call("DeregisterScalableTarget")
        if name in self.stands:
            self.stands[name] = ScalingState(alarm=self.stands[name].alarm)
        self.after_call("DeregisterScalableTarget")
        self.on_call("DeleteAlarms")
        self.stands.pop(name, None)
        self.after_call("DeleteAlarms")

    def states(self) -> dict[str, ScalingState]:
        self.on_call("DescribeScalableTargets")
        return dict(self.stands)

    def bounds(self, names: list[str]) -> dict[str, Bounds]:
        self.on_call("DescribeScalableTargets")
        return {name: found.bounds for name in names if (found := self.stands.get(name)) and found.bounds}

    def wakeups(self, name: str) -> list[float]:
        self.on_call("DescribeScalingActivities")
        return self.woke.get(name, [])


class FakeOpenJobs:
    """`darkroom.endpoints.ports.EndpointJobs`: counts by endpoint, and what was failed."""

    def __init__(self, **counts: int) -> None:
        self.counts = dict(counts)
        self.failed: list[tuple[str, str]] = []
        self.newest: dict[str, float] = {}
        self.were_open: dict[str, list[JobSpan]] = {}
        self.asked = 0

    def by_endpoint(self, fresh: bool = False) -> Mapping[str, int]:
        self.asked += 1
        return dict(self.counts)

    def fail(self, endpoint: str, code: str, message: str) -> int:
        self.failed.append((endpoint, code))
        return self.counts.pop(endpoint, 0)

    def last(self, endpoint: str) -> float | None:
        return self.newest.get(endpoint)

    def spans(self, endpoint: str, most: int) -> list[JobSpan]:
        return self.were_open.get(endpoint, [])[:most]
