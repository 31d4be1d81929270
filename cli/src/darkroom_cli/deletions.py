"""Deletions of many jobs on the terminal."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import typer

from darkroom_cli.console import INTERRUPTED, print_error, screen

if TYPE_CHECKING:
    from darkroom_client.answers import DeletedJob, Deletion


def in_words(filters: dict[str, Any]) -> str:
    """Filters as a person reads them: `status fail, to 2026-01-01`."""
    return ", ".join(f"{name} {_value(value)}" for name, value in filters.items())


def tell_each(jobs: Iterable["DeletedJob"]) -> None:
    """A line for each job that was deleted; raises Failure with those that were not."""
    from darkroom_client import Failure

    wrong = []
    for job in jobs:
        if job["outcome"] == "deleted":
            typer.echo(f"Deleted {job['id']}.")
        elif job["outcome"] == "not_found":
            wrong.append(f"There is no job {job['id']} (job_not_found).")
        else:
            wrong.append(f"{job['id']}: {job['reason']}")
    if wrong:
        raise Failure(" ".join(wrong))


def follow(states: Iterable["Deletion"], deletion_id: str) -> None:
    """Tell how far a deletion is until it has ended; Ctrl-C only ends the telling. Raises Failure when it failed."""
    console = screen()
    last: Deletion | None = None
    try:
        with console.status("Deleting …") as shown:
            for last in states:
                line = progress(last)
                shown.update(line)
                if not console.is_terminal:
                    typer.echo(line)
    except KeyboardInterrupt:
        print_error(
            f"The deletion goes on in the cloud. `darkroom jobs deletion {deletion_id}` tells how far it is, and with "
            "--stop it stops."
        )
        raise typer.Exit(INTERRUPTED) from None
    if last is not None:
        conclude(last, told=not console.is_terminal)


def conclude(deletion: "Deletion", told: bool = False) -> None:
    """The line at the end, unless it was told; raises Failure where jobs could not be deleted."""
    from darkroom_client import Failure

    if not told:
        typer.echo(progress(deletion))
    if deletion["status"] == "fail":
        raise Failure(deletion["reason"] or "The deletion failed.")
    if deletion["failures"]:
        raise Failure("Not deleted: " + " ".join(f"{job['id']}: {job['reason']}" for job in deletion["failures"]))


def progress(deletion: "Deletion") -> str:
    """How far a deletion is, in a line."""
    failed = f", {deletion['failed']} could not be" if deletion["failed"] else ""
    why = f" {deletion['reason']}" if deletion["status"] == "running" and deletion["reason"] else ""
    ended = {"running": "", "done": " Done.", "stopped": " Stopped.", "fail": " Failed."}[deletion["status"]]
    jobs = "1 job" if deletion["deleted"] == 1 else f"{deletion['deleted']} jobs"
    return f"{jobs} deleted{failed}.{why}{ended}"


def question(job_ids: Sequence[str], filters: dict[str, Any]) -> str:
    """What a person is asked before anything is deleted."""
    if len(job_ids) == 1:
        return f"Delete the job {job_ids[0]} and its pictures?"
    if job_ids:
        return f"Delete {len(job_ids)} jobs and their pictures?"
    if not filters:
        return "Delete EVERY job and its pictures?"
    return f"Delete every job with {in_words(filters)}, and its pictures?"


def _value(value: Any) -> str:
    return " or ".join(value) if isinstance(value, list) else str(value)
