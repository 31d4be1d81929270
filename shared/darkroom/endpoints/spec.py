"""From a request to the endpoint that is to be made: its names, its parts and its tags."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass

from darkroom.endpoints.api import EndpointIn
from darkroom.endpoints.model import ENGINE_TAG, Bounds, EndpointSpec, bounds_tags, bounds_text
from darkroom.errors import FieldError, Invalid

MAX_NAME = 63
"""Characters of a SageMaker name (botocore's service model, EndpointName)."""
_PARTS_SUFFIX = 9
"""Characters that the name of a part has after that of its endpoint: a dash and eight hexadecimal digits."""
_OWN_PART = re.compile(r".+-[0-9a-f]{8}")
_NOT_IN_TAGS = re.compile(r"[^\w\s.:/=+\-@]")


@dataclass(frozen=True)
class Planner:
    """Turns requests into specifications for one stage. `instance_type` and `image` are used for what a request leaves
    out, `full_name` puts the stage's prefix before a name."""

    stage: str
    instance_type: str
    image: str | None
    full_name: Callable[[str], str]

    def spec(self, owner: str, request: EndpointIn) -> EndpointSpec:
        """The endpoint that `owner` requests.

        Raises Invalid `image_missing`, `endpoint_name_too_long` or `bounds_not_valid`.
        """
        image = request.image or self.image
        if image is None:
            raise Invalid(
                "image_missing",
                "Say which container is the worker: `image`, or the setting `worker_image` of the stage.",
                (FieldError(("body", "image"), "is needed, for the stage has no `worker_image`"),),
            )
        instance_type = request.instance_type or self.instance_type
        name = self._name(request.name or _generated_name(owner, request, instance_type, image))
        bounds = Bounds(request.min_instances, request.max_instances)
        check_bounds(bounds)
        # The names of parts contain a digest of their content. A part that exists already is therefore the right one.
        content = f"{instance_type}\n{image}\n{request.jobs_at_once}\n{max(1, bounds.least)}"
        if request.engine is not None:
            content += f"\n{request.engine}"
        return EndpointSpec(
            name=name,
            parts=f"{name}-{hashlib.sha256(content.encode()).hexdigest()[: _PARTS_SUFFIX - 1]}",
            instance_type=instance_type,
            image=image,
            bounds=bounds,
            at_once=request.jobs_at_once,
            tags={
                "darkroom:stage": self.stage,
                "darkroom:owner": _NOT_IN_TAGS.sub("_", owner)[:256],
                "darkroom:asked": bounds_text(bounds),
                **bounds_tags(bounds),
                **({ENGINE_TAG: request.engine} if request.engine else {}),
            },
            engine=request.engine,
        )

    def _name(self, short: str) -> str:
        """The full name; raises Invalid when its parts would have names that are too long."""
        name = self.full_name(short)
        if len(name) > MAX_NAME - _PARTS_SUFFIX:
            most = MAX_NAME - _PARTS_SUFFIX - len(self.full_name(""))
            raise Invalid(
                "endpoint_name_too_long",
                f"The name may have {most} characters in this stage.",
                (FieldError(("body", "name"), f"has more than {most} characters"),),
            )
        return name


def endpoint_of(part: str) -> str | None:
    """The endpoint that a model or a configuration belongs to, by its name; None for one not made by Darkroom."""
    return part[:-_PARTS_SUFFIX] if _OWN_PART.fullmatch(part) else None


def check_bounds(bounds: Bounds) -> None:
    """Raises Invalid `bounds_not_valid` when the minimum is above the maximum."""
    if bounds.least > bounds.most:
        why = f"is {bounds.least}, more than max_instances, which is {bounds.most}"
        raise Invalid(
            "bounds_not_valid",
            f"min_instances {why}.",
            (FieldError(("body", "min_instances"), why),),
        )


def _generated_name(owner: str, request: EndpointIn, instance_type: str, image: str) -> str:
    """A name for a request without one. It depends on the request alone, so that a repeat finds the same endpoint."""
    # Without an engine the name is what it was before requests could say one.
    told = request.model_dump_json(exclude={"engine"} if request.engine is None else None)
    content = f"{owner}\n{told}\n{instance_type}\n{image}"
    return hashlib.sha256(content.encode()).hexdigest()[:12]
