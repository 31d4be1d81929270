"""Jobs as tables on the terminal, as plain lines, and as CSV."""

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
from darkroom_client import waits

if TYPE_CHECKING:
    from darkroom_client.answers import Job, JobLine

_COLOURS = {"succeed": "green", "fail": "red", "cancelled": "dim"}
_LEFT_OUT = frozenset({"label", "thumbnail", "infotexts", "notice_count"})
"""Fields that `show` leaves out: the label is the heading, infotexts repeat the parameters, notices need no count, and
the link expires after 15 minutes."""


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
    """A line of the history as the texts of its columns."""
    took = "" if line["duration"] is None else f"{line['duration']:.1f} s"
    at_most = "≤ " if line.get("cost_estimated") else ""
    cost = "" if line["cost"] is None else f"{at_most}${line['cost']:.4f}"
    what = line["mode"] if line["mode"] not in (None, line["type"]) else None
    kind = f"{line['type']}/{what}" if what else line["type"]
    prompt = " ".join((line["prompt"] or "").split())
    pictures = str(line["image_count"])
    return (minute(line["created_at"]), kind, line["status"], line["id"], line["owner"], pictures, took, cost, prompt)


def show(job: "Job") -> None:
    """Print all fields of a job: as a table on a terminal, otherwise a name and a value on each line."""
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
    """Name and value of each field that has a value. Of a picture: its size and seed."""
    for name, value in job.items():
        if name in _LEFT_OUT or value in (None, [], {}):
            continue
        if name == "images":
            for number, picture in enumerate(job["images"], 1):
                seed = "" if picture["seed"] is None else f", seed {picture['seed']}"
                yield f"picture {number}", f"{picture['width']} × {picture['height']}{seed}"
        elif name == "inputs":
            for picture_in in job["inputs"]:
                yield f"input {picture_in['name']}", picture_in["id"]
        elif name == "forecast" and job["forecast"]:
            yield name, waits.usual(job["forecast"])
        elif name == "place" and job["place"] is not None:
            yield name, waits.place(job["place"])
        else:
            yield name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def write_csv(rows: Iterable[list[str]], limit: int | None) -> None:
    """Write rows as CSV in UTF-8 to the standard output, at most `limit` jobs. It begins with a byte order mark, by
    which spreadsheets recognize UTF-8."""
    out = codecs.getwriter("utf-8-sig")(typer.get_binary_stream("stdout"))
    # One row more, because the first has the names of the columns.
    csv.writer(out).writerows(islice(rows, None if limit is None else limit + 1))
