"""What the commands share: options, how to ask, how to print, and how to tell what went wrong."""

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
    """The terminal, or whatever the output goes to."""
    from rich.console import Console

    return Console()


def show(
    rows: Sequence[Row],
    cells: Callable[[Row], tuple[str, ...]],
    table_of: Callable[[Sequence[Row]], "Table"],
    nothing: str,
    as_json: bool,
) -> None:
    """Print what was listed: a table on a terminal (`nothing` where there are no rows), a line of `cells` with tabs
    between them for a pipe, or JSON."""
    if as_json:
        print_json(rows)
        return
    console = screen()
    if console.is_terminal:
        console.print(table_of(rows) if rows else nothing)
    else:
        for row in rows:
            # A cell is one cell: what came from a person may hold tabs and line ends.
            typer.echo("\t".join(" ".join(cell.split()) for cell in cells(row)))


def print_json(value: Any) -> None:
    """Print an answer as JSON."""
    typer.echo(json.dumps(value, indent=2))


def minute(moment: str | None) -> str:
    """A moment as tables show it: to the minute, in UTC; nothing for none."""
    return (moment or "")[:16].replace("T", " ")


def agreed(question: str) -> bool:
    """Whether the person says yes; no where nobody can answer."""
    try:
        return typer.confirm(question)
    except typer.Abort:
        if sys.stdin.isatty():
            raise KeyboardInterrupt from None
        return False


@contextmanager
def connected(url: str | None, key_file: Path | None) -> Iterator["Darkroom"]:
    """A client of the stage that the options, the environment or the stored login name; raises Failure without one."""
    from darkroom_client import Darkroom

    login = logins.find(url, key_file)
    with Darkroom(login.url, login.key) as darkroom:
        yield darkroom


@contextmanager
def friendly(when_stopped: str = "Stopped.") -> Iterator[None]:
    """Every problem in one red line; exit codes 1, and 130 after Ctrl-C."""
    import httpx

    from darkroom_client import Failure, Refused

    try:
        yield
    except KeyboardInterrupt:
        complain(when_stopped)
        raise typer.Exit(INTERRUPTED) from None
    except Refused as refused:
        complain(f"{refused.detail} ({refused.code})")
    except (httpx.TransportError, httpx.InvalidURL) as error:
        complain(f"Darkroom cannot be reached: {error or type(error).__name__}")
    except UnicodeDecodeError:
        complain("That is no access key: the file is not text.")
    except (Failure, OSError) as error:
        complain(str(error))
    else:
        return
    raise typer.Exit(1)


def complain(message: str) -> None:
    """One red line on the error stream."""
    from rich.console import Console
    from rich.text import Text

    line = Text(" ".join(message.split()), style="red")
    Console(stderr=True).print(line, soft_wrap=True, highlight=False)
