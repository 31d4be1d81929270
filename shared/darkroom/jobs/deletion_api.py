"""What `POST /jobs/delete` and `/jobs/deletions` take and answer."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, create_model, model_validator

from darkroom.jobs.filters import FILTERS, PARAMETERS, Filters
from darkroom.jobs.ports import Deletion
from darkroom.jobs.state import DeletionStatus

MOST_IDS = 100


def _listed(value: object) -> object:
    """One word or number stands for a list of one."""
    return [value] if isinstance(value, str | int) else value


class _Range(BaseModel):
    """The filters of `GET /jobs`, and `all` to delete every job."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, serialize_by_alias=True)

    from_: Annotated[str | None, Field(alias="from", description="ISO 8601")] = None
    to: Annotated[str | None, Field(description="ISO 8601; a bare date includes its whole day")] = None
    all: Annotated[bool, Field(strict=True, description="true to delete every job, without any condition")] = False

    def filters(self) -> Filters:
        """The filters of the table, as they are given."""
        return Filters(**{name: getattr(self, name) for name in FILTERS})


def _taken(name: str) -> Any:
    parameter = PARAMETERS[name]
    return Annotated[parameter, BeforeValidator(_listed)] if "list" in str(parameter) else parameter


if TYPE_CHECKING:
    DeletionFilters = _Range
else:
    # The fields of the table of filters come with it: a new filter is one here, too.
    DeletionFilters = create_model(
        "DeletionFilters", __base__=_Range, __doc__=_Range.__doc__, **{name: (_taken(name), None) for name in FILTERS}
    )


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
