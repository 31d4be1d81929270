"""Prints the table of the engines as JSON: the copy that the command line carries (`make capabilities`)."""

import dataclasses
import json

from darkroom.engines.capabilities import ENGINES


def as_json() -> str:
    """The table as JSON."""
    table = {name: dataclasses.asdict(takes) for name, takes in ENGINES.items()}
    return json.dumps(table, indent=2) + "\n"


if __name__ == "__main__":
    print(as_json(), end="")
