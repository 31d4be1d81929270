"""`darkroom login | logout`."""

import sys
from typing import Annotated

import typer

from darkroom_cli import logins
from darkroom_cli.console import reported_errors


def login(
    url: Annotated[str | None, typer.Argument(metavar="[URL]", help="The API's address, with its stage.")] = None,
    stage: Annotated[
        str | None, typer.Option("--stage", help="Read address and first admin key of this stage from AWS instead.")
    ] = None,
    region: Annotated[str | None, typer.Option("--region", help="With --stage: its AWS region.")] = None,
    profile: Annotated[str | None, typer.Option("--profile", help="With --stage: a profile of your AWS files.")] = None,
) -> None:
    """Store a stage's address and a key, so that every other command finds them.

    The key is asked for, or read from the standard input; it is never an argument, which others could see.
    """
    with reported_errors("Stopped. Nothing was stored."):
        from darkroom_client import Darkroom, Failure

        if stage and url:
            raise Failure("Give the address, or --stage, and not both.")
        if stage:
            from darkroom_cli import aws

            found = aws.login(stage, region, profile)
        else:
            found = _prompted(url)
        with Darkroom(found.url, found.key) as darkroom:
            pong = darkroom.ping()
        path = logins.store(found)
        typer.echo(f"Logged in to the stage {pong['stage']} at {found.url}; stored in {path}.")


def logout() -> None:
    """Forget the stored address and key."""
    with reported_errors():
        typer.echo("Logged out." if logins.forget() else "Nothing was stored.")


def _prompted(url: str | None) -> logins.Login:
    """Address and key: asked for at a terminal; otherwise the key is read from the standard input."""
    from darkroom_client import Failure, address

    if url is not None:
        address.checked(url)  # before anybody is asked for a key
    interactive = sys.stdin.isatty()
    try:
        if url is None:
            if not interactive:
                raise Failure("Where is Darkroom? Give its address: darkroom login https://…")
            url = str(typer.prompt("Address"))
        if interactive:
            key = str(typer.prompt("Key", hide_input=True))
        else:
            key = logins.key_in(typer.get_binary_stream("stdin").read(), "the standard input")
    except typer.Abort:
        raise KeyboardInterrupt from None
    return logins.checked(url, key)
