"""`darkroom worker check` as a person runs it: with workers that are processes of their own."""

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from darkroom_cli.main import app
from local.home import ROOT
from tests.contract.serving import free_port

ENDING = ("sigterm", "sigterm-next", "sigterm-exit")
FOREIGN = ("-m", "tests.contract.foreign_worker")


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker that is started finds its modules."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))


def check(*arguments: str, code: int = 0) -> Any:
    """What the command says as JSON, with S3 on a free port; its rows by their names."""
    result = CliRunner().invoke(app, ["worker", "check", "--json", "--port", "0", *arguments])
    assert result.exit_code == code, result.output
    told = json.loads(result.stdout)
    return {row["name"]: row for row in told["rows"]}


def command(port: int, *words: str) -> list[str]:
    return [f"http://127.0.0.1:{port}", "--", sys.executable, *words]


def only(*names: str) -> list[str]:
    return [word for name in names for word in ("--only", name)]


def test_the_engine_preview_keeps_the_whole_contract() -> None:
    port = free_port()
    worker = ["-m", "worker.server", "--engine", "preview", "--port", str(port)]
    rows = check("--watch", "6", *command(port, *worker))
    held = {name for name, row in rows.items() if row["outcome"] == "holds"}
    # It reads no model files, and has nothing to remark on these jobs.
    assert set(rows) - held == {"missing-model", "notices"}, [row for row in rows.values() if row["name"] not in held]


@pytest.mark.parametrize(
    ("fault", "broken"),
    [("", set()), ("dies of SIGTERM", {"sigterm"}), ("dies of a huge body", {"huge-body"})],
)
def test_a_process_of_somebody_else(fault: str, broken: set[str]) -> None:
    port = free_port()
    names = ("huge-body",) if "huge" in fault else ENDING
    rows = check(*only(*names), *command(port, *FOREIGN, str(port), fault), code=1 if broken else 0)
    assert {name for name, row in rows.items() if row["outcome"] == "does not hold"} == broken, rows


def test_a_running_worker_is_stopped_by_the_command_that_is_given(tmp_path: Path) -> None:
    """Both commands in one: the worker is started by the check, and its end is asked for from outside."""
    port = free_port()
    pid = tmp_path / "pid"
    start = f"import os, sys; open({str(pid)!r}, 'w').write(str(os.getpid())); sys.argv[1:] = ['{port}']; "
    start += "from tests.contract.foreign_worker import main; main()"
    stop = f"import os, signal; os.kill(int(open({str(pid)!r}).read()), signal.SIGTERM)"
    stopping = shlex.join([sys.executable, "-c", stop])
    rows = check("--stop", stopping, *only(*ENDING), *command(port, "-c", start))
    assert rows["sigterm"]["outcome"] == "holds", rows


def test_a_worker_that_does_not_start_tells_its_last_words() -> None:
    port = free_port()
    words = command(port, "-c", "raise SystemExit('no GPU here')")
    result = CliRunner().invoke(app, ["worker", "check", "--port", "0", *words])
    assert result.exit_code == 1
    assert "no GPU here" in result.stderr
    result = CliRunner().invoke(app, ["worker", "check", "--port", "0", f"http://127.0.0.1:{port}", "--wait", "0"])
    assert result.exit_code == 1
    assert "export AWS_ENDPOINT_URL=http://127.0.0.1:" in result.stderr
    assert "did not answer 200 within 0 seconds" in result.stderr
