"""The worker's speed on this machine: `.venv-worker/bin/python -m bench.worker [--tiny] [--only sd15,sdxl,...]`.

It prints a table with the budgets beside the figures; a budget that is missed is no failure, as it was set for one
card. It needs no network and no model files. `--tiny` runs the same code with tiny models, on any processor.
"""

import argparse
import logging
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import diffusers
import torch

from bench import worker_files, worker_parts, worker_speed
from bench.worker_rows import Row

PARTS = ("sd15", "sdxl", "sdxl4", "parts", "files")
MET = {True: "met", False: "missed on this card", None: ""}


def collected(only: Sequence[str], *, tiny: bool) -> list[Row]:
    """The rows of the parts named, of all parts when none is."""
    parts = [part for part in PARTS if not only or part in only]
    found: list[Row] = []
    if speeds := [part for part in parts if part.startswith("sd")]:
        found += worker_speed.rows(tiny=tiny, only=speeds)
    if "parts" in parts:
        found += worker_parts.rows(tiny=tiny)
    if "files" in parts:
        found += worker_files.rows(tiny=tiny)
    return found


def head() -> str:
    """Where and with what the figures were made."""
    card = torch.cuda.get_device_name() if torch.cuda.is_available() else f"no GPU ({platform.machine()})"
    day = datetime.now(UTC).date().isoformat()
    return f"{card}, torch {torch.__version__}, diffusers {diffusers.__version__}, {day}"


def table(rows: Sequence[Row]) -> str:
    """The rows as lines of a table in Markdown."""
    lines = [("what", "figure", "budget", ""), *((row.name, row.figure, row.budget, MET[row.met]) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    texts = [f"| {' | '.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))} |" for line in lines]
    return "\n".join([texts[0], f"| {' | '.join('-' * max(3, width) for width in widths)} |", *texts[1:]])


def main(arguments: Sequence[str]) -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser("bench.worker", description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="tiny models, for a look at the bench itself")
    parser.add_argument("--only", default="", help=f"some of {','.join(PARTS)}")
    options = parser.parse_args(arguments)
    only = [part for part in options.only.split(",") if part]
    if unknown := sorted({*only} - {*PARTS}):
        parser.error(f"--only knows no {', '.join(unknown)}; there are: {', '.join(PARTS)}")
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    diffusers.utils.logging.set_verbosity_error()
    print(head())
    print(table(collected(only, tiny=options.tiny)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
