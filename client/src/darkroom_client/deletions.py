"""Deleting many jobs."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

from darkroom_client.answers import DeletedJob, DeletedJobs, Deletion
from darkroom_client.client import Darkroom, expect, without_none

AT_ONCE = 100
"""Jobs that one request may name."""


def delete_named(darkroom: Darkroom, jobs: Sequence[str]) -> Iterator[DeletedJob]:
    """Delete jobs by their ids or labels, a hundred a request; yields what became of each."""
    for start in range(0, len(jobs), AT_ONCE):
        body = {"ids": list(jobs[start : start + AT_ONCE])}
        yield from expect(DeletedJobs, darkroom.request("POST", "/jobs/delete", json=body))["jobs"]


def begin(darkroom: Darkroom, idempotency_key: str | None = None, **filters: Any) -> Deletion:
    """Begin to delete all jobs that filters find, as `GET /jobs` takes them, with `from_` for `from`; `all=True` for
    every job. It goes on in the cloud, whatever becomes of this program."""
    body = {"filters": without_none({name.rstrip("_"): value for name, value in filters.items()})}
    answer = darkroom.request("POST", "/jobs/delete", json=body, idempotency_key=idempotency_key)
    return expect(Deletion, answer)


def find(darkroom: Darkroom, deletion_id: str) -> Deletion:
    """How far a deletion is."""
    return expect(Deletion, darkroom.request("GET", f"/jobs/deletions/{deletion_id}"))


def stop(darkroom: Darkroom, deletion_id: str) -> Deletion:
    """Stop a deletion. What is deleted stays deleted; one that has ended stays as it is."""
    return expect(Deletion, darkroom.request("POST", f"/jobs/deletions/{deletion_id}/stop"))


def watch(darkroom: Darkroom, deletion: Deletion, seconds: float = 2.0) -> Iterator[Deletion]:
    """The deletion as it goes on, looked at every so many seconds, until it has ended."""
    yield deletion
    while deletion["status"] == "running":
        time.sleep(seconds)
        deletion = find(darkroom, deletion["id"])
        yield deletion
