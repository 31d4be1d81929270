"""Waiting for a job on the terminal."""

from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.text import Text

from darkroom_client import waits

if TYPE_CHECKING:
    from darkroom_client import Darkroom
    from darkroom_client.answers import Job


def settled(darkroom: "Darkroom", job_id: str, minutes: float) -> "Job":
    """Wait for the end of a job, at most so many minutes, and say meanwhile what it is doing; returns the job. Raises
    TimeoutError when it has not ended."""
    # On the error stream: the standard output has the paths of pictures alone, for programs.
    console = Console(stderr=True)
    if console.is_terminal:
        with console.status("Waiting …") as shown:
            return darkroom.settled(job_id, minutes * 60, lambda job: shown.update(Text(doing(job))))
    told: list[str] = []

    def tell(job: "Job") -> None:
        line = waits.doing(job)
        if told[-1:] != [line]:
            told.append(line)
            typer.echo(f"{job_id}: {line}", err=True)

    return darkroom.settled(job_id, minutes * 60, tell)


def doing(job: "Job") -> str:
    """What an open job is doing, and how much of it is done, in a line."""
    done = "" if job["progress"] is None else f" {job['progress']:.0%} is done."
    return waits.doing(job) + done
