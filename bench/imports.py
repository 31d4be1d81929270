"""What a cold start imports: each function's modules beside boto3 and one client, from the assets of a deploy and their
bytecode: `python -m bench.imports`, or with names of functions, as in `python -m bench.imports jobs_api`.

Counted is the processor's time of the import in a process of its own. The processes take turns, and the least time of
each counts: what else the machine does makes an import slower and never faster.
"""

import os
import platform
import subprocess
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from infra import bundling
from infra.functions import FUNCTIONS
from infra.stage import Architecture

RATIO = 1.5
"""How much longer than boto3 and one client the import of `jobs_api` may take."""
LIMITED = "jobs_api"
ROUNDS = 12
BASELINE = "boto3 and one client"
_BASELINE = "import boto3; boto3.client('dynamodb')"
_SCRIPT = """
import sys, time
sys.path[:0] = sys.argv[2:]
before = len(sys.modules)
began = time.process_time()
exec(sys.argv[1])
print(time.process_time() - began, len(sys.modules) - before)
"""


def main(names: Sequence[str] = ()) -> int:
    """Print the table; 1 when the function that has a limit is over it."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    machine: Architecture = "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"
    layers = [f"{bundling.dependencies(machine, python).path}/python", f"{bundling.shared(python).path}/python"]
    runs = {BASELINE: (_BASELINE, layers)}
    for name in names or FUNCTIONS:
        runs[name] = (f"import functions.{name}.handler", [bundling.function(name, python).path, *layers])
    rounds = [{name: measured(*run) for name, run in runs.items()} for _ in range(ROUNDS)]
    table = Table("function", "import", "modules", "ratio", title=f"Imports on Python {python}, least of {ROUNDS} runs")
    least = {name: min(one[name] for one in rounds) for name in runs}
    for name, (seconds, modules) in least.items():
        table.add_row(name, f"{seconds * 1000:.0f} ms", str(modules), f"{seconds / least[BASELINE][0]:.2f}")
    Console().print(table)
    return 1 if LIMITED in least and least[LIMITED][0] > RATIO * least[BASELINE][0] else 0


def measured(statement: str, paths: Sequence[str]) -> tuple[float, int]:
    """The seconds of processor time that `statement` takes, and how many modules it imports, from `paths` alone."""
    # -I and -S: neither this folder nor the packages of the virtual environment take part.
    command = [sys.executable, "-I", "-S", "-B", "-c", _SCRIPT, statement, *paths]
    environment = {"AWS_DEFAULT_REGION": "us-east-1", "HOME": os.devnull}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)  # noqa: S603 - our own words
    seconds, modules = done.stdout.split()
    return float(seconds), int(modules)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
