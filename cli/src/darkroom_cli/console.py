"""What the commands share: options, questions, output, and error messages."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from darkroom_cli import logins

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from darkroom_client import Darkroom

INTERRUPTED = 130
Row = TypeVar("Row", bound=Mapping[str, Any])

Url = Annotated[str | None, typer.Option("--url", envvar="DARKROOM_URL", help="The API's address, with its stage.")]
KeyFile = Annotated[
    Path | None,
    typer.Option("--key-file", help="A file with the access key in it; without one, DARKROOM_KEY or the stored login."),
]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def screen() -> "Console":
    """The standard output, as Rich sees it."""
    from rich.console import Console

    return Console()


def show(
    rows: Sequence[Row],
    cells: Callable[[Row], tuple[str, ...]],
    table_of: Callable[[Sequence[Row]], "Table"],
    nothing: str,
    as_json: bool,
) -> None:
    """Print rows: as JSON when `as_json`, otherwise as a table on a terminal (the text `nothing` when there are no
    rows), otherwise as lines of `cells` with tabs between them."""
    if as_json:
        print_json(rows)
        return
    console = screen()
    if console.is_terminal:
        console.print(table_of(rows) if rows else nothing)
    else:
        for row in rows:
            # Tabs and line ends inside a cell become spaces, so that it stays one cell.
            typer.echo("\t".join(" ".join(cell.split()) for cell in cells(row)))


def print_json(value: Any) -> None:
    """Print an answer as JSON."""
    typer.echo(json.dumps(value, indent=2))


def minute(moment: str | None) -> str:
    """A time as tables show it: to the minute, in UTC; an empty text for None."""
    return (moment or "")[:16].replace("T", " ")


def confirmed(question: str) -> bool:
    """Ask a question; True when the person says yes. False when the input is no terminal and nothing can be read."""
    try:
        return typer.confirm(question)
    except typer.Abort:
        if sys.stdin.isatty():
            raise KeyboardInterrupt from None
        return False


@contextmanager
def connected(url: str | None, key_file: Path | None) -> Iterator["Darkroom"]:
    """A client of the stage that options, environment or stored login name; raises Failure when none of them does."""
    from darkroom_client import Darkroom

    login = logins.find(url, key_file)
    with Darkroom(login.url, login.key) as darkroom:
        yield darkroom


@contextmanager
def reported_errors(when_stopped: str = "Stopped.") -> Iterator[None]:
    """Print an error inside the block as one red line and exit with 1; after Ctrl-C print `when_stopped` and exit with
    130."""
    import httpx

    from darkroom_client import Failure, Refused

    try:
        yield
    except KeyboardInterrupt:
        print_error(when_stopped)
        raise typer.Exit(INTERRUPTED) from None
    except Refused as refused:
        print_error(f"{refused.detail} ({refused.code})")
    except (httpx.TransportError, httpx.InvalidURL) as error:
        print_error(f"Darkroom cannot be reached: {error or type(error).__name__}")
    except (Failure, OSError) as error:
        print_error(str(error))
    else:
        return
    raise typer.Exit(1)


def print_error(message: str) -> None:
    """Print a message as one red line to the error stream."""
    from rich.console import Console
    from rich.text import Text

    line = Text(" ".join(message.split()), style="red")
    Console(stderr=True).print(line, soft_wrap=True, highlight=False)
