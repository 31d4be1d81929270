"""Darkroom on the command line: a group of commands for each thing there is."""

import typer

from panel.commands import checkpoints, dead_letters, endpoints, jobs, keys

app = typer.Typer(name="darkroom", help="Darkroom on the command line.", no_args_is_help=True, add_completion=False)
app.add_typer(jobs.app, name="jobs")
app.add_typer(endpoints.app, name="endpoints")
app.add_typer(checkpoints.app, name="checkpoints")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(keys.app, name="keys")


@app.callback()
def main() -> None:
    """Darkroom on the command line."""
