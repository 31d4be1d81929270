"""The progress of an upload: a bar on a terminal, or plain lines."""

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
    """A watcher of an upload: a progress bar on a terminal, plain lines for any other output."""
    console = Console()
    if not console.is_terminal:
        yield Lines()
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        yield Bar(progress)


class Silent:
    """A watcher that shows nothing."""

    def begin(self, file: ModelFile, size: int, stored: int) -> None:
        """Show nothing."""

    def sent(self, count: int) -> None:
        """Show nothing."""

    def found(self, count: int) -> None:
        """Show nothing."""


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
        """Move the bar; these bytes count for the speed."""
        with self._lock:
            if self._task is not None:
                self._progress.advance(self._task, count)

    def found(self, count: int) -> None:
        """Move the bar; these bytes do not count for the speed, because they were not sent."""
        with self._lock:
            for task in self._progress.tasks:
                task.completed += count


class Lines:
    """One file's progress as a line for every ten percent."""

    def __init__(self) -> None:
        self._name = ""
        self._size = 1
        self._done = 0
        self._printed = 0
        self._started = time.monotonic()
        self._lock = threading.Lock()

    def begin(self, file: ModelFile, size: int, stored: int) -> None:
        """Print the file's name and size."""
        self._name, self._size = f"{file.kind} {file.name}", size
        known = f", {stored} parts are there already" if stored else ""
        typer.echo(f"{self._name}: {decimal(size)}{known}")

    def sent(self, count: int) -> None:
        """Print a line at every ten percent."""
        with self._lock:
            self._done += count
            tenth = self._done * 10 // self._size
            if self._printed < tenth < 10:
                self._printed = tenth
                typer.echo(f"{self._name}: {tenth * 10}% after {time.monotonic() - self._started:.0f} s")

    def found(self, count: int) -> None:
        """Counts like bytes that were sent."""
        self.sent(count)
