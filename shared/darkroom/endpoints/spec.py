"""From a request to the endpoint that is to be made: its names, its parts and its tags."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass

from darkroom.endpoints.api import EndpointIn
from darkroom.endpoints.containers import StageWorker, is_ours
from darkroom.endpoints.model import (
    AT_ONCE_TAG,
    ENGINE_TAG,
    Bounds,
    Container,
    EndpointSpec,
    bounds_tags,
    bounds_text,
    hours_tags,
)
from darkroom.engines.model import EngineName
from darkroom.errors import FieldError, Invalid

MAX_NAME = 63
"""Characters of a SageMaker name (botocore's service model, EndpointName)."""
_PARTS_SUFFIX = 9
"""Characters that the name of a part has after that of its endpoint: a dash and eight hexadecimal digits."""
_OWN_PART = re.compile(r".+-[0-9a-f]{8}")
_NOT_IN_TAGS = re.compile(r"[^\w\s.:/=+\-@]")


@dataclass(frozen=True)
class Planner:
    """Turns requests into specifications for one stage. `worker` is used for what a request leaves out, `full_name`
    puts the stage's prefix before a name."""

    stage: str
    worker: StageWorker
    full_name: Callable[[str], str]

    def spec(self, owner: str, request: EndpointIn) -> EndpointSpec:
        """The endpoint that `owner` requests.

        Raises Invalid `image_missing`, `engine_not_packaged`, `instance_type_not_possible`, `instance_types_mixed`,
        `region_unknown`, `endpoint_name_too_long` or `bounds_not_valid`.
        """
        engine = self.worker.engine(request.image, request.engine)
        types = request.types or (self.worker.type_for(None, engine),)
        container = self._container(request, types)
        name = self._name(request.name or _generated_name(owner, request, types, container))
        bounds = Bounds(request.min_instances, request.max_instances)
        check_bounds(bounds)
        hours = request.hours.value if request.hours else None
        parts = _parts(name, request, types, container, engine)
        # Releases before had one default for all engines.
        other_type = _parts(name, request, request.types or (self.worker.instance_type,), container, engine)
        return EndpointSpec(
            name=name,
            parts=parts,
            earlier=frozenset({other_type}) - {parts} if container.package is None else frozenset(),
            instance_type=types[0],
            fallbacks=types[1:],
            container=container,
            bounds=bounds,
            at_once=request.jobs_at_once,
            # While one job is painted, Darkroom's own worker fetches the files of the next.
            waiting=1 if container.package or engine or is_ours(container.image) else 0,
            tags={
                "darkroom:stage": self.stage,
                "darkroom:owner": _NOT_IN_TAGS.sub("_", owner)[:256],
                "darkroom:asked": " ".join([bounds_text(bounds), *([hours.text] if hours else [])]),
                **bounds_tags(bounds),
                AT_ONCE_TAG: str(request.jobs_at_once),
                **({ENGINE_TAG: engine} if engine else {}),
                **(hours_tags(hours) if hours else {}),
            },
            engine=engine,
        )

    def _container(self, request: EndpointIn, types: tuple[str, ...]) -> Container:
        """The container that all of these types run. Raises Invalid `instance_types_mixed` when there is none: a model
        in SageMaker has one image, and a variant one machine image."""
        field = "instance_types" if request.instance_types else "instance_type"
        containers = [self.worker.container(request.image, each, field) for each in types]
        other = next((each for each, own in zip(types, containers, strict=True) if own != containers[0]), None)
        if other is not None:
            why = f"{types[0]} and {other} need different containers: one has a GPU, and the other has none"
            raise Invalid("instance_types_mixed", f"{why}.", (FieldError(("body", field), why),))
        return containers[0]

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


def _parts(
    name: str, request: EndpointIn, types: tuple[str, ...], container: Container, engine: EngineName | None
) -> str:
    """The name of an endpoint's parts, with a digest of their content: a part that exists already is the right one.

    A container of one's own counts as it did in releases before, so that their endpoints are found again.
    """
    counted = [",".join(types), container.image, str(request.jobs_at_once), str(max(1, request.min_instances))]
    content = "\n".join([*counted, *([engine] if engine else []), *container.told[1:]])
    return f"{name}-{hashlib.sha256(content.encode()).hexdigest()[: _PARTS_SUFFIX - 1]}"


def _generated_name(owner: str, request: EndpointIn, types: tuple[str, ...], container: Container) -> str:
    """A name for a request without one. It depends on the request alone, so that a repeat finds the same endpoint."""
    if len(request.types) == 1:
        request = request.model_copy(update={"instance_type": request.types[0], "instance_types": None})
    # What a request leaves out is left out here: the name is then what it was before requests could say it.
    later = {name for name in ("engine", "instance_types", "hours") if getattr(request, name) is None}
    content = "\n".join([owner, request.model_dump_json(exclude=later), ",".join(types), *container.told])
    return hashlib.sha256(content.encode()).hexdigest()[:12]
