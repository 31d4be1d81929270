"""`darkroom jobs list | show | get | edit | cancel | replay | delete | deletion`."""

from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from darkroom_cli import console
from darkroom_cli.console import AsJson, KeyFile, Url, Yes, confirmed, connected, print_json, reported_errors
from darkroom_cli.filters import filtered

app = typer.Typer(help="Jobs: their history, their pictures, and ending them.", no_args_is_help=True)

DEFAULT_LIMIT = 20
PAGE_SIZE = 100


def id_of(text: str) -> str:
    """The job's id in a text: an id, or a label as the history prints it (`<time>-><type>-><status>-><id>`)."""
    return text.strip().rpartition("->")[2]


JobId = Annotated[str, typer.Argument(metavar="JOB", parser=id_of, help="A job's id, or its label in quotes.")]
JobIds = Annotated[list[str], typer.Argument(metavar="JOB", parser=id_of, help="Ids of jobs, or labels in quotes.")]


@app.command("list")
@filtered
def list_(
    filters: dict[str, Any],
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, help=f"How many at most; {DEFAULT_LIMIT} without it.", show_default=False),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    as_json: AsJson = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="As a file for spreadsheets: all of them, unless --limit says how many.")
    ] = False,
    url: Url = None,
    key_file: KeyFile = None,
) -> None:
    """List jobs, newest first."""
    with reported_errors(), connected(url, key_file) as darkroom:
        from darkroom_cli import history
        from darkroom_client import Failure

        if (as_json and as_csv) or (everything and limit):
            raise Failure("--json and --csv exclude each other, and so do --all and --limit.")
        most = limit or (None if everything or as_csv else DEFAULT_LIMIT)
        if as_csv:
            rows = darkroom.history_rows(**filters, limit=min(PAGE_SIZE, most or PAGE_SIZE))
            history.write_csv(rows, most)
            return
        # One line more is read, to know whether there are more.
        to_read = None if most is None else most + 1
        lines = list(islice(darkroom.history(**filters, limit=min(PAGE_SIZE, to_read or PAGE_SIZE)), to_read))
        console.show(lines[:most], history.cells, history.table_of, "No jobs.", as_json)
        if most is not None and len(lines) > most:
            typer.echo(f"There are more than these {most}; --all shows them.", err=True)


@app.command()
def show(job_id: JobId, as_json: AsJson = False, url: Url = None, key_file: KeyFile = None) -> None:
    """Show all fields of a job."""
    with reported_errors(), connected(url, key_file) as darkroom:
        from darkroom_cli import history

        job = darkroom.job(job_id)
        if as_json:
            print_json(job)
        else:
            history.show(job)


@app.command()
def get(
    job_ids: JobIds,
    folder: Annotated[Path, typer.Option("--to", help="The folder to save them in.")] = Path(),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there already.")] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until the job has ended, and say what it is doing.")
    ] = False,
    timeout: Annotated[float, typer.Option("--timeout", min=0, help="How many minutes to wait at most.")] = 30,
    url: Url = None,
    key_file: KeyFile = None,
) -> None:
    """Save the pictures of jobs as <id>-1.png and so on, and print where they are."""
    stopped = "Stopped waiting; the job goes on in the cloud." if wait else "Stopped."
    with reported_errors(stopped), connected(url, key_file) as darkroom:
        from darkroom_cli import waiting
        from darkroom_client import Failure

        for job_id in job_ids:
            job = waiting.settled(darkroom, job_id, timeout) if wait else darkroom.job(job_id)
            if not job["images"]:
                why = f": {job['error']['message']}" if job["error"] else ""
                raise Failure(f"The job {job_id} has no pictures; its status is {job['status']}{why}")
            for path in darkroom.save_pictures(job, folder, overwrite):
                typer.echo(path)


@app.command()
def cancel(job_id: JobId, url: Url = None, key_file: KeyFile = None) -> None:
    """End an open job, and stop its worker; prints its label."""
    with reported_errors(), connected(url, key_file) as darkroom:
        typer.echo(darkroom.cancel(job_id)["label"])


@app.command()
def replay(job_id: JobId, url: Url = None, key_file: KeyFile = None) -> None:
    """Submit a job again with the same inputs; prints the new job's label."""
    with reported_errors(), connected(url, key_file) as darkroom:
        typer.echo(darkroom.replay(job_id)["label"])


@app.command()
def edit(
    job_id: JobId,
    title: Annotated[str | None, typer.Option("--title", help='A title; "" takes it away.')] = None,
    rating: Annotated[
        int | None, typer.Option("--rating", min=0, max=5, help="A rating, 1 to 5; 0 takes it away.")
    ] = None,
    tags: Annotated[
        list[str] | None, typer.Option("--tag", help="A tag, in place of those it has; may repeat.")
    ] = None,
    no_tags: Annotated[bool, typer.Option("--no-tags", help="Take all tags away.")] = False,
    url: Url = None,
    key_file: KeyFile = None,
) -> None:
    """Change the title, rating or tags of a job; prints its label."""
    with reported_errors(), connected(url, key_file) as darkroom:
        from darkroom_client import Failure

        if tags and no_tags:
            raise Failure("--tag and --no-tags exclude each other.")
        given = {"title": title, "rating": rating, "tags": [] if no_tags else tags or None}
        changes = {name: value or None for name, value in given.items() if value is not None}
        if not changes:
            raise Failure("Say what to change: --title, --rating, --tag or --no-tags.")
        typer.echo(darkroom.edit(job_id, **changes)["label"])


@app.command("delete")
@filtered
def delete(
    filters: dict[str, Any],
    job_ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[JOB]...", parser=id_of, help="Ids of jobs, or labels in quotes.", show_default=False),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every job there is.")] = False,
    yes: Yes = False,
    url: Url = None,
    key_file: KeyFile = None,
) -> None:
    """Delete jobs and the pictures they made: those that are named, or all that filters find.

    With filters it goes on in the cloud after Ctrl-C; jobs made after it began are not deleted.
    """
    with reported_errors(), connected(url, key_file) as darkroom:
        from darkroom_cli import deletions as told
        from darkroom_client import Failure, deletions

        if [bool(job_ids), bool(filters), everything].count(True) != 1:
            raise Failure("Name jobs, or say which with filters as in --status fail, or say --all: one of the three.")
        if not yes and not confirmed(told.question(job_ids or [], filters)):
            raise Failure("Nothing was deleted.")
        if job_ids:
            told.tell_each(deletions.delete_named(darkroom, job_ids))
            return
        begun = deletions.begin(darkroom, **(filters or {"all": True}))
        typer.echo(f"Deletion {begun['id']} has begun.", err=True)
        told.follow(deletions.watch(darkroom, begun), begun["id"])


@app.command()
def deletion(
    deletion_id: Annotated[str, typer.Argument(metavar="DELETION", help="The id that `delete` printed.")],
    stop: Annotated[bool, typer.Option("--stop", help="Stop it; what is deleted stays deleted.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Follow it until it has ended.")] = False,
    as_json: AsJson = False,
    url: Url = None,
    key_file: KeyFile = None,
) -> None:
    """Tell how far a deletion by filters is, or stop it."""
    with reported_errors(), connected(url, key_file) as darkroom:
        from darkroom_cli import deletions as told
        from darkroom_client import deletions

        found = deletions.stop(darkroom, deletion_id) if stop else deletions.find(darkroom, deletion_id)
        if as_json:
            print_json(found)
        elif wait:
            told.follow(deletions.watch(darkroom, found), found["id"])
        else:
            told.conclude(found)
