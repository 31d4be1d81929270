"""The command `darkroom`, with its groups of commands."""

import signal
from typing import Annotated

import typer

from darkroom_cli.commands import (
    bridge,
    budgets,
    checkpoints,
    costs,
    dead_letters,
    endpoints,
    jobs,
    keys,
    login,
    worker,
)

app = typer.Typer(
    name="darkroom", help="Darkroom on the command line.", no_args_is_help=True, pretty_exceptions_show_locals=False
)
app.command("login")(login.login)
app.command("logout")(login.logout)
app.add_typer(jobs.app, name="jobs")
app.add_typer(endpoints.app, name="endpoints")
app.add_typer(checkpoints.app, name="checkpoints")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(keys.app, name="keys")
app.command("costs")(costs.costs)
app.add_typer(budgets.app, name="budgets")
app.add_typer(worker.app, name="worker")
app.command("bridge")(bridge.bridge)


def main() -> None:
    """Run the command that the arguments name."""
    # A shell script starts a command with `&` so that it ignores Ctrl-C, and its child processes inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    app(prog_name="darkroom")


def _version(requested: bool) -> None:
    if requested:
        from importlib.metadata import version

        typer.echo(f"darkroom {version('darkroom-cli')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Darkroom on the command line."""
