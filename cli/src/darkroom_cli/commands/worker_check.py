"""`darkroom worker check`: the conformance test of the contract, for anyone's container."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from darkroom_cli.console import AsJson, print_error, print_json, reported_errors, screen, show

if TYPE_CHECKING:
    from darkroom_cli.worker_check.checks import Check, Row
    from darkroom_cli.worker_check.places import Place
    from darkroom_cli.worker_check.session import Options, Session
    from darkroom_cli.worker_check.setup import Files, Where

STOPPED = "Stopped. The rows that were done are not shown."
_S3, _MODELS, _JOBS = "S3 and SQS", "Model files", "Jobs"


def check(
    url: Annotated[str | None, typer.Argument(help="The worker's address, as http://127.0.0.1:8080.")] = None,
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- COMMAND…]", help="Starts the worker, with the variables; it gets SIGTERM."),
    ] = None,
    only: Annotated[list[str] | None, typer.Option("--only", help="Only this row; may repeat.")] = None,
    list_all: Annotated[bool, typer.Option("--list", help="List the rows and what they ask for.")] = False,
    as_json: AsJson = False,
    stop: Annotated[
        str | None, typer.Option("--stop", help="A command that sends SIGTERM: 'docker stop --time 30 NAME'.")
    ] = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds in which the worker must answer /ping.")] = 300,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds that one job may take.")] = 600,
    size: Annotated[int, typer.Option(min=64, max=2048, help="Pixels a side.", rich_help_panel=_JOBS)] = 256,
    steps: Annotated[int, typer.Option(min=1, max=150, help="Steps of a picture.", rich_help_panel=_JOBS)] = 8,
    jobs_at_once: Annotated[
        int, typer.Option(min=1, max=16, help="Jobs side by side: DARKROOM_JOBS_AT_ONCE.", rich_help_panel=_JOBS)
    ] = 1,
    watch: Annotated[
        float, typer.Option(min=1, max=600, help="Seconds before a long job is cancelled.", rich_help_panel=_JOBS)
    ] = 13,
    checkpoint: Annotated[
        str | None, typer.Option(metavar="FILE", help="A file or s3://bucket/key.", rich_help_panel=_MODELS)
    ] = None,
    lora: Annotated[list[str] | None, typer.Option(metavar="FILE", help="May repeat.", rich_help_panel=_MODELS)] = None,
    vae: Annotated[str | None, typer.Option(metavar="FILE", rich_help_panel=_MODELS)] = None,
    engine_file: Annotated[
        list[str] | None,
        typer.Option(metavar="PURPOSE=FILE", help="As interrogate_clip=FILE; may repeat.", rich_help_panel=_MODELS),
    ] = None,
    listen: Annotated[
        str, typer.Option(help="Where S3 and SQS listen on this machine.", rich_help_panel=_S3)
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Their port.", rich_help_panel=_S3)] = 9000,
    address: Annotated[
        str | None, typer.Option(help="How the container calls this machine.", rich_help_panel=_S3)
    ] = None,
    env_file: Annotated[
        Path | None, typer.Option(help="Write the variables there, for docker's --env-file.", rich_help_panel=_S3)
    ] = None,
    bucket: Annotated[str | None, typer.Option(help="Your own bucket instead.", rich_help_panel=_S3)] = None,
    queue: Annotated[str | None, typer.Option(help="The URL of your own queue.", rich_help_panel=_S3)] = None,
    region: Annotated[str | None, typer.Option(help="The bucket's region.", rich_help_panel=_S3)] = None,
    profile: Annotated[str | None, typer.Option(help="A profile of your AWS setup.", rich_help_panel=_S3)] = None,
) -> None:
    """Test whether a container keeps the worker's contract, and print what holds.

    Starts S3 and SQS on this machine, prints the variables for the container, waits for it, and sends it jobs.
    """
    from darkroom_cli.worker_check.session import Options
    from darkroom_cli.worker_check.setup import Files, Where

    chosen = _chosen(only or [])
    if list_all:
        _print_list(chosen, as_json)
        return
    if url is None or not url.startswith(("http://", "https://")):
        print_error("Give the worker's address, as http://127.0.0.1:8080.")
        raise typer.Exit(2)
    where = Where(listen, port, address, bucket, queue, region, profile)
    files = Files(checkpoint, vae, lora or [], engine_file or [])
    options = Options(size, steps, jobs_at_once, watch, model_given=checkpoint is not None)
    with reported_errors(STOPPED):
        rows = _rows(url, command or [], chosen, where, files, options, stop, wait, timeout, env_file)
    _print_rows(rows, url, as_json)


def _chosen(only: Sequence[str]) -> "list[Check]":
    """The checks of these names; all without any."""
    from darkroom_cli.worker_check.checks import all_checks

    known = all_checks()
    names = [each.name for each in known]
    for name in only:
        if name not in names:
            print_error(f"There is no row {name!r}. There are: {', '.join(names)}.")
            raise typer.Exit(1)
    return [each for each in known if not only or each.name in only]


def _rows(
    url: str,
    command: Sequence[str],
    chosen: "list[Check]",
    where: "Where",
    files: "Files",
    options: "Options",
    stop: str | None,
    wait: float,
    timeout: float,
    env_file: Path | None,
) -> "list[Row]":
    """Runs the checks. Raises Failure when they cannot begin, or when S3 does not answer."""
    from darkroom_cli.worker_check import setup
    from darkroom_cli.worker_check.calls import wait_for
    from darkroom_cli.worker_check.places import faults
    from darkroom_client import Failure

    broken = faults()
    try:
        with setup.place(where) as place:
            if env_file:
                env_file.write_text(setup.as_text(setup.variables(place, options)))
            if not command:
                _tell_variables(place, options)
            with setup.session(url, place, options, files, command, stop, timeout) as session:
                _say(f"Waiting up to {wait:.0f} seconds for {url.rstrip('/')}/ping …")
                wait_for(session.worker, wait)
                return _performed(session, chosen)
    except broken as error:
        raise Failure(f"S3 or SQS failed: {error}") from error


def _performed(session: "Session", chosen: "list[Check]") -> "list[Row]":
    from rich.console import Console

    from darkroom_cli.worker_check.checks import performed

    order = [each.name for each in chosen]
    errors = Console(stderr=True)
    with errors.status("") as status:
        rows = []
        for row in performed(session, chosen, lambda each: status.update(f"{each.name}: {each.what}")):
            rows.append(row)
            if errors.is_terminal:
                errors.print(f"{row.outcome:14} {row.name}", highlight=False)
    return sorted(rows, key=lambda row: order.index(row.name))


def _tell_variables(place: "Place", options: "Options") -> None:
    from darkroom_cli.worker_check import setup

    told = setup.variables(place, options)
    _say("Start the worker with these variables:")
    for line in setup.shell_lines(told):
        _say(line)
    _say(f"docker run {setup.docker_options(told)} …")


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _print_list(chosen: "list[Check]", as_json: bool) -> None:
    from darkroom_cli.worker_check import report

    rows = [{"name": each.name, "level": each.level, "what": each.what} for each in chosen]
    show(rows, lambda row: (row["name"], row["level"], row["what"]), lambda _: report.list_of(chosen), "", as_json)


def _print_rows(rows: "list[Row]", url: str, as_json: bool) -> None:
    """Prints the table, and ends with 1 when the worker does not keep the contract."""
    from darkroom_cli.worker_check import report

    good = report.keeps(rows)
    if as_json:
        told = [dataclasses.asdict(row) for row in rows]
        print_json({"worker": url, "keeps_the_contract": good, "rows": told})
    else:
        console = screen()
        if console.is_terminal:
            console.print(report.table_of(rows))
        else:
            for row in rows:
                typer.echo("\t".join(" ".join(cell.split()) for cell in report.cells(row)))
        _say(report.verdict(rows))
    if not good:
        raise typer.Exit(1)
