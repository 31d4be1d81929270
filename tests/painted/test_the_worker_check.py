"""`darkroom worker check` against the engine `diffusers` with a tiny random checkpoint, in its own environment."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from darkroom_cli.main import app
from local.home import ROOT
from tests.contract.serving import free_port

PYTHON = ROOT / ".venv-worker" / "bin" / "python"
MAKE = "from worker.engines.diffusers import tiny; import pathlib, sys; "
MAKE += "tiny.write(pathlib.Path(sys.argv[1]), tiny.CHECKPOINTS['tiny-sd15']())"


def test_the_engine_diffusers_keeps_the_contract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "shared")]))
    checkpoint = tmp_path / "tiny-sd15.safetensors"
    subprocess.run([PYTHON, "-c", MAKE, checkpoint], check=True, cwd=ROOT)  # noqa: S603 - our own words
    port = str(free_port())
    worker = [str(PYTHON), "-m", "worker.server", "--engine", "diffusers", "--port", port]
    options = ["--json", "--port", "0", "--size", "64", "--steps", "4", "--checkpoint", str(checkpoint)]
    words = ["worker", "check", *options, f"http://127.0.0.1:{port}", "--", *worker]
    monkeypatch.chdir(ROOT)
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    told = {row["name"]: row["outcome"] for row in json.loads(result.stdout)["rows"]}
    # It has no files for describing here, says so, and has nothing to remark on these jobs.
    refused = {"interrogate-clip": "refused", "interrogate-deepbooru": "refused", "notices": "not tried"}
    assert {name: outcome for name, outcome in told.items() if outcome != "holds"} == refused
