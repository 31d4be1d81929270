"""Creating, scaling and deleting endpoints. Every step may be repeated, and what was interrupted is finished later."""

import time
from collections.abc import Callable

from darkroom.endpoints.api import EndpointIn, EndpointPatch
from darkroom.endpoints.containers import StageWorker
from darkroom.endpoints.model import (
    CHANGING,
    DELETION_TAG,
    FAILED,
    IN_SERVICE,
    NAME,
    Bounds,
    EndpointDetails,
    EndpointSpec,
    EndpointTags,
    Part,
    bounds_tags,
    hours_tags,
)
from darkroom.endpoints.ports import PART_KINDS, EndpointControl, EndpointJobs, EndpointSource, PartKind, Scaling
from darkroom.endpoints.service import Endpoints, not_found
from darkroom.endpoints.spec import Planner, check_bounds, endpoint_of
from darkroom.endpoints.waking import Waker
from darkroom.errors import Conflict, Invalid

GRACE_SECONDS = 900.0
"""How old parts without an endpoint must be before they are deleted. A request makes its endpoint within seconds after
its parts, and a repeat of it within minutes."""
GONE_CODE = "endpoint_deleted"
OldPart = tuple[PartKind, Part]


class Fleet:
    """The endpoints of a stage, as those see them who create, scale and delete them.

    Everything is stored in SageMaker: the endpoint's tags say what was requested. After a crash, a repeated request,
    the endpoint's next state event or the sweeper reads the tags and finishes the work.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        source: EndpointSource,
        control: EndpointControl,
        scaling: Scaling,
        open_jobs: EndpointJobs,
        stage: str,
        worker: Callable[[], StageWorker],
        clock: Callable[[], float] = time.time,
        waker: Callable[[], Waker] | None = None,
    ) -> None:
        """`worker` gives what a request leaves out, and is called by `create` alone; `clock` gives epoch seconds.
        `waker` is called when an endpoint is to be woken; without one none is."""
        self._endpoints = endpoints
        self._source = source
        self._control = control
        self._scaling = scaling
        self._open_jobs = open_jobs
        self._stage = stage
        self._worker = worker
        self._clock = clock
        self._waker = waker

    def create(self, owner: str, request: EndpointIn) -> tuple[str, bool]:
        """Create model, configuration and endpoint; returns the full name, and whether the endpoint is new.

        A repeated request goes on where the one before was interrupted. Scaling is set up later, when the endpoint is
        InService: Application Auto Scaling registers no other endpoint.
        Raises Invalid or Conflict, with SageMaker's own words when SageMaker refuses.
        """
        spec = Planner(self._stage, self._worker(), self._endpoints.full_name).spec(owner, request)
        found = self._source.describe(spec.name)
        if found is not None:
            self._check_same(spec, found)
            return found.endpoint.name, False
        self._control.make_model(spec)
        try:
            self._control.make_config(spec)
            self._control.make_endpoint(spec)
        except (Invalid, Conflict):
            # A repeat would be refused too (a quota, an unknown instance type), so the parts are deleted now.
            if self._source.describe(spec.name) is None:
                self._remove_parts(spec.parts)
            raise
        self._endpoints.forget()
        self._check_parts(spec)
        return spec.name, True

    def _check_parts(self, spec: EndpointSpec) -> None:
        """Check that the endpoint has the parts of `spec`. When two requests for one name come at once, one of them
        makes the endpoint; the parts of the other are deleted here."""
        found = self._source.describe(spec.name)
        if found is not None and found.config.lower() != spec.parts:
            self._remove_parts(spec.parts)
            self._check_same(spec, found)

    def scale(self, name: str, request: EndpointPatch) -> str:
        """Change the bounds, first in the tags, then in Application Auto Scaling, and the working hours, which are kept
        in the tags alone. Returns the full name.

        On an endpoint that is not in service yet, bounds are registered when it comes into service.
        Raises Missing `endpoint_not_found`, Invalid `bounds_not_valid`, Conflict `endpoint_is_going`, `endpoint_failed`
        or `endpoint_not_ours`.
        """
        details = self._describe(name)
        full = details.endpoint.name
        old = asked_bounds(details, self._source.endpoint_tags(details))
        bounds = Bounds(
            old.least if request.min_instances is None else request.min_instances,
            old.most if request.max_instances is None else request.max_instances,
        )
        check_bounds(bounds)
        if "hours" in request.model_fields_set:
            self._control.tag(details.arn, hours_tags(request.hours.value if request.hours else None))
            self._endpoints.forget()
        if request.min_instances is None and request.max_instances is None:
            return full
        self._control.tag(details.arn, bounds_tags(bounds) | {"darkroom:scaled": str(int(self._clock()))})
        if details.endpoint.serving:
            self._scaling.set_up(full, bounds)
        self._endpoints.forget()
        return full

    def delete(self, name: str) -> bool:
        """Delete an endpoint with its parts and its scaling, and fail its open jobs.

        True when it is gone or being deleted. False when SageMaker is changing it and refuses: it then has a tag, and
        is deleted when SageMaker allows it. For an endpoint that is gone already, whatever is left of it is deleted.
        """
        full = self._endpoints.full_name(name)
        if not NAME.fullmatch(full):
            return True  # No endpoint can have such a name.
        details = self._source.describe(full)
        try:
            if details is None:
                parts = self.parts(older_than=0)
                # An endpoint from before names were in lower case left parts that are called as it was.
                owners = {owner for _, part in parts if (owner := endpoint_of(part.name)) and owner.lower() == full}
                for name in sorted({full, *owners}):
                    self.clear(name, parts)
                return True
            full = details.endpoint.name
            if details.endpoint.status == "Deleting":
                self._fail_open_jobs(full)
                return True
            # The tag comes first: if this function is killed after it, the sweeper finishes the deletion.
            self._control.tag(details.arn, {DELETION_TAG: "true"})
            if details.endpoint.status not in CHANGING and self.remove(details):
                return True
            self._fail_open_jobs(full)
            return False
        finally:
            self._endpoints.forget()

    def reconcile(self, name: str) -> str:
        """Do what an endpoint needs in the state that SageMaker reports now; returns what was done, for the log.

        An endpoint in service gets its scaling, one that somebody deleted is deleted, and of one that is gone all
        leftovers are deleted. The state in the event itself is not used: events arrive twice and out of order.
        """
        if not name.startswith(self._endpoints.full_name("")):
            return "not of this stage"
        details = self._source.describe(name)
        if details is None:
            self.clear(name, self.parts())
            return "cleared"
        if details.endpoint.status == FAILED:
            self.fail_jobs_of_failed(details)
        if details.endpoint.status in CHANGING:
            return "waiting"
        tags = self._source.endpoint_tags(details)
        if tags.deletion_requested:
            return "deleted" if self.remove(details) else "waiting"
        if details.endpoint.status == IN_SERVICE and tags.bounds:
            self._scaling.set_up(name, tags.bounds)
            return "woken" if self._wake(details) else "scaling set up"
        return "left alone"

    def _wake(self, details: EndpointDetails) -> bool:
        """Wake an endpoint that has just fallen asleep while a job came, and could not be woken then."""
        name = details.endpoint.name
        if self._waker is None or not details.sleeps or not self._open_jobs.by_endpoint(fresh=True).get(name):
            return False
        return self._waker().ask(name, "event")

    def parts(self, older_than: float = GRACE_SECONDS) -> list[OldPart]:
        """Every model and configuration with the stage's prefix that is older than `older_than` seconds."""
        newest = self._clock() - older_than
        return [(kind, part) for kind in PART_KINDS for part in self._source.parts(kind) if part.created <= newest]

    def clear(self, name: str, parts: list[OldPart]) -> None:
        """Delete what is left of an endpoint that is gone: its scaling and those of `parts` that belong to it; its open
        jobs fail. Nothing happens when there is an endpoint of that name again. That is why `parts` must be listed
        before this is called: a part that is listed later may belong to the new endpoint."""
        if self._source.describe(name) is not None:
            return
        self._scaling.remove(name)
        self._fail_open_jobs(name)
        for kind, part in parts:
            if endpoint_of(part.name) == name:
                self.remove_own(kind, part)

    def remove_own(self, kind: PartKind, part: Part) -> None:
        """Delete a part if its tags say that it is this stage's. A part that others made may have a similar name."""
        if self._source.tags(part.arn).get("darkroom:stage") == self._stage:
            self._control.remove_part(kind, part.name)

    def fail_jobs_of_failed(self, details: EndpointDetails) -> None:
        """Fail the open jobs of a failed endpoint. It never runs a job again: DeleteEndpoint is the only operation
        that it allows (API reference, EndpointSummary)."""
        name, why = details.endpoint.name, details.failure or "SageMaker gave no reason."
        self._open_jobs.fail(
            name, "endpoint_failed", f"The endpoint {name} has failed: {why[:500]} Replay the job on another one."
        )

    def remove(self, details: EndpointDetails) -> bool:
        """Delete an endpoint with its parts, and fail its open jobs; False when SageMaker refuses, because it is
        changing the endpoint. Scaling is removed first: Application Auto Scaling would otherwise change an endpoint
        that is being deleted."""
        name = details.endpoint.name
        self._scaling.remove(name)
        try:
            self._control.remove_endpoint(name)
        except Conflict:
            return False
        self._fail_open_jobs(name)
        # A configuration that Darkroom did not make may be used by other endpoints too.
        if endpoint_of(details.config) == name:
            self._remove_parts(details.config)
        return True

    def _remove_parts(self, name: str) -> None:
        for kind in PART_KINDS:
            self._control.remove_part(kind, name)

    def _fail_open_jobs(self, name: str) -> None:
        self._open_jobs.fail(
            name, GONE_CODE, f"The endpoint {name} was deleted before the job was done. Replay it on another one."
        )

    def _describe(self, name: str) -> EndpointDetails:
        details = self._source.describe(self._endpoints.full_name(name))
        if details is None:
            raise not_found(name)
        return details

    def _check_same(self, spec: EndpointSpec, found: EndpointDetails) -> None:
        """Raises Conflict when an endpoint of this name is being deleted, or was made from another request."""
        tags = self._source.endpoint_tags(found)
        status = found.endpoint.status
        if tags.deletion_requested or status == "Deleting":
            raise Conflict(
                "endpoint_is_going",
                f"The endpoint {spec.name!r} is being deleted. Wait until GET /endpoints lists it no more, "
                "or take another name.",
            )
        if found.config.lower() not in {spec.parts, *spec.earlier} or tags.first_bounds != spec.tags["darkroom:asked"]:
            raise Conflict(
                "endpoint_exists",
                f"There is an endpoint {spec.name!r} already, made differently, or before the stage got another "
                f"worker ({status}, {', '.join(tags.instance_types)}). PATCH changes its bounds; for anything else "
                "delete it, or take another name.",
            )


def asked_bounds(details: EndpointDetails, tags: EndpointTags) -> Bounds:
    """The bounds that were asked for of an endpoint that people may still change. Raises Conflict `endpoint_is_going`,
    `endpoint_failed` or `endpoint_not_ours` for any other."""
    full, status = details.endpoint.name, details.endpoint.status
    if tags.deletion_requested or status == "Deleting":
        raise Conflict("endpoint_is_going", f"The endpoint {full!r} is being deleted.")
    if status == FAILED:
        raise Conflict("endpoint_failed", f"The endpoint {full!r} has failed. Delete it and make another.")
    if tags.bounds is None:
        raise Conflict(
            "endpoint_not_ours",
            f"The endpoint {full!r} was not made by Darkroom, so its scaling is left to who made it.",
        )
    return tags.bounds
