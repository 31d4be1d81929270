"""`darkroom dead-letters list | show | redrive`."""

from collections.abc import Iterable
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from darkroom.dead_letters.api import LetterList, LetterOut, QueueList, QueueOut, Redriven
from panel import console
from panel.console import AsJson, KeyFile, Url, connected, friendly

app = typer.Typer(help="Messages that nothing could take in.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="QUEUE", help="A queue's name, as `list` shows it.")]


@app.command("list")
def list_(as_json: AsJson = False, url: Url = None, key_file: KeyFile = None) -> None:
    """List the queues, how many messages lie there, and since when."""
    with friendly(), connected(url, key_file) as darkroom:
        found = QueueList.model_validate(darkroom.request("GET", "/dead-letters"))
    console.show(found.queues, _of_queue, table_of_queues, "No queues.", as_json)


@app.command()
def show(
    queue: Name,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100, help="How many at most.")] = 20,
    as_json: AsJson = False,
    url: Url = None,
    key_file: KeyFile = None,
) -> None:
    """Show what lies in a queue: what each message is about, never its text."""
    with friendly(), connected(url, key_file) as darkroom:
        found = LetterList.model_validate(darkroom.request("GET", f"/dead-letters/{queue}", params={"limit": limit}))
    console.show(found.messages, _of_letter, table_of_letters, "Nothing lies there.", as_json)
    if found.more:
        typer.echo("There are more.", err=True)


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


def table_of_queues(queues: Iterable[QueueOut]) -> Table:
    """Queues as a table."""
    table = Table("Queue", "Messages", "Oldest", header_style="bold")
    for queue in queues:
        table.add_row(*map(Text, _of_queue(queue)))
    return table


def table_of_letters(letters: Iterable[LetterOut]) -> Table:
    """Messages as a table."""
    table = Table("Sent", "Kind", "About", "Status", "Reason", "Received", header_style="bold")
    for letter in letters:
        table.add_row(*map(Text, _of_letter(letter)))
    return table


def _of_queue(queue: QueueOut) -> tuple[str, ...]:
    return (queue.name, str(queue.messages), queue.oldest or "")


def _of_letter(letter: LetterOut) -> tuple[str, ...]:
    told = (letter.subject, letter.status, letter.reason)
    return (letter.sent_at, letter.kind, *(text or "" for text in told), str(letter.received))
