"""How long `darkroom --help` takes beside a bare Typer program's: `python -m bench.cli`.

Both run from bytecode that was written before. They take turns, and the least time of each counts: what else the
machine does makes a run longer and never shorter.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

RATIO = 2.5
ROUNDS = 15
BARE = """
import typer

app = typer.Typer()


@app.command()
def one() -> None:
    "Do one thing."


@app.command()
def other() -> None:
    "Do another."


def main() -> None:
    app()
"""


def main() -> int:
    """Print the table; 1 when the ratio is over its budget."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "bare.py").write_text(BARE)
        modules = ("darkroom_cli.main", "bare")
        for module in modules:
            seconds(module, folder)
        rounds = [{module: seconds(module, folder) for module in modules} for _ in range(ROUNDS)]
    least = {module: min(one[module] for one in rounds) for module in modules}
    ratio = least["darkroom_cli.main"] / least["bare"]
    table = Table("darkroom --help", "bare Typer --help", "ratio", "budget", title=f"the least of {ROUNDS} runs each")
    table.add_row(*(f"{least[module] * 1000:.0f} ms" for module in modules), f"{ratio:.2f}", f"{RATIO}")
    Console().print(table)
    return 1 if ratio > RATIO else 0


def seconds(module: str, folder: str) -> float:
    """How long `--help` of a module's function `main` takes, with bytecode written to and read from `folder`."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", f"from {module} import main; main()", "--help"]
    environment = {**inherited, "PYTHONPYCACHEPREFIX": str(Path(folder, "bytecode")), "PYTHONPATH": folder}
    began = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own words
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
