"""Every command in the README and the docs, run against the local stack; those that deploy: `tests/release`."""

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from local import parts
from local.home import ROOT
from tests.e2e.conftest import Running
from tests.infra.conftest import this_machine
from tests.support.pictures import png

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```bash\n(.*?)^```", re.M | re.S)
# Run whole by test_stack.py and by CI; here only looked up, or the test suite would start itself.
MAKE = re.compile(r"^make ([a-z-]+)$", re.M)
DEPLOY = re.compile(r"^make deploy STAGE=(\w+)$", re.M)


def blocks() -> list[tuple[str, str]]:
    return [(page.name, block) for page in PAGES for block in BLOCK.findall(page.read_text())]


def blocks_of(page: str) -> list[str]:
    """The blocks that are run for a page. One that stands on several pages, word for word, is run for the last."""
    last = {block: name for name, block in blocks()}
    return [block for name, block in blocks() if name == page and last[block] == page]


def environment(darkroom: Running) -> dict[str, str]:
    """The local AWS in place of a real one, and the running stack in place of the one `make up` starts."""
    shared = parts.environment(darkroom.home.read())
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**shared, "PATH": path, "DARKROOM_HOME": str(darkroom.home.path)}


def runnable(block: str, darkroom: Running, folder: Path) -> str:
    """A block as the test runs it: this stack's key file, and make's own goals left out. A deploy calls one of the
    stage's functions, so they are built for this machine."""
    machine = " ".join(f"-c {name}={value}" for name, value in this_machine().items())
    block = DEPLOY.sub(rf"python -m infra.stage deploy \1 {machine} --output {folder}/out", MAKE.sub("true", block))
    block = block.replace(".darkroom/", f"{darkroom.home.path}/")
    return "set -euo pipefail\n" + block.replace("source .venv/bin/activate", "true")


def test_every_make_goal_in_the_docs_is_there() -> None:
    goals = {goal for _, block in blocks() for goal in MAKE.findall(block)}
    assert {"demo", "test", "up", "down", "install"} <= goals
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert goals <= known


def deploys(page: str) -> bool:
    """Whether a command of a page deploys, which takes its time."""
    return any(DEPLOY.search(block) for block in blocks_of(page))


WITH_COMMANDS = [page.name for page in PAGES if BLOCK.search(page.read_text())]


@pytest.mark.parametrize("page", [page for page in WITH_COMMANDS if not deploys(page)])
def test_every_command_of_a_page_works(darkroom: Running, page: str, tmp_path: Path) -> None:
    run(darkroom, page, tmp_path)


def run(darkroom: Running, page: str, folder: Path) -> str:
    """Run all commands of a page; returns what they print."""
    pictures = darkroom.home.folder("pictures")
    (pictures / "x.png").write_bytes(png(64, 64, (5, 6, 7)))
    shared = environment(darkroom)
    # One shell a page, as a reader has it: what one block exports, the next one uses.
    script = "\n".join(runnable(block, darkroom, folder) for block in blocks_of(page))
    told = folder / "told.txt"
    with told.open("w") as output:
        # Into a file: a program that the page leaves in the background holds a pipe open after the shell has ended.
        done = subprocess.Popen(  # noqa: S603 - the page is ours
            ["/bin/bash", "-c", script], cwd=ROOT, env=shared, stdout=output, stderr=output, start_new_session=True
        )
        try:
            ended: int | None = done.wait(240)
        except subprocess.TimeoutExpired:
            ended = None  # What it had said by then is told below.
        finally:
            with suppress(ProcessLookupError):
                os.killpg(done.pid, signal.SIGTERM)
    said = told.read_text()
    assert ended == 0, said
    assert "urn:darkroom:problem" not in said, said
    return said
