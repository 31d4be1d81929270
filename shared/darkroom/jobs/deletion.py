"""Deleting many jobs: those that a request names, at once, and those that filters find, in steps behind a queue.

A deletion takes no job that was made after it: jobs have ids that rise with time, and its own id is one of them. Its
steps are in `deletion_steps`.
"""

import time
from collections.abc import Callable
from dataclasses import replace

from darkroom import ids
from darkroom.checkpoints.resolver import ModelResolver
from darkroom.endpoints.service import Endpoints
from darkroom.errors import Busy, FieldError, Invalid, Malformed, Missing
from darkroom.idempotency import Idempotency, idempotency, reused
from darkroom.jobs.api import HistoryQuery
from darkroom.jobs.deletion_api import DeletedJob, DeletedJobs, DeleteIn, DeletionFilters, DeletionOut, deletion_out
from darkroom.jobs.deletion_steps import leave
from darkroom.jobs.filters import Filters
from darkroom.jobs.model import JobLine
from darkroom.jobs.ports import Deletion, DeletionStore, JobStore, Noted
from darkroom.jobs.query import filters_of, named
from darkroom.jobs.removal import Removal, Removed
from darkroom.steps import FALLBACK_DELAY, StepQueue
from darkroom.times import moment, precise

AT_ONCE_SECONDS = 18.0
"""No further job of a request is begun after this: API Gateway gives up after 29 seconds."""
KEPT_SECONDS = 30 * 86_400
"""How long the row of a deletion is kept."""
INDEX_DELAY = 2
"""Seconds that the first step waits: an index of DynamoDB may lag behind its table for a moment."""


class Deletions:
    """Deletions of many jobs."""

    def __init__(
        self,
        store: DeletionStore,
        jobs: JobStore,
        removal: Removal,
        queue: StepQueue,
        resolver: ModelResolver,
        endpoints: Endpoints,
        clock: Callable[[], float] = time.time,
        new_id: Callable[[], str] = ids.new_id,
    ) -> None:
        """`clock` gives epoch seconds."""
        self._store = store
        self._jobs = jobs
        self._removal = removal
        self._queue = queue
        self._resolver = resolver
        self._endpoints = endpoints
        self._clock = clock
        self._new_id = new_id

    def delete(
        self, owner: str, request: DeleteIn, idempotency_key: str | None = None, scope: str | None = None
    ) -> DeletedJobs | DeletionOut:
        """Delete the jobs that the request names, or begin a deletion of those that its filters find.

        `scope` is the one owner whose jobs may be touched, None for all. Raises Invalid.
        """
        used = idempotency(owner, idempotency_key, request, self._clock()) if idempotency_key else None
        if request.filters is not None:
            return self._begin(owner, request.filters, used, scope)
        return self._delete_named([_id_of(text) for text in request.ids or ()], used, scope)

    def get(self, deletion_id: str, scope: str | None = None) -> DeletionOut:
        """How far a deletion is. `scope` is the one owner whose deletions may be seen, None for all. Raises Missing
        `deletion_not_found`."""
        return deletion_out(self._find(deletion_id, scope))

    def stop(self, deletion_id: str, scope: str | None = None) -> DeletionOut:
        """End a running deletion; a step that is under way stops before its next page. One that has ended stays as it
        is. Raises Missing `deletion_not_found`."""
        found = self._find(deletion_id, scope)
        if found.status == "running":
            found = self._store.stop(deletion_id, precise(moment(self._clock()))) or found
        return deletion_out(found)

    def _delete_named(self, asked: list[str], used: Idempotency | None, scope: str | None) -> DeletedJobs:
        """With an idempotency key, the jobs that are there are noted before any is deleted: a repeat, whose first
        answer was lost, tells the same."""
        job_ids = list(dict.fromkeys(asked))

        def may_touch(line: JobLine) -> bool:
            return scope in (None, line.owner)

        def is_there(job_id: str) -> bool:
            job = self._jobs.get(job_id) if ids.is_id(job_id) else None
            return job is not None and may_touch(job.line)

        noted = frozenset[str]()
        if used:
            there = self._removal.each(is_there, job_ids)
            found = tuple(job_id for job_id, is_found in zip(job_ids, there, strict=True) if is_found)
            noted = frozenset(self._note(used, "", found).jobs)
        real = [job_id for job_id in job_ids if ids.is_id(job_id)]
        removed = self._removal.remove_each(real, may_touch, AT_ONCE_SECONDS)
        nothing = Removed("gone")
        return DeletedJobs(jobs=[_outcome(job_id, removed.get(job_id, nothing), job_id in noted) for job_id in job_ids])

    def _begin(self, owner: str, asked: DeletionFilters, used: Idempotency | None, scope: str | None) -> DeletionOut:
        """Write the row and leave the first step. A step that comes later is left before the row is written, as a
        safety net: whatever breaks off after the row is there, the deletion goes on and comes to its end."""
        filters = named(_filters(asked), self._resolver, self._endpoints)
        deletion_id = self._new_id()
        if used:
            # A repeat goes on with the deletion of the first request, so it takes no job that was made since.
            deletion_id = self._note(used, deletion_id, ()).deletion
            if made := self._store.find(deletion_id):
                return deletion_out(made)
        filters = _within(replace(filters, high=min(filters.high, ids.before(deletion_id))), scope)
        now = self._clock()
        row = Deletion(
            id=deletion_id,
            owner=owner,
            asked=asked.model_dump(mode="json", exclude_unset=True),
            filters=filters,
            started_at=precise(moment(now)),
            stepped_at=precise(moment(now)),
            expires_at=int(now) + KEPT_SECONDS,
            below=filters.high,
        )
        leave(self._queue, row, FALLBACK_DELAY)
        if not self._store.create(row):
            return self.get(deletion_id)
        try:
            leave(self._queue, row, INDEX_DELAY)
        except Busy:
            # The safety net begins it within a minute.
            return deletion_out(row)
        return deletion_out(row)

    def _note(self, used: Idempotency, deletion: str, jobs: tuple[str, ...]) -> Noted:
        noted = self._store.note(used, deletion, jobs)
        if noted.digest != used.digest:
            raise reused()
        return noted

    def _find(self, deletion_id: str, scope: str | None) -> Deletion:
        found = self._store.find(deletion_id) if ids.is_id(deletion_id) else None
        if found is None or scope not in (None, found.owner):
            raise Missing("deletion_not_found", f"There is no deletion {deletion_id[:64]!r}.")
        return found


def _id_of(text: str) -> str:
    """The id in an id or in a label of the history."""
    return text.strip().rpartition("->")[2]


def _outcome(job_id: str, removed: Removed, was_there: bool) -> DeletedJob:
    if removed.outcome == "deleted" or (removed.outcome == "gone" and was_there):
        return DeletedJob(id=job_id, outcome="deleted", reason=None)
    if removed.outcome == "failed":
        return DeletedJob(id=job_id, outcome="failed", reason=removed.reason)
    if removed.outcome == "left":
        return DeletedJob(id=job_id, outcome="failed", reason="It was not reached in time; send it again.")
    return DeletedJob(id=job_id, outcome="not_found", reason=None)


def _filters(asked: DeletionFilters) -> Filters:
    """What the filters of a body mean. Raises Invalid, also for a deletion of everything that does not say so."""
    try:
        given = asked.filters()
        if not (given.q or "").split():
            # Words that are none find every job.
            given = replace(given, q=None)
        filters = filters_of(HistoryQuery(filters=given, from_=asked.from_, to=asked.to))
    except Malformed as wrong:
        errors = tuple(FieldError(("body", "filters", *error.loc[1:]), error.msg) for error in wrong.errors)
        raise Invalid(wrong.code, wrong.detail, errors) from wrong
    bounded = (filters.low, filters.high) != (ids.LOWEST, ids.HIGHEST)
    unconditional = not (bounded or filters.compared_by_dynamodb or filters.compared_here)
    if unconditional != asked.all:
        why = (
            'have no condition and would find every job: say {"all": true} if that is meant'
            if unconditional
            else "have both `all` and conditions: give one or the other"
        )
        raise Invalid("invalid_request", f"The filters {why}.", (FieldError(("body", "filters"), why),))
    return filters


def _within(filters: Filters, scope: str | None) -> Filters:
    """The filters, for jobs of `scope` alone; another owner's jobs are not found."""
    if scope is None:
        return filters
    if filters.owner not in (None, scope):
        return replace(filters, owner=scope, low=ids.HIGHEST, high=ids.LOWEST)
    return replace(filters, owner=scope)
