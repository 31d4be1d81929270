"""Jobs on the terminal and in files."""

import codecs
import csv
import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

import typer
from rich.table import Table
from rich.text import Text

from darkroom_cli.console import minute, screen

if TYPE_CHECKING:
    from darkroom_client.answers import Job, JobLine

_COLOURS = {"succeed": "green", "fail": "red", "cancelled": "dim"}
_ELSEWHERE = frozenset({"label", "thumbnail", "infotexts"})
"""What `show` leaves out: the heading says it, or a link that is dead in 15 minutes does not help."""


def table_of(lines: Iterable["JobLine"]) -> Table:
    """Lines of the history as a table."""
    table = Table("Made", "Type", "Status", "Id", "Owner", "Pictures", "Took", "Cost", "Prompt", header_style="bold")
    table.columns[3].no_wrap = True
    for line in lines:
        row = [Text(cell) for cell in cells(line)]
        row[2].stylize(_COLOURS.get(line["status"], "yellow"))
        row[-1].truncate(60, overflow="ellipsis")
        table.add_row(*row)
    return table


def cells(line: "JobLine") -> tuple[str, ...]:
    """A line of the history as text."""
    took = "" if line["duration"] is None else f"{line['duration']:.1f} s"
    cost = "" if line["cost"] is None else f"${line['cost']:.4f}"
    what = line["mode"] if line["mode"] not in (None, line["type"]) else None
    kind = f"{line['type']}/{what}" if what else line["type"]
    prompt = " ".join((line["prompt"] or "").split())
    pictures = str(line["image_count"])
    return (minute(line["created_at"]), kind, line["status"], line["id"], line["owner"], pictures, took, cost, prompt)


def show(job: "Job") -> None:
    """All that is known of a job: a name and a value on each line, or a table on a terminal."""
    console = screen()
    if not console.is_terminal:
        for name, value in facts(job):
            typer.echo(f"{name}\t{' '.join(value.split())}")
        return
    table = Table(show_header=False, title=Text(job["label"]), title_justify="left")
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in facts(job):
        table.add_row(name, Text(value))
    console.print(table)


def facts(job: "Job") -> Iterator[tuple[str, str]]:
    """Name and value of each field that has one, pictures by their size and seed."""
    for name, value in job.items():
        if name in _ELSEWHERE or value in (None, [], {}):
            continue
        if name == "images":
            for number, picture in enumerate(job["images"], 1):
                seed = "" if picture["seed"] is None else f", seed {picture['seed']}"
                yield f"picture {number}", f"{picture['width']} × {picture['height']}{seed}"
        elif name == "inputs":
            for picture_in in job["inputs"]:
                yield f"input {picture_in['name']}", picture_in["id"]
        else:
            yield name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def write_csv(rows: Iterable[list[str]], limit: int | None) -> None:
    """Write rows as CSV in UTF-8 with one byte order mark, by which spreadsheets know it; `limit` counts the jobs."""
    out = codecs.getwriter("utf-8-sig")(typer.get_binary_stream("stdout"))
    # The first row names the columns.
    csv.writer(out).writerows(islice(rows, None if limit is None else limit + 1))
