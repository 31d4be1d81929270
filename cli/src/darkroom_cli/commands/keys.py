"""`darkroom keys create | list | delete`."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from darkroom_cli.console import (
    AsJson,
    KeyFile,
    Url,
    Yes,
    confirmed,
    connected,
    minute,
    print_json,
    reported_errors,
    show,
)
from darkroom_client.answers import Key, Role

if TYPE_CHECKING:
    from rich.table import Table

app = typer.Typer(help="Access keys: who may do what. Takes the key of an admin.", no_args_is_help=True)

_NO_LIMIT = "the stage's own"


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Whose key it is: the owner of all that is made with it.")],
    role: Annotated[Role, typer.Option("--role", help="viewer looks, artist makes jobs, admin does all.")],
    days: Annotated[int | None, typer.Option("--days", help="For how many days it is good; a year without it.")] = None,
    expires_at: Annotated[
        str | None, typer.Option("--expires-at", help="When it ends, as in 2026-12-31T00:00:00Z, in place of --days.")
    ] = None,
    requests: Annotated[
        int | None, typer.Option("--requests-per-minute", help="Its own limit in place of the stage's.")
    ] = None,
    open_jobs: Annotated[
        int | None, typer.Option("--open-jobs", help="Its own limit of open jobs in place of the stage's.")
    ] = None,
    as_json: AsJson = False,
    url: Url = None,
    key_file: KeyFile = None,
) -> None:
    """Make a key. Its secret is the one line on the output, shown this once."""
    with reported_errors(), connected(url, key_file) as darkroom:
        from darkroom_client import keys
        from darkroom_client.client import without_none

        limits = without_none({"requests_per_minute": requests, "open_jobs": open_jobs})
        expiry = without_none({"days": days, "expires_at": expires_at})
        key = keys.create(darkroom, {"name": name, "role": role, "limits": limits, **expiry})
        if as_json:
            print_json(key)
            return
        typer.echo(f"Key {key['id']} of {key['name']} ({key['role']}), good until {key['expires_at']}:", err=True)
        typer.echo(key["secret"])


@app.command("list")
def list_(as_json: AsJson = False, url: Url = None, key_file: KeyFile = None) -> None:
    """List keys, newest first. The first admin key is not among them."""
    with reported_errors(), connected(url, key_file) as darkroom:
        from darkroom_client import keys

        found = list(keys.listed(darkroom))
        show(found, _cells, table_of, "No keys but the first admin key.", as_json)


@app.command()
def delete(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as the list shows it.")],
    yes: Yes = False,
    url: Url = None,
    key_file: KeyFile = None,
) -> None:
    """Withdraw a key; within a minute it is refused everywhere."""
    with reported_errors(), connected(url, key_file) as darkroom:
        from darkroom_client import Failure, keys

        if not yes:
            found = next((key for key in keys.listed(darkroom) if key["id"] == key_id), None)
            described = f"{key_id} of {found['name']} ({found['role']}, {found['prefix']}…)" if found else key_id
            if not confirmed(f"Withdraw the key {described}?"):
                raise Failure("Nothing was withdrawn.")
        keys.delete(darkroom, key_id)
        typer.echo(f"Withdrew {key_id}.")


def table_of(keys: Iterable[Key]) -> "Table":
    """Keys as a table."""
    from rich.table import Table
    from rich.text import Text

    table = Table("Id", "Name", "Role", "Secret", "Made", "Last used", "Good until", "Limits", header_style="bold")
    for key in keys:
        table.add_row(*map(Text, _cells(key)))
    return table


def _cells(key: Key) -> tuple[str, ...]:
    limits = key["limits"]
    named = (("requests", limits["requests_per_minute"]), ("open jobs", limits["open_jobs"]))
    own_limits = ", ".join(f"{value} {name}" for name, value in named if value is not None) or _NO_LIMIT
    times = [minute(moment) for moment in (key["created_at"], key["last_used"], key["expires_at"])]
    return (key["id"], key["name"], key["role"], f"{key['prefix']}…", *times, own_limits)
