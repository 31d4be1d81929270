"""Darkroom on the command line: a group of commands for each thing there is."""

import typer

from panel.commands import checkpoints, keys

app = typer.Typer(name="darkroom", help="Darkroom on the command line.", no_args_is_help=True, add_completion=False)
app.add_typer(checkpoints.app, name="checkpoints")
app.add_typer(keys.app, name="keys")


@app.callback()
def main() -> None:
    """Darkroom on the command line."""
