"""What `/endpoints` takes and answers."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from darkroom.endpoints.service import EndpointView
from darkroom.engines.model import EngineName

Instances = Annotated[int, Field(strict=True, ge=0, le=100)]
ShortName = Annotated[
    str,
    Field(
        pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9])*$",
        max_length=63,
        description="the stage's prefix is put before it when it is missing; it becomes lower case, for to SageMaker "
        "names that differ only in case are the same",
    ),
]
InstanceType = Annotated[str, Field(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$", max_length=64)]


def _distinct(types: list[str]) -> list[str]:
    if len(set(types)) < len(types):
        raise ValueError("names a type twice")
    return types


class EndpointIn(BaseModel):
    """An endpoint to make. What is left out comes from the stage: its worker, and the `instance_type` that suits the
    `engine`. `instance_types` names several in its place. With `min_instances` 0 the endpoint sleeps (has no instances)
    when it has no jobs, and the next job wakes it."""

    model_config = ConfigDict(extra="forbid")

    name: ShortName | None = None
    instance_type: InstanceType | None = None
    instance_types: (
        Annotated[
            list[InstanceType],
            Field(
                min_length=1,
                max_length=5,
                description="in order of preference: a type is taken while those before it are not to be had",
            ),
            AfterValidator(_distinct),
        ]
        | None
    ) = None
    image: (
        Annotated[
            str,
            Field(
                pattern=r"^\S+$", max_length=255, description="a container of your own, in place of the stage's worker"
            ),
        ]
        | None
    ) = None
    min_instances: Instances = 0
    max_instances: Annotated[int, Field(strict=True, ge=1, le=100)] = 1
    jobs_at_once: Annotated[int, Field(strict=True, ge=1, le=16, description="on each instance")] = 1
    engine: Annotated[
        EngineName | None,
        Field(
            description="what the container paints with, if it is Darkroom's worker; `preview` needs no GPU, and "
            "where the stage has the package of the worker the default is what that can. Jobs that the engine does not "
            "take are refused before the endpoint wakes for them"
        ),
    ] = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "EndpointIn":
        if self.instance_type and self.instance_types:
            raise ValueError("give either `instance_type` or `instance_types`, not both")
        return self

    @property
    def types(self) -> tuple[str, ...]:
        """The instance types that it names, the preferred one first."""
        return tuple(self.instance_types or ([self.instance_type] if self.instance_type else []))


class InstancesOut(BaseModel):
    """How many instances of a type run."""

    instance_type: str
    instances: int


class EndpointPatch(BaseModel):
    """New bounds of the number of instances; one that is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    min_instances: Instances | None = None
    max_instances: Annotated[int, Field(strict=True, ge=1, le=100)] | None = None


class EndpointOut(BaseModel):
    """An endpoint. `status` is SageMaker's own word, and it changed at `modified_at`. `usable` is true only when the
    status is InService.

    `instances` are running, `wanted_instances` shall run. `instance_types` says of each type, in order of preference,
    how many run; `instance_type` is the first of them. `min_instances` and `max_instances` are null for an endpoint
    that was not made by Darkroom. `scaling` says whether the two are registered with Application Auto Scaling.
    `deleting` is true once somebody deleted the endpoint.
    """

    name: str
    status: str
    usable: bool
    created_at: str
    modified_at: str
    instance_type: str | None
    instance_types: list[InstancesOut]
    image: str | None
    engine: str | None
    instances: int
    wanted_instances: int
    min_instances: int | None
    max_instances: int | None
    scaling: bool
    open_jobs: int
    owner: str | None
    failure: str | None
    deleting: bool

    @classmethod
    def of(cls, view: EndpointView) -> "EndpointOut":
        """The answer for an endpoint."""
        details, endpoint, bounds = view.details, view.endpoint, view.bounds
        return cls(
            name=endpoint.name,
            status=endpoint.status,
            usable=endpoint.usable,
            created_at=endpoint.created_at,
            modified_at=endpoint.modified_at,
            instance_type=view.tags.instance_type,
            instance_types=[InstancesOut(instance_type=name, instances=n) for name, n in view.running.items()],
            image=details.image,
            engine=view.tags.engine,
            instances=details.current,
            wanted_instances=details.desired,
            min_instances=bounds.least if bounds else None,
            max_instances=bounds.most if bounds else None,
            scaling=view.scaling,
            open_jobs=view.open_jobs,
            owner=view.tags.owner,
            failure=details.failure,
            deleting=view.tags.deletion_requested or endpoint.status == "Deleting",
        )


class EndpointList(BaseModel):
    """Endpoints, newest first."""

    endpoints: list[EndpointOut]
