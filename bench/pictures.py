"""The pictures at the top of the README: `make up`, then `python -m bench.pictures`.

It submits a few jobs to the running local stack and writes what the preview engine painted for the first of them to
docs/pictures/result.png, and what `darkroom jobs list` prints to docs/pictures/history.svg.
"""

import os
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

from darkroom_client import Darkroom
from local import stack
from local.home import ROOT, Home
from local.seed import CHECKPOINT

FOLDER = ROOT / "docs" / "pictures"
COLUMNS = 146
PROMPTS = ("a harbour at dawn", "dunes in the rain", "a village, snow")
WIDTH, HEIGHT = 768, 384


def submit(client: Darkroom) -> str:
    """Submit the jobs and wait for their ends; the id of the first."""
    ids = [
        client.submit(
            {
                "type": "txt2img",
                "checkpoint": CHECKPOINT,
                "parameters": {"prompt": prompt, "seed": seed, "width": WIDTH, "height": HEIGHT},
            }
        )["id"]
        for seed, prompt in enumerate(PROMPTS, 3)
    ]
    for job_id in ids:
        client.settled(job_id, 60)
    return ids[0]


def terminal(command: list[str], environment: dict[str, str]) -> str:
    """What a command prints on a terminal of `COLUMNS` columns, colours included, as an SVG."""
    wide = {**os.environ, **environment, "COLUMNS": str(COLUMNS), "FORCE_COLOR": "1"}
    printed = subprocess.run(command, env=wide, capture_output=True, text=True, check=True).stdout  # noqa: S603 - ours
    console = Console(record=True, width=COLUMNS, file=StringIO())
    console.print(Text.from_ansi(printed.strip("\n")))
    svg = console.export_svg(title="darkroom jobs list", unique_id="history")
    # A picture in a page loads no fonts: the reader's own monospace font does.
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.S)


def main() -> int:
    """Write both pictures; 1 when no stack runs."""
    home = Home.here()
    up = stack.running(home)
    if up is None:
        print("The stack does not run; start it with `make up`.")
        return 1
    key = home.key_file.read_text()
    FOLDER.mkdir(exist_ok=True)
    with Darkroom(up.api, key) as client:
        job = client.job(submit(client))
        (painted,) = client.save_pictures(job, home.folder("pictures"), overwrite=True)
        (FOLDER / "result.png").write_bytes(painted.read_bytes())
    command = [str(Path(sys.executable).with_name("darkroom")), "jobs", "list"]
    (FOLDER / "history.svg").write_text(terminal(command, {"DARKROOM_URL": up.api, "DARKROOM_KEY": key}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
