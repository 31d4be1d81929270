"""The command `darkroom`: a group of commands for each thing there is."""

import signal
from typing import Annotated

import typer

from darkroom_cli.commands import checkpoints, dead_letters, endpoints, jobs, keys, login

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


def main() -> None:
    """Run the command that the arguments name."""
    # A shell script starts what it puts behind `&` with Ctrl-C ignored, and so would all that is started from there.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    app(prog_name="darkroom")


def _version(wanted: bool) -> None:
    if wanted:
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
