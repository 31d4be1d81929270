"""`darkroom checkpoints upload | import | list | delete`."""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table
from rich.text import Text

from darkroom.checkpoints.api import CheckpointOut
from darkroom.checkpoints.model import KINDS, Kind
from panel import uploads
from panel.client import Darkroom, Failure, Refused
from panel.console import AsJson, KeyFile, Url, agreed, complain, connected, friendly, show
from panel.uploads import ModelFile

app = typer.Typer(help="The model files that jobs can name.", no_args_is_help=True)

GOES_ON = "Stopped. The same command goes on where it stopped."

KindOption = Annotated[Kind | None, typer.Option("--kind", help="The kind of model.")]


@app.command()
def upload(
    paths: Annotated[list[Path], typer.Argument(metavar="FILE_OR_DIR", help="Model files, or a WebUI's directory.")],
    kind: Annotated[Kind | None, typer.Option("--kind", help="What they are, where no folder tells it.")] = None,
    parallel: Annotated[int, typer.Option("--parallel", min=1, max=32, help="How many parts are sent at once.")] = 4,
    url: Url = None,
    key_file: KeyFile = None,
) -> None:
    """Upload model files. What was broken off goes on where it stopped."""
    with friendly(GOES_ON), connected(url, key_file) as darkroom:
        plan = uploads.plan(paths, kind)
        failed = len(plan.clashes)
        for file, first in plan.clashes:
            complain(f"{file.path}: not uploaded, as {first.path} has the same kind and name.")
        for file in plan.files:
            failed += not _upload_one(darkroom, file, parallel)
        if failed:
            complain(f"{failed} of {len(plan.files) + len(plan.clashes)} files were not uploaded.")
            raise typer.Exit(1)


@app.command("import")
def import_(
    source: Annotated[str, typer.Argument(metavar="URL", help="A direct https link, or s3://bucket/key.")],
    kind: Annotated[Kind, typer.Option("--kind", help="What it is.")],
    name: Annotated[str | None, typer.Option("--name", help="Its name on the shelf, if not that of the URL.")] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it is on the shelf.")] = True,
    url: Url = None,
    key_file: KeyFile = None,
) -> None:
    """Let the cloud fetch a model file; nothing passes through this machine."""
    with friendly("Stopped waiting; the import goes on."), connected(url, key_file) as darkroom:
        row = uploads.fetch(darkroom, source, kind, name)
        typer.echo(f"{row.kind} {row.name}: importing")
        if wait:
            with Console().status(f"{row.name}: importing") as status:
                uploads.fetched(darkroom, row, lambda done, size: status.update(_so_far(row.name, done, size)))
            typer.echo(f"{row.kind} {row.name}: imported")


@app.command("list")
def list_(
    kind: KindOption = None,
    q: Annotated[str | None, typer.Option("--q", help="Only names with this in them.")] = None,
    as_json: AsJson = False,
    url: Url = None,
    key_file: KeyFile = None,
) -> None:
    """List model files by kind and name."""
    with friendly(), connected(url, key_file) as darkroom:
        rows = list(uploads.listed(darkroom, kind, q))
    show(rows, lambda row: (row.kind, *_cells(row)), table_of, "No model files.", as_json)


@app.command()
def delete(
    kind: Annotated[Kind, typer.Argument(help="The kind of model.")],
    name: Annotated[str, typer.Argument(help="Its file name, with the extension.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    url: Url = None,
    key_file: KeyFile = None,
) -> None:
    """Delete a model file from the shelf, or give up its upload."""
    with friendly("Stopped."), connected(url, key_file) as darkroom:
        if not yes and not agreed(f"Delete {kind} {name}?"):
            raise Failure("Nothing was deleted.")
        uploads.delete(darkroom, kind, name)
    typer.echo(f"Deleted {kind} {name}.")


def table_of(rows: Iterable[CheckpointOut]) -> Table:
    """Model files as a table, a section for each kind."""
    table = Table("Kind", "Name", header_style="bold")
    table.add_column("Size", justify="right")
    for header in ("Owner", "When", "Status", "Base model", "Pickle"):
        table.add_column(header)
    by_kind: dict[str, list[CheckpointOut]] = {kind: [] for kind in KINDS}
    for row in rows:
        by_kind[row.kind].append(row)
    for kind, of_kind in by_kind.items():
        for position, row in enumerate(of_kind):
            cells = [Text(cell) for cell in _cells(row)]
            cells[0].overflow = "fold"
            cells[4].stylize({"active": "green", "fail": "red"}.get(row.status, "yellow"))
            cells[6].stylize("yellow")
            table.add_row("" if position else kind, *cells)
        if of_kind:
            table.add_section()
    return table


def _cells(row: CheckpointOut) -> tuple[str, ...]:
    status = f"{row.status}: {row.reason}" if row.status == "fail" and row.reason else row.status
    when = (row.created_at or "")[:16].replace("T", " ")
    size = "" if row.size is None else decimal(row.size)
    return (row.name, size, row.owner or "", when, status, row.base_model or "", "pickle" if row.pickle else "")


def _upload_one(darkroom: Darkroom, file: ModelFile, parallel: int) -> bool:
    """Whether the file is on the shelf now. A problem that every file would have is raised."""
    try:
        with _watching() as watcher:
            outcome = uploads.upload(darkroom, file, watcher, parallel)
    except Refused as refused:
        if refused.status in (401, 403):
            raise
        complain(f"{file.path}: {refused.detail} ({refused.code})")
        return False
    except (Failure, OSError) as error:
        complain(str(error))
        return False
    typer.echo(f"{file.kind} {file.name}: {outcome}")
    return True


@contextmanager
def _watching() -> Iterator[uploads.Watcher]:
    """A progress bar for a terminal, plain lines for anything else."""
    console = Console()
    if not console.is_terminal:
        yield Lines()
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        yield Bar(progress)


class Bar:
    """One file's progress as a bar with speed and time left."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None
        self._lock = threading.Lock()

    def begin(self, file: ModelFile, size: int, stored: int) -> None:
        """Show the bar."""
        self._task = self._progress.add_task(file.name, total=size)

    def sent(self, count: int) -> None:
        """Move the bar; the speed is that of what was sent."""
        with self._lock:
            if self._task is not None:
                self._progress.advance(self._task, count)

    def found(self, count: int) -> None:
        """Let the rest be less: what was there already is no part of the speed."""
        with self._lock:
            for task in self._progress.tasks:
                task.completed += count


class Lines:
    """One file's progress as a line for every tenth of it."""

    def __init__(self) -> None:
        self._name = ""
        self._size = 1
        self._done = 0
        self._told = 0
        self._began = time.monotonic()
        self._lock = threading.Lock()

    def begin(self, file: ModelFile, size: int, stored: int) -> None:
        """Say what is sent."""
        self._name, self._size = f"{file.kind} {file.name}", size
        known = f", {stored} parts are there already" if stored else ""
        typer.echo(f"{self._name}: {decimal(size)}{known}")

    def sent(self, count: int) -> None:
        """Say so at every tenth."""
        with self._lock:
            self._done += count
            tenth = self._done * 10 // self._size
            if self._told < tenth < 10:
                self._told = tenth
                typer.echo(f"{self._name}: {tenth * 10}% after {time.monotonic() - self._began:.0f} s")

    def found(self, count: int) -> None:
        """As if it were sent."""
        self.sent(count)


def _so_far(name: str, done: int, size: int | None) -> str:
    return f"{name}: {decimal(done)} of {decimal(size)}" if size else f"{name}: looking at the source"
