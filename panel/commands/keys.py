"""`darkroom keys create | list | delete`."""

import json
from collections.abc import Iterable, Iterator
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from darkroom.keys.api import KeyList, KeyMade, KeyOut
from darkroom.keys.model import Role
from panel.client import Darkroom, Failure
from panel.console import AsJson, KeyFile, Url, agreed, connected, friendly, given, show

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
    wanted = {"days": days, "expires_at": expires_at}
    limits = {"requests_per_minute": requests, "open_jobs": open_jobs}
    body = {"name": name, "role": role, "limits": given(limits), **given(wanted)}
    with friendly(), connected(url, key_file) as darkroom:
        made = KeyMade.model_validate(darkroom.request("POST", "/keys", json=body))
    if as_json:
        typer.echo(json.dumps(made.model_dump(mode="json"), indent=2))
        return
    typer.echo(f"Key {made.id} of {made.name} ({made.role}), good until {made.expires_at}:", err=True)
    typer.echo(made.secret)


@app.command("list")
def list_(
    as_json: AsJson = False,
    url: Url = None,
    key_file: KeyFile = None,
) -> None:
    """List keys, newest first. The first admin key is not among them."""
    with friendly(), connected(url, key_file) as darkroom:
        keys = list(listed(darkroom))
    show(keys, _cells, table_of, "No keys but the first admin key.", as_json)


@app.command()
def delete(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as the list tells it.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    url: Url = None,
    key_file: KeyFile = None,
) -> None:
    """Withdraw a key; within a minute it is refused everywhere."""
    with friendly(), connected(url, key_file) as darkroom:
        if not yes:
            found = next((key for key in listed(darkroom) if key.id == key_id), None)
            whose = f"{key_id} of {found.name} ({found.role}, {found.prefix}…)" if found else key_id
            if not agreed(f"Withdraw the key {whose}?"):
                raise Failure("Nothing was withdrawn.")
        darkroom.request("DELETE", f"/keys/{key_id}")
    typer.echo(f"Withdrew {key_id}.")


def listed(darkroom: Darkroom) -> Iterator[KeyOut]:
    """Every key, newest first, page by page."""
    before: str | None = None
    while True:
        page = KeyList.model_validate(darkroom.request("GET", "/keys", params={"before": before} if before else {}))
        yield from page.keys
        before = page.next
        if before is None:
            return


def table_of(keys: Iterable[KeyOut]) -> Table:
    """Keys as a table."""
    table = Table("Id", "Name", "Role", "Secret", "Made", "Last used", "Good until", "Limits", header_style="bold")
    for key in keys:
        table.add_row(*map(Text, _cells(key)))
    return table


def _cells(key: KeyOut) -> tuple[str, ...]:
    limits = given({"requests": key.limits.requests_per_minute, "open jobs": key.limits.open_jobs})
    shown = ", ".join(f"{value} {name}" for name, value in limits.items()) or _NO_LIMIT
    times = [moment[:16].replace("T", " ") for moment in (key.created_at, key.last_used or "", key.expires_at)]
    return (key.id, key.name, key.role, f"{key.prefix}…", *times, shown)
