"""`darkroom checkpoints upload | import | list | rename | delete`."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from darkroom_cli.console import (
    AsJson,
    KeyFile,
    Url,
    Yes,
    confirmed,
    connected,
    minute,
    print_json,
    reported_errors,
    screen,
    show,
)
from darkroom_client.answers import Checkpoint, Kind, Purpose

if TYPE_CHECKING:
    from rich.table import Table

app = typer.Typer(help="The model files that jobs can name.", no_args_is_help=True)

For = Annotated[Purpose | None, typer.Option("--for", help="What an engine needs it for, of an engine-file.")]
UPLOAD_STOPPED = "Stopped. The same command goes on where it stopped."


@app.command()
def upload(
    paths: Annotated[list[Path], typer.Argument(metavar="FILE_OR_DIR", help="Model files, or a WebUI's directory.")],
    kind: Annotated[Kind | None, typer.Option("--kind", help="What they are, where no folder tells it.")] = None,
    purpose: For = None,
    called: Annotated[str | None, typer.Option("--as", help="The name on the shelf of a single file.")] = None,
    parallel: Annotated[int, typer.Option("--parallel", min=1, max=32, help="How many parts are sent at once.")] = 4,
    as_json: AsJson = False,
    url: Url = None,
    key_file: KeyFile = None,
) -> None:
    """Upload model files, also from linked folders. An interrupted upload goes on where it stopped.

    Of two files with one name in two folders, each gets its folder before its name.
    """
    with reported_errors(UPLOAD_STOPPED), connected(url, key_file) as darkroom:
        from darkroom_cli import uploads

        selection = uploads.selected(darkroom, paths, kind, called, purpose)
        report = uploads.upload_all(darkroom, selection, parallel, quiet=as_json)
        if as_json:
            print_json(report.as_json())
        else:
            uploads.print_report(report)
        if report.failed:
            raise typer.Exit(1)


@app.command("import")
def import_(
    source: Annotated[str, typer.Argument(metavar="URL", help="A direct https link, or s3://bucket/key.")],
    kind: Annotated[Kind, typer.Option("--kind", help="What it is.")],
    purpose: For = None,
    name: Annotated[
        str | None, typer.Option("--as", "--name", help="Its name on the shelf, if not that of the URL.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it is on the shelf.")] = True,
    url: Url = None,
    key_file: KeyFile = None,
) -> None:
    """Let the cloud fetch a model file; nothing passes through this machine."""
    with reported_errors("Stopped waiting; the import goes on."), connected(url, key_file) as darkroom:
        from darkroom_cli.uploads import check_purpose
        from darkroom_client import Failure, Refused, checkpoints

        check_purpose(kind, purpose)
        try:
            row = checkpoints.import_from(darkroom, source, kind, name, purpose)
        except Refused as refused:
            if name or ["body", "name"] not in [list(error["loc"]) for error in refused.errors]:
                raise
            raise Failure(
                "The URL does not end in a model file's name: say what to call it with --as NAME."
            ) from refused
        typer.echo(f"{row['kind']} {row['name']}: importing")
        if wait:
            with screen().status(f"{row['name']}: importing") as line:
                checkpoints.wait_for_import(
                    darkroom, row, lambda done, size: line.update(_progress_text(row["name"], done, size))
                )
            typer.echo(f"{row['kind']} {row['name']}: imported")


@app.command("list")
def list_(
    kind: Annotated[Kind | None, typer.Option("--kind", help="The kind of model.")] = None,
    q: Annotated[str | None, typer.Option("--q", help="Only names with this in them.")] = None,
    as_json: AsJson = False,
    url: Url = None,
    key_file: KeyFile = None,
) -> None:
    """List model files by kind and name."""
    with reported_errors(), connected(url, key_file) as darkroom:
        from darkroom_client import checkpoints

        rows = list(checkpoints.listed(darkroom, kind, q))
        show(rows, lambda row: (row["kind"], *_cells(row)), table_of, "No model files.", as_json)


@app.command()
def rename(
    kind: Annotated[Kind, typer.Argument(help="The kind of model.")],
    name: Annotated[str, typer.Argument(help="Its file name, with the extension.")],
    to: Annotated[str, typer.Argument(help="Its new file name, with the same extension.")],
    url: Url = None,
    key_file: KeyFile = None,
) -> None:
    """Give a model file another name. Jobs that named it by the old one can be repeated."""
    with reported_errors(), connected(url, key_file) as darkroom:
        from darkroom_client import checkpoints

        row = checkpoints.rename(darkroom, kind, name, to)
        typer.echo(f"{kind} {name} is called {row['name']} now.")


@app.command()
def delete(
    kind: Annotated[Kind, typer.Argument(help="The kind of model.")],
    name: Annotated[str, typer.Argument(help="Its file name, with the extension.")],
    yes: Yes = False,
    url: Url = None,
    key_file: KeyFile = None,
) -> None:
    """Delete a model file from the shelf, or give up its upload."""
    with reported_errors(), connected(url, key_file) as darkroom:
        from darkroom_client import Failure, checkpoints

        if not yes and not confirmed(f"Delete {kind} {name}?"):
            raise Failure("Nothing was deleted.")
        checkpoints.delete(darkroom, kind, name)
        typer.echo(f"Deleted {kind} {name}.")


def table_of(rows: Iterable[Checkpoint]) -> "Table":
    """Model files as a table, a section for each kind."""
    from rich.table import Table
    from rich.text import Text

    table = Table("Kind", "Name", header_style="bold")
    table.add_column("Size", justify="right")
    for header in ("Owner", "When", "Status", "Base model", "Pickle", "For"):
        table.add_column(header)
    by_kind: dict[str, list[Checkpoint]] = {kind: [] for kind in get_args(Kind)}
    for row in rows:
        by_kind.setdefault(row["kind"], []).append(row)
    for kind, of_kind in by_kind.items():
        for position, row in enumerate(of_kind):
            cells = [Text(cell) for cell in _cells(row)]
            cells[0].overflow = "fold"
            cells[4].stylize({"active": "green", "fail": "red"}.get(row["status"], "yellow"))
            cells[6].stylize("yellow")
            table.add_row("" if position else kind, *cells)
        if of_kind:
            table.add_section()
    return table


def _cells(row: Checkpoint) -> tuple[str, ...]:
    from rich.filesize import decimal

    status = f"{row['status']}: {row['reason']}" if row["status"] == "fail" and row["reason"] else row["status"]
    size = "" if row["size"] is None else decimal(row["size"])
    pickle = "pickle" if row["pickle"] else ""
    owner, base_model, purpose = row["owner"] or "", row["base_model"] or "", row["purpose"] or ""
    return (row["name"], size, owner, minute(row["created_at"]), status, base_model, pickle, purpose)


def _progress_text(name: str, done: int, size: int | None) -> str:
    from rich.filesize import decimal

    return f"{name}: {decimal(done)} of {decimal(size)}" if size else f"{name}: looking at the source"
