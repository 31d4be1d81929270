"""What every command shares: how to reach Darkroom, how to ask, and how to tell what went wrong."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import httpx
import typer
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table
from rich.text import Text

from panel.client import Darkroom, Failure, Refused

INTERRUPTED = 130
Row = TypeVar("Row", bound=BaseModel)

Url = Annotated[str | None, typer.Option("--url", envvar="DARKROOM_URL", help="The API's address, with its stage.")]
KeyFile = Annotated[
    Path | None,
    typer.Option("--key-file", help="A file with the access key in it; without one, DARKROOM_KEY holds the key."),
]

AsJson = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]


def show(
    rows: Sequence[Row],
    cells: Callable[[Row], tuple[str, ...]],
    table_of: Callable[[Sequence[Row]], Table],
    nothing: str,
    as_json: bool,
) -> None:
    """Print what was listed: a table on a terminal (`nothing` where there are no rows), a line of `cells` with tabs
    between them for a pipe, or JSON."""
    console = Console()
    if as_json:
        typer.echo(json.dumps([row.model_dump(mode="json") for row in rows], indent=2))
    elif console.is_terminal:
        console.print(table_of(rows) if rows else nothing)
    else:
        for row in rows:
            typer.echo("\t".join(cells(row)))


def given(values: dict[str, Any]) -> dict[str, Any]:
    """Without what nobody said, which is None."""
    return {name: value for name, value in values.items() if value is not None}


def agreed(question: str) -> bool:
    """Whether the person says yes; no where nobody can answer."""
    try:
        return typer.confirm(question)
    except typer.Abort:
        if sys.stdin.isatty():
            raise KeyboardInterrupt from None
        return False


@contextmanager
def connected(url: str | None, key_file: Path | None) -> Iterator[Darkroom]:
    """A client of the stage that the options or the environment name; raises Failure where they do not."""
    if not url or not url.startswith(("https://", "http://")):
        raise Failure("Where is Darkroom? Give its address with --url or in DARKROOM_URL, as https://…")
    key = (key_file.read_text(encoding="utf-8") if key_file else os.environ.get("DARKROOM_KEY", "")).strip()
    if not key:
        raise Failure("No access key: put it into DARKROOM_KEY, or into a file and name that with --key-file.")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise Failure("That is no access key: a key is one word.")
    with Darkroom(url.rstrip("/"), key) as darkroom:
        yield darkroom


@contextmanager
def friendly(when_stopped: str = "Stopped.") -> Iterator[None]:
    """Every problem in one red line; exit codes 1, and 130 after Ctrl-C."""
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
    except ValueError:
        complain("What answers at that address is not Darkroom, or another version of it.")
    else:
        return
    raise typer.Exit(1)


def complain(message: str) -> None:
    """One red line on the error stream."""
    line = Text(" ".join(message.split()), style="red")
    Console(stderr=True).print(line, soft_wrap=True, highlight=False)
