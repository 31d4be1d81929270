"""What `POST /jobs/delete` and `/jobs/deletions` take and answer."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from darkroom.jobs.ports import Deletion, DeletionStatus
from darkroom.jobs.state import Status
from darkroom.jobs.types import JobType

MOST_IDS = 100

Name = Annotated[str, Field(min_length=1, max_length=255)]


def _listed(value: object) -> object:
    """One word stands for a list of one."""
    return [value] if isinstance(value, str) else value


class DeletionFilters(BaseModel):
    """The filters of `GET /jobs`, and `all` for a deletion of every job."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, serialize_by_alias=True)

    type: Annotated[list[JobType], BeforeValidator(_listed)] = []
    status: Annotated[list[Status], BeforeValidator(_listed)] = []
    endpoint: Name | None = None
    checkpoint: Name | None = None
    owner: Name | None = None
    lora: Name | None = None
    q: Annotated[str | None, Field(max_length=500)] = None
    from_: Annotated[str | None, Field(alias="from", description="ISO 8601")] = None
    to: Annotated[str | None, Field(description="ISO 8601; a bare date includes its whole day")] = None
    all: Annotated[bool, Field(strict=True, description="true to delete every job, without any condition")] = False


class DeleteIn(BaseModel):
    """Either `ids`, up to 100 ids or labels of jobs, or `filters`."""

    model_config = ConfigDict(extra="forbid")

    ids: Annotated[
        list[Annotated[str, StringConstraints(min_length=1, max_length=200)]] | None,
        Field(min_length=1, max_length=MOST_IDS, description="ids or labels of jobs"),
    ] = None
    filters: DeletionFilters | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "DeleteIn":
        if (self.ids is None) == (self.filters is None):
            raise ValueError("give either `ids` or `filters`")
        return self


class DeletedJob(BaseModel):
    """What became of one job; `reason` says why it failed."""

    id: str
    outcome: Literal["deleted", "not_found", "failed"]
    reason: str | None


class DeletedJobs(BaseModel):
    """What became of each job that was named, in the order of the request. What failed can be sent again."""

    jobs: list[DeletedJob]


class DeletionOut(BaseModel):
    """How far a deletion by filters is. `reason` says why it failed, or what it waits for; `failed` counts the jobs in
    `failures`, which could not be deleted. It is kept for a month."""

    id: str
    status: DeletionStatus
    owner: str
    filters: dict[str, Any]
    deleted: int
    failed: int
    failures: list[DeletedJob]
    reason: str | None
    started_at: str
    ended_at: str | None


def deletion_out(deletion: Deletion) -> DeletionOut:
    """A deletion as the API shows it."""
    failures = [DeletedJob(id=job_id, outcome="failed", reason=why) for job_id, why in deletion.failures.items()]
    return DeletionOut(
        id=deletion.id,
        status=deletion.status,
        owner=deletion.owner,
        filters=deletion.asked,
        deleted=deletion.deleted,
        failed=len(failures),
        failures=failures,
        reason=deletion.reason,
        started_at=deletion.started_at,
        ended_at=deletion.ended_at,
    )
