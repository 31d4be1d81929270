"""`darkroom dead-letters list | show | redrive`."""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from darkroom.dead_letters.api import LetterList, QueueList, Redriven
from panel.console import KeyFile, Url, connected, friendly

app = typer.Typer(help="Messages that nothing could take in.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="QUEUE", help="A queue's name, as `list` shows it.")]


@app.command("list")
def list_(url: Url = None, key_file: KeyFile = None) -> None:
    """List the queues, how many messages lie there, and since when."""
    with friendly(), connected(url, key_file) as darkroom:
        found = QueueList.model_validate(darkroom.request("GET", "/dead-letters"))
    rows = [(queue.name, str(queue.messages), queue.oldest or "") for queue in found.queues]
    _show(("Queue", "Messages", "Oldest"), rows)


@app.command()
def show(
    queue: Name,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100, help="How many at most.")] = 20,
    url: Url = None,
    key_file: KeyFile = None,
) -> None:
    """Show what lies in a queue: what each message is about, never its text."""
    with friendly(), connected(url, key_file) as darkroom:
        found = LetterList.model_validate(darkroom.request("GET", f"/dead-letters/{queue}", params={"limit": limit}))
    rows = [
        (
            letter.sent_at,
            letter.kind,
            letter.subject or "",
            letter.status or "",
            letter.reason or "",
            str(letter.received),
        )
        for letter in found.messages
    ]
    _show(("Sent", "Kind", "About", "Status", "Reason", "Received"), rows)
    if found.more:
        typer.echo("There are more.")


@app.command()
def redrive(queue: Name, url: Url = None, key_file: KeyFile = None) -> None:
    """Send a queue's messages back to be tried again."""
    moved = dropped = 0
    with friendly("Stopped. What went back went back."), connected(url, key_file) as darkroom:
        while True:
            done = Redriven.model_validate(darkroom.request("POST", f"/dead-letters/{queue}/redrive"))
            moved, dropped = moved + done.moved, dropped + done.dropped
            # One that fails again comes back after some minutes; it is not waited for.
            if done.left == 0 or done.moved + done.dropped == 0:
                break
    typer.echo(f"{queue}: {moved} sent back" + (f", {dropped} dropped" if dropped else "") + f", {done.left} left.")


def _show(headers: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    console = Console()
    if console.is_terminal:
        table = Table(*headers, header_style="bold")
        for row in rows:
            table.add_row(*row)
        console.print(table)
        return
    for row in rows:
        typer.echo("\t".join(row))
