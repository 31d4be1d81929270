"""Making, scaling and deleting endpoints, so that any step may be repeated and none is forgotten."""

import hashlib
import re
from dataclasses import replace

from darkroom.endpoints.api import EndpointIn, EndpointPatch
from darkroom.endpoints.model import (
    CHANGING,
    IN_SERVICE,
    WANTED_GONE,
    Bounds,
    Described,
    Plan,
    bounds_tags,
)
from darkroom.endpoints.ports import PART_KINDS, EndpointControl, EndpointSource, OpenJobs, Scaling
from darkroom.endpoints.service import Endpoints, not_found
from darkroom.errors import Conflict, FieldError, Invalid

MAX_NAME = 63
"""Characters of a SageMaker name (botocore's service model, EndpointName)."""
_PARTS_SUFFIX = 9
GONE_CODE = "endpoint_deleted"
_OWN_PART = re.compile(r".+-[0-9a-f]{8}")
_NOT_IN_TAGS = re.compile(r"[^\w\s.:/=+\-@]")


class Fleet:
    """The endpoints of a stage, as their makers see them.

    SageMaker keeps all of it: what was wanted stands in the endpoint's tags, so whoever comes after a crash
    (a repeated request, the endpoint's next state event, the sweeper) can go on from there.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        source: EndpointSource,
        control: EndpointControl,
        scaling: Scaling,
        open_jobs: OpenJobs,
        stage: str,
        instance_type: str,
        image: str | None,
    ) -> None:
        """`instance_type` and `image` are what an endpoint gets when nothing is said."""
        self._endpoints = endpoints
        self._source = source
        self._control = control
        self._scaling = scaling
        self._open_jobs = open_jobs
        self._stage = stage
        self._instance_type = instance_type
        self._image = image

    def create(self, owner: str, request: EndpointIn) -> tuple[str, bool]:
        """Make model, configuration and endpoint; the name, and whether the endpoint is new.

        The same request again goes on where the one before broke off. Scaling is set up when the endpoint
        is InService, since Application Auto Scaling takes no other.
        Raises Invalid or Conflict, with SageMaker's words where it is SageMaker that refuses.
        """
        plan = self._plan(owner, request)
        found = self._source.describe(plan.name)
        if found is not None:
            self._check_same(plan, found)
            return plan.name, False
        self._control.make_model(plan)
        try:
            self._control.make_config(plan)
            self._control.make_endpoint(plan)
        except (Invalid, Conflict):
            # Refused for good, by a quota or an instance type that is none: what was made for it goes at once.
            if self._source.describe(plan.name) is None:
                self._remove_parts(plan.parts)
            raise
        self._endpoints.forget()
        return plan.name, True

    def scale(self, name: str, request: EndpointPatch) -> str:
        """Change the bounds: the tags first, which are what is wanted, then what stands. Returns the full name.

        On an endpoint that is not in service yet they are registered once it is.
        Raises Missing `endpoint_not_found`, Invalid `bounds_not_valid` or Conflict `endpoint_is_going`.
        """
        described = self._described(name)
        full = described.endpoint.name
        made = self._source.made(described)
        if made.wanted_gone or described.endpoint.status in ("Deleting", "Failed"):
            raise Conflict(
                "endpoint_is_going",
                f"The endpoint {full!r} is {described.endpoint.status} and cannot be scaled. "
                "Delete it and make another.",
            )
        old = made.bounds or self._scaling.bounds([full]).get(full) or Bounds(0, 1)
        bounds = Bounds(
            old.least if request.min_instances is None else request.min_instances,
            old.most if request.max_instances is None else request.max_instances,
        )
        check_bounds(bounds)
        self._control.tag(described.arn, bounds_tags(bounds))
        if described.endpoint.serving:
            self._scaling.set_up(full, bounds)
        self._endpoints.forget()
        return full

    def delete(self, name: str) -> bool:
        """Delete an endpoint with all that was made for it, and fail its open jobs; whether it is gone or going.

        False when SageMaker is at work on it: it is marked then, and goes as soon as SageMaker lets it.
        Deleting what is gone takes away whatever was left of it.
        """
        full = self._endpoints.full_name(name)
        described = self._source.describe(full)
        try:
            if described is None:
                self.clear(full)
                return True
            if described.endpoint.status == "Deleting":
                self._fail_open_jobs(full)
                return True
            # The mark comes first: whatever breaks off after it, the sweeper knows what was wanted.
            self._control.tag(described.arn, {WANTED_GONE: "true"})
            if described.endpoint.status in CHANGING:
                return False
            return self._remove(described)
        finally:
            self._endpoints.forget()

    def came_to_rest(self, name: str) -> str:
        """See to an endpoint whose state changed; returns what was done, for the log.

        Events come twice and out of order, so only what SageMaker says now counts: in service, its scaling is
        set up; wanted gone, it is deleted; gone, nothing of it is left.
        """
        if not name.startswith(self._endpoints.full_name("")):
            return "not of this stage"
        described = self._source.describe(name)
        if described is None:
            self.clear(name)
            return "cleared"
        if described.endpoint.status in CHANGING:
            return "waiting"
        made = self._source.made(described)
        if made.wanted_gone:
            return "deleted" if self._remove(described) else "waiting"
        if described.endpoint.status == IN_SERVICE and made.bounds:
            self._scaling.set_up(name, made.bounds)
            return "scaling set up"
        return "left alone"

    def clear(self, name: str) -> None:
        """Take away what is left of an endpoint that is gone: its scaling, its parts, its open jobs."""
        self._scaling.remove(name)
        for kind in PART_KINDS:
            for part in self._source.parts(kind):
                if endpoint_of(part.name) == name:
                    self._control.remove_part(kind, part.name)
        self._fail_open_jobs(name)

    def _remove(self, described: Described) -> bool:
        """Scaling first: Application Auto Scaling would otherwise go on changing what is being deleted."""
        name = described.endpoint.name
        self._scaling.remove(name)
        try:
            self._control.remove_endpoint(name)
        except Conflict:
            return False
        self._remove_parts(described.config)
        self._fail_open_jobs(name)
        return True

    def _remove_parts(self, name: str) -> None:
        for kind in PART_KINDS:
            self._control.remove_part(kind, name)

    def _fail_open_jobs(self, name: str) -> None:
        self._open_jobs.fail(
            name, GONE_CODE, f"The endpoint {name} was deleted before the job was done. Replay it on another one."
        )

    def _described(self, name: str) -> Described:
        described = self._source.describe(self._endpoints.full_name(name))
        if described is None:
            raise not_found(name)
        return described

    def _plan(self, owner: str, request: EndpointIn) -> Plan:
        image = request.image or self._image
        if image is None:
            raise Invalid(
                "image_missing",
                "Say which container is the worker: `image`, or the setting `worker_image` of the stage.",
                (FieldError(("body", "image"), "is needed, for the stage has no `worker_image`"),),
            )
        name = self._endpoints.full_name(request.name or _derived(owner, request))
        if len(name) > MAX_NAME - _PARTS_SUFFIX:
            most = MAX_NAME - _PARTS_SUFFIX - len(self._endpoints.full_name(""))
            raise Invalid(
                "endpoint_name_too_long",
                f"The name may have {most} characters in this stage.",
                (FieldError(("body", "name"), f"has more than {most} characters"),),
            )
        bounds = Bounds(request.min_instances, request.max_instances)
        check_bounds(bounds)
        plan = Plan(
            name=name,
            parts="",
            instance_type=request.instance_type or self._instance_type,
            image=image,
            bounds=bounds,
            at_once=request.jobs_at_once,
            tags={
                "darkroom:stage": self._stage,
                "darkroom:owner": _NOT_IN_TAGS.sub("_", owner)[:256],
                **bounds_tags(bounds),
            },
        )
        # Parts are named for what is in them, so parts that are there already are the right ones.
        content = f"{plan.instance_type}\n{plan.image}\n{plan.at_once}\n{max(1, bounds.least)}"
        return replace(plan, parts=f"{name}-{hashlib.sha256(content.encode()).hexdigest()[: _PARTS_SUFFIX - 1]}")

    def _check_same(self, plan: Plan, found: Described) -> None:
        made = self._source.made(found)
        status = found.endpoint.status
        if made.wanted_gone or status == "Deleting":
            raise Conflict(
                "endpoint_is_going",
                f"The endpoint {plan.name!r} is being deleted. Wait until GET /endpoints lists it no more, "
                "or take another name.",
            )
        if found.config != plan.parts or made.bounds != plan.bounds:
            raise Conflict(
                "endpoint_exists",
                f"There is an endpoint {plan.name!r} already, made differently ({status}, {made.instance_type}). "
                "PATCH changes its bounds; for anything else delete it, or take another name.",
            )


def endpoint_of(part: str) -> str | None:
    """The endpoint that a model or a configuration was made for; None for one that was not made here."""
    return part[:-_PARTS_SUFFIX] if _OWN_PART.fullmatch(part) else None


def _derived(owner: str, request: EndpointIn) -> str:
    """A name for an endpoint without one: the same request again must find the same endpoint."""
    said = f"{owner}\n{request.model_dump_json()}"
    return hashlib.sha256(said.encode()).hexdigest()[:12]


def check_bounds(bounds: Bounds) -> None:
    """Raises Invalid `bounds_not_valid`."""
    if bounds.least > bounds.most:
        why = f"is {bounds.least}, more than max_instances, which is {bounds.most}"
        raise Invalid(
            "bounds_not_valid",
            f"min_instances {why}.",
            (FieldError(("body", "min_instances"), why),),
        )
