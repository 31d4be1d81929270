"""`darkroom worker`: what the engines of the worker take, and whether a container keeps the contract."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from darkroom_cli.commands.worker_check import check
from darkroom_cli.console import AsJson, print_error, print_json, screen

if TYPE_CHECKING:
    from rich.table import Table

app = typer.Typer(help="Darkroom's own worker, and anyone's.", no_args_is_help=True)

app.command("check")(check)

TABLE = Path(__file__).parent.parent / "engines.json"
"""The table of the engines: a copy, which `make capabilities` writes."""


@app.callback()
def _group() -> None:
    """Darkroom's own worker, and anyone's."""


@app.command()
def capabilities(
    engine: Annotated[str | None, typer.Argument(help="One engine: diffusers, preview. All without it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print what an engine takes: samplers, schedules, scripts, model files, formats, limits."""
    engines: dict[str, dict[str, Any]] = json.loads(TABLE.read_text())
    if engine is not None and engine not in engines:
        print_error(f"There is no engine {engine!r}. There are: {', '.join(engines)}.")
        raise typer.Exit(1)
    chosen = engines if engine is None else {engine: engines[engine]}
    if as_json:
        print_json(chosen if engine is None else chosen[engine])
        return
    console = screen()
    if console.is_terminal:
        console.print(table_of(chosen))
        return
    for name, takes in chosen.items():
        for what, told in _lines(takes):
            typer.echo(f"{name}\t{what}\t{told}")


def table_of(engines: dict[str, dict[str, Any]]) -> "Table":
    """The engines side by side, a line for each thing that they take."""
    from rich.table import Table

    table = Table("", *engines)
    columns = [dict(_lines(takes)) for takes in engines.values()]
    for what in columns[0]:
        table.add_row(what, *(column[what] for column in columns))
    return table


def _lines(takes: dict[str, Any]) -> list[tuple[str, str]]:
    return [(name.replace("_", " "), _text(value)) for name, value in takes.items() if name != "engine"]


def _text(value: Any) -> str:
    if value is None:
        return "any"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(each["name"] if isinstance(each, dict) else str(each) for each in value) or "none"
    return f"at most {value:,}" if isinstance(value, int) else str(value)
