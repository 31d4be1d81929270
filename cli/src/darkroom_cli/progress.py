"""How far an upload is, told on a terminal or in plain lines."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

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

from darkroom_client.model_files import ModelFile
from darkroom_client.transfer import Watcher


@contextmanager
def watching() -> Iterator[Watcher]:
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
        """Move the bar, but not its speed: what was there already was not sent."""
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
