"""The memory of the command line while it uploads 2 GB to the local stack: `python -m bench.upload`.

The file is sparse, so it takes no room on the disk; every byte of it is read, hashed and sent all the same.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from local import stack
from local.home import Home
from tests.support.models import sparse_safetensors

BUDGET_MB = 200


def main(arguments: list[str]) -> int:
    """Print the table; 1 when the upload fails or the memory is over its budget."""
    parser = argparse.ArgumentParser("bench.upload")
    parser.add_argument("--megabytes", type=int, default=2048)
    size = parser.parse_args(arguments).megabytes * 1024**2
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder, "home"))
        home.path.mkdir()
        try:
            up = stack.up(home, console.print)
            return _measure(console, Path(folder), up.api, home.key_file.read_text(), size)
        finally:
            stack.down(home)


def _measure(console: Console, folder: Path, url: str, key: str, size: int) -> int:
    file = folder / "large.safetensors"
    sparse_safetensors(file, size)
    environment = {**os.environ, "DARKROOM_URL": url, "DARKROOM_KEY": key}
    command = [sys.executable, "-m", "darkroom_cli", "checkpoints", "upload", str(file), "--kind", "stable-diffusion"]
    began = time.monotonic()
    process = subprocess.Popen(command, env=environment)  # noqa: S603 - the command is our own
    watched = psutil.Process(process.pid)
    peak = 0
    while process.poll() is None:
        with contextlib.suppress(psutil.NoSuchProcess):
            peak = max(peak, watched.memory_info().rss)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.02)
    seconds = time.monotonic() - began
    megabytes = peak / 1024**2
    table = Table(
        "file", "seconds", "MB a second", "client's peak memory", "budget", "ratio", title="an upload in parts"
    )
    table.add_row(
        f"{size / 1024**2:.0f} MB",
        f"{seconds:.1f}",
        f"{size / 1024**2 / seconds:.0f}",
        f"{megabytes:.0f} MB",
        f"{BUDGET_MB} MB",
        f"{megabytes / BUDGET_MB:.2f}",
    )
    console.print(table)
    return 1 if process.wait() or megabytes > BUDGET_MB else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
