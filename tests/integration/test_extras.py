"""What the extras of the command line install: all that their commands need."""

import os
import sys
from pathlib import Path

from tests.contract.serving import free_port
from tests.support.installed import clean, run, with_pip


def test_the_extra_worker_has_all_that_the_check_of_a_container_needs(built: dict[str, Path], tmp_path: Path) -> None:
    command = str(with_pip(f"{built['cli']}[worker]", tmp_path))
    port = str(free_port())
    here = f"PYTHONPATH={os.pathsep.join(sys.path)}"
    worker = ["env", here, sys.executable, "-m", "worker.server", "--port", port]
    names = ["--only", "txt2img", "--only", "stored", "--only", "progress-shape", "--only", "orientation"]
    checking = [command, "worker", "check", f"http://127.0.0.1:{port}", "--port", "0", *names, "--", *worker]
    told = run(checking, clean(tmp_path / "home"), tmp_path)
    assert "The worker keeps the contract." in told
    assert told.count("\tholds\t") == 4


def test_the_extra_brings_all_that_the_bridge_needs(built: dict[str, Path], tmp_path: Path) -> None:
    command = with_pip(f"{built['cli']}[bridge]", tmp_path)
    needed = "from darkroom_cli.commands.bridge import NEEDED; from importlib.util import find_spec; "
    program = needed + "import darkroom_bridge.server; print([name for name in NEEDED if find_spec(name) is None])"
    environment = clean(tmp_path / "home")
    assert run([str(command.with_name("python")), "-c", program], environment, tmp_path) == "[]\n"
    told = run([str(command), "bridge", "--url", "nowhere", "--no-key"], environment, tmp_path, check=False)
    assert "no whole address" in told
