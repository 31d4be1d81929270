"""Making, scaling and deleting endpoints, so that any step may be repeated and none is forgotten."""

import hashlib
import re
import time
from collections.abc import Callable

from darkroom.endpoints.api import EndpointIn, EndpointPatch
from darkroom.endpoints.model import (
    CHANGING,
    FAILED,
    IN_SERVICE,
    NAME,
    WANTED_GONE,
    Bounds,
    EndpointDetails,
    EndpointSpec,
    Part,
    asked_for,
    bounds_tags,
)
from darkroom.endpoints.ports import PART_KINDS, EndpointControl, EndpointJobs, EndpointSource, PartKind, Scaling
from darkroom.endpoints.service import Endpoints, not_found
from darkroom.errors import Conflict, FieldError, Invalid

MAX_NAME = 63
"""Characters of a SageMaker name (botocore's service model, EndpointName)."""
GRACE_SECONDS = 900.0
"""How long parts without an endpoint are left: a request that makes them takes seconds, its repeat minutes."""
_PARTS_SUFFIX = 9
GONE_CODE = "endpoint_deleted"
OldPart = tuple[PartKind, Part]
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
        open_jobs: EndpointJobs,
        stage: str,
        instance_type: str,
        image: str | None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`instance_type` and `image` are what an endpoint gets when nothing is said; `now` gives epoch seconds."""
        self._endpoints = endpoints
        self._source = source
        self._control = control
        self._scaling = scaling
        self._open_jobs = open_jobs
        self._stage = stage
        self._instance_type = instance_type
        self._image = image
        self._now = now

    def create(self, owner: str, request: EndpointIn) -> tuple[str, bool]:
        """Make model, configuration and endpoint; the name, and whether the endpoint is new.

        The same request again goes on where the one before broke off. Scaling is set up when the endpoint
        is InService: it must have a variant to be registered.
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
        self._check_ours(plan)
        return plan.name, True

    def _check_ours(self, plan: EndpointSpec) -> None:
        """Of two requests for one name at the same time, one made the endpoint; the other one's parts go."""
        made = self._source.describe(plan.name)
        if made is not None and made.config != plan.parts:
            self._remove_parts(plan.parts)
            self._check_same(plan, made)

    def scale(self, name: str, request: EndpointPatch) -> str:
        """Change the bounds: the tags first, which are what is wanted, then what stands. Returns the full name.

        On an endpoint that is not in service yet they are registered once it is.
        Raises Missing `endpoint_not_found`, Invalid `bounds_not_valid`, Conflict `endpoint_is_going`, `endpoint_failed`
        or `endpoint_not_ours`.
        """
        described = self._described(name)
        full = described.endpoint.name
        made = self._source.made(described)
        status = described.endpoint.status
        if made.deletion_requested or status == "Deleting":
            raise Conflict("endpoint_is_going", f"The endpoint {full!r} is being deleted.")
        if status == FAILED:
            raise Conflict("endpoint_failed", f"The endpoint {full!r} has failed. Delete it and make another.")
        old = made.bounds
        if old is None:
            raise Conflict(
                "endpoint_not_ours",
                f"The endpoint {full!r} was not made by Darkroom, so its scaling is left to who made it.",
            )
        bounds = Bounds(
            old.least if request.min_instances is None else request.min_instances,
            old.most if request.max_instances is None else request.max_instances,
        )
        check_bounds(bounds)
        self._control.tag(described.arn, bounds_tags(bounds) | {"darkroom:scaled": str(int(self._now()))})
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
        if not NAME.fullmatch(full):
            return True  # Nothing can be called so.
        described = self._source.describe(full)
        try:
            if described is None:
                self.clear(full, self.parts(older_than=0))
                return True
            if described.endpoint.status == "Deleting":
                self._fail_open_jobs(full)
                return True
            # The mark comes first: whatever breaks off after it, the sweeper knows what was wanted.
            self._control.tag(described.arn, {WANTED_GONE: "true"})
            if described.endpoint.status not in CHANGING and self.remove(described):
                return True
            self._fail_open_jobs(full)
            return False
        finally:
            self._endpoints.forget()

    def reconcile(self, name: str) -> str:
        """See to an endpoint whose state changed; returns what was done, for the log.

        Events come twice and out of order, so only what SageMaker says now counts: in service, its scaling is
        set up; wanted gone, it is deleted; gone, nothing of it is left.
        """
        if not name.startswith(self._endpoints.full_name("")):
            return "not of this stage"
        described = self._source.describe(name)
        if described is None:
            self.clear(name, self.parts())
            return "cleared"
        if described.endpoint.status == FAILED:
            self.fail_jobs_of_failed(described)
        if described.endpoint.status in CHANGING:
            return "waiting"
        made = self._source.made(described)
        if made.deletion_requested:
            return "deleted" if self.remove(described) else "waiting"
        if described.endpoint.status == IN_SERVICE and made.bounds:
            self._scaling.set_up(name, made.bounds)
            return "scaling set up"
        return "left alone"

    def parts(self, older_than: float = GRACE_SECONDS) -> list[OldPart]:
        """Every model and configuration under the stage's prefix that is older than so many seconds."""
        old = self._now() - older_than
        return [(kind, part) for kind in PART_KINDS for part in self._source.parts(kind) if part.created <= old]

    def clear(self, name: str, parts: list[OldPart]) -> None:
        """Take away what is left of an endpoint that is gone: its scaling, its open jobs, and those of `parts` that
        were made for it. Nothing is touched once there is an endpoint of that name again, so `parts` are listed
        before this is called."""
        if self._source.describe(name) is not None:
            return
        self._scaling.remove(name)
        self._fail_open_jobs(name)
        for kind, part in parts:
            if endpoint_of(part.name) == name:
                self.remove_own(kind, part)

    def remove_own(self, kind: PartKind, part: Part) -> None:
        """Delete a part if it is one of this stage's; others may have made one that is called alike."""
        if self._source.tags(part.arn).get("darkroom:stage") == self._stage:
            self._control.remove_part(kind, part.name)

    def fail_jobs_of_failed(self, described: EndpointDetails) -> None:
        """A failed endpoint never runs a job again: DeleteEndpoint is all that can be done with it (API reference,
        EndpointSummary)."""
        name, why = described.endpoint.name, described.failure or "SageMaker gave no reason."
        self._open_jobs.fail(
            name, "endpoint_failed", f"The endpoint {name} has failed: {why[:500]} Replay the job on another one."
        )

    def remove(self, described: EndpointDetails) -> bool:
        """Delete an endpoint that is at rest, with its parts, and fail its open jobs; False when SageMaker is at work
        on it after all. Scaling first: Application Auto Scaling would otherwise go on changing what is being deleted.
        """
        name = described.endpoint.name
        self._scaling.remove(name)
        try:
            self._control.remove_endpoint(name)
        except Conflict:
            return False
        self._fail_open_jobs(name)
        # A configuration that others made may serve other endpoints too.
        if endpoint_of(described.config) == name:
            self._remove_parts(described.config)
        return True

    def _remove_parts(self, name: str) -> None:
        for kind in PART_KINDS:
            self._control.remove_part(kind, name)

    def _fail_open_jobs(self, name: str) -> None:
        self._open_jobs.fail(
            name, GONE_CODE, f"The endpoint {name} was deleted before the job was done. Replay it on another one."
        )

    def _described(self, name: str) -> EndpointDetails:
        described = self._source.describe(self._endpoints.full_name(name))
        if described is None:
            raise not_found(name)
        return described

    def _plan(self, owner: str, request: EndpointIn) -> EndpointSpec:
        image = request.image or self._image
        if image is None:
            raise Invalid(
                "image_missing",
                "Say which container is the worker: `image`, or the setting `worker_image` of the stage.",
                (FieldError(("body", "image"), "is needed, for the stage has no `worker_image`"),),
            )
        instance_type = request.instance_type or self._instance_type
        derived = _derived(owner, request, instance_type, image)
        name = self._endpoints.full_name(request.name or derived)
        if len(name) > MAX_NAME - _PARTS_SUFFIX:
            most = MAX_NAME - _PARTS_SUFFIX - len(self._endpoints.full_name(""))
            raise Invalid(
                "endpoint_name_too_long",
                f"The name may have {most} characters in this stage.",
                (FieldError(("body", "name"), f"has more than {most} characters"),),
            )
        bounds = Bounds(request.min_instances, request.max_instances)
        check_bounds(bounds)
        # Parts are named for what is in them, so parts that are there already are the right ones.
        content = f"{instance_type}\n{image}\n{request.jobs_at_once}\n{max(1, bounds.least)}"
        return EndpointSpec(
            name=name,
            parts=f"{name}-{hashlib.sha256(content.encode()).hexdigest()[: _PARTS_SUFFIX - 1]}",
            instance_type=instance_type,
            image=image,
            bounds=bounds,
            at_once=request.jobs_at_once,
            tags={
                "darkroom:stage": self._stage,
                "darkroom:owner": _NOT_IN_TAGS.sub("_", owner)[:256],
                "darkroom:asked": asked_for(bounds),
                **bounds_tags(bounds),
            },
        )

    def _check_same(self, plan: EndpointSpec, found: EndpointDetails) -> None:
        made = self._source.made(found)
        status = found.endpoint.status
        if made.deletion_requested or status == "Deleting":
            raise Conflict(
                "endpoint_is_going",
                f"The endpoint {plan.name!r} is being deleted. Wait until GET /endpoints lists it no more, "
                "or take another name.",
            )
        if found.config != plan.parts or made.asked != plan.tags["darkroom:asked"]:
            raise Conflict(
                "endpoint_exists",
                f"There is an endpoint {plan.name!r} already, made differently ({status}, {made.instance_type}). "
                "PATCH changes its bounds; for anything else delete it, or take another name.",
            )


def endpoint_of(part: str) -> str | None:
    """The endpoint that a model or a configuration was made for; None for one that was not made here."""
    return part[:-_PARTS_SUFFIX] if _OWN_PART.fullmatch(part) else None


def _derived(owner: str, request: EndpointIn, instance_type: str, image: str) -> str:
    """A name for an endpoint without one: the same request again must find the same endpoint."""
    said = f"{owner}\n{request.model_dump_json()}\n{instance_type}\n{image}"
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
