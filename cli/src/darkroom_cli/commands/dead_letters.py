"""`darkroom dead-letters list | show | redrive`."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from darkroom_cli import console
from darkroom_cli.console import AsJson, KeyFile, Url, connected, reported_errors
from darkroom_client.answers import Letter, Queue

if TYPE_CHECKING:
    from rich.table import Table

app = typer.Typer(help="Messages that could not be handled.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="QUEUE", help="A queue's name, as `list` shows it.")]


@app.command("list")
def list_(as_json: AsJson = False, url: Url = None, key_file: KeyFile = None) -> None:
    """List the queues: how many messages they have, and when the oldest was sent."""
    with reported_errors(), connected(url, key_file) as darkroom:
        from darkroom_client import dead_letters

        queues = dead_letters.queues(darkroom)["queues"]
        console.show(queues, _of_queue, table_of_queues, "No queues.", as_json)


@app.command()
def show(
    queue: Name,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100, help="How many at most.")] = 20,
    as_json: AsJson = False,
    url: Url = None,
    key_file: KeyFile = None,
) -> None:
    """Show the messages of a queue: what each is about, never its text."""
    with reported_errors(), connected(url, key_file) as darkroom:
        from darkroom_client import dead_letters

        found = dead_letters.letters(darkroom, queue, limit)
        console.show(found["messages"], _of_letter, table_of_letters, "Nothing lies there.", as_json)
        if found["more"]:
            typer.echo("There are more.", err=True)


@app.command()
def redrive(queue: Name, url: Url = None, key_file: KeyFile = None) -> None:
    """Send a queue's messages back to be tried again."""
    moved = dropped = 0
    with reported_errors("Stopped. What went back went back."), connected(url, key_file) as darkroom:
        from darkroom_client import dead_letters

        while True:
            done = dead_letters.redrive(darkroom, queue)
            moved, dropped = moved + done["moved"], dropped + done["dropped"]
            # A message that fails again returns to the queue after some minutes; this does not wait for it.
            if done["left"] == 0 or done["moved"] + done["dropped"] == 0:
                break
        rest = f", {dropped} dropped" if dropped else ""
        typer.echo(f"{queue}: {moved} sent back{rest}, {done['left']} left.")


def table_of_queues(queues: Iterable[Queue]) -> "Table":
    """Queues as a table."""
    from rich.table import Table
    from rich.text import Text

    table = Table("Queue", "Messages", "Oldest", header_style="bold")
    for queue in queues:
        table.add_row(*map(Text, _of_queue(queue)))
    return table


def table_of_letters(letters: Iterable[Letter]) -> "Table":
    """Messages as a table."""
    from rich.table import Table
    from rich.text import Text

    table = Table("Sent", "Kind", "About", "Status", "Reason", "Received", header_style="bold")
    for letter in letters:
        table.add_row(*map(Text, _of_letter(letter)))
    return table


def _of_queue(queue: Queue) -> tuple[str, ...]:
    return (queue["name"], str(queue["messages"]), queue["oldest"] or "")


def _of_letter(letter: Letter) -> tuple[str, ...]:
    texts = (letter["subject"], letter["status"], letter["reason"])
    return (letter["sent_at"], letter["kind"], *(text or "" for text in texts), str(letter["received"]))
