"""`darkroom jobs cancel | replay`."""

from typing import Annotated

import typer

from panel.console import KeyFile, Url, connected, friendly

app = typer.Typer(help="Jobs: cancel them, submit them anew.", no_args_is_help=True)

JobId = Annotated[str, typer.Argument(metavar="JOB", help="The job's id.")]


@app.command()
def cancel(job_id: JobId, url: Url = None, key_file: KeyFile = None) -> None:
    """End an open job, and stop its worker."""
    with friendly(), connected(url, key_file) as darkroom:
        job = darkroom.cancel(job_id)
    typer.echo(job.label)


@app.command()
def replay(job_id: JobId, url: Url = None, key_file: KeyFile = None) -> None:
    """Submit a job anew with the same inputs; prints the new job's label."""
    with friendly(), connected(url, key_file) as darkroom:
        job = darkroom.replay(job_id)
    typer.echo(job.label)
