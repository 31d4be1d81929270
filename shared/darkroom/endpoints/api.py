"""What `/endpoints` takes and answers."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from darkroom.endpoints.service import EndpointView

Instances = Annotated[int, Field(strict=True, ge=0, le=100)]
ShortName = Annotated[
    str,
    Field(
        pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9])*$",
        max_length=63,
        description="the stage's prefix is put before it where it is not there",
    ),
]


class EndpointIn(BaseModel):
    """An endpoint to make. What is left out comes from the stage's settings; with `min_instances` 0 it goes to
    sleep when it has nothing to do, and the next job wakes it."""

    model_config = ConfigDict(extra="forbid")

    name: ShortName | None = None
    instance_type: Annotated[str, Field(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$", max_length=64)] | None = None
    image: Annotated[str, Field(pattern=r"^\S+$", max_length=255, description="the worker's container")] | None = None
    min_instances: Instances = 0
    max_instances: Annotated[int, Field(strict=True, ge=1, le=100)] = 1
    jobs_at_once: Annotated[int, Field(strict=True, ge=1, le=16, description="on each instance")] = 1


class EndpointPatch(BaseModel):
    """New bounds; one that is left out stays."""

    model_config = ConfigDict(extra="forbid")

    min_instances: Instances | None = None
    max_instances: Annotated[int, Field(strict=True, ge=1, le=100)] | None = None


class EndpointOut(BaseModel):
    """An endpoint. `status` is SageMaker's word, since `modified_at`; `usable` is true only when it is InService.

    `instances` run, `wanted_instances` are to run. `min_instances` and `max_instances` are null for an endpoint that
    was made by other hands; `scaling` tells whether they are registered. `deleting` is true once somebody deleted it.
    """

    name: str
    status: str
    usable: bool
    created_at: str
    modified_at: str
    instance_type: str | None
    image: str | None
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
    def of(cls, shown: EndpointView) -> "EndpointOut":
        """The endpoint as the API shows it."""
        described, endpoint, bounds = shown.described, shown.endpoint, shown.bounds
        return cls(
            name=endpoint.name,
            status=endpoint.status,
            usable=endpoint.usable,
            created_at=endpoint.created_at,
            modified_at=endpoint.modified_at,
            instance_type=shown.made.instance_type,
            image=described.image,
            instances=described.current,
            wanted_instances=described.wanted,
            min_instances=bounds.least if bounds else None,
            max_instances=bounds.most if bounds else None,
            scaling=shown.scaling,
            open_jobs=shown.open_jobs,
            owner=shown.made.owner,
            failure=described.failure,
            deleting=shown.made.deletion_requested or endpoint.status == "Deleting",
        )


class EndpointList(BaseModel):
    """Endpoints, newest first."""

    endpoints: list[EndpointOut]
