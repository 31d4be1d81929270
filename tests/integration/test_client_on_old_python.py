"""The client inside somebody else's program: Python 3.10, httpx 0.24.1, no pydantic, and the real handlers."""

import json
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from local.home import ROOT
from tests.support.stage import Stage
from tests.support.wire import served

HTTPX = "httpx==0.24.1"
CONVERSATION = """
import importlib.util, json, sys, typing
import httpx
from darkroom_client import Darkroom, NotDarkroom, Refused, answers, endpoints, keys
from darkroom_client import checkpoints, dead_letters, model_files, transfer, upload

told = {"python": sys.version_info[:2], "httpx": httpx.__version__}
told["pydantic"] = importlib.util.find_spec("pydantic") is not None
for kind in vars(answers).values():
    if isinstance(kind, type):
        typing.get_type_hints(kind)
body = {"type": "txt2img", "checkpoint": "v1-5.safetensors", "parameters": {"prompt": "a pier"}}
with Darkroom(sys.argv[1], "a-key") as darkroom:
    told["stage"] = darkroom.ping()["stage"]
    made = darkroom.submit(body, idempotency_key="one")
    told["same"] = darkroom.submit(body, idempotency_key="one")["id"] == made["id"]
    again = darkroom.replay(made["id"])
    told["replay_of"] = again["replay_of"] == made["id"]
    told["history"] = [line["id"] for line in darkroom.history(limit=1)] == [again["id"], made["id"]]
    told["rows"] = len(list(darkroom.history_rows(limit=1, from_="2020-01-01")))
    told["cancelled"] = darkroom.cancel(again["id"])["status"]
    darkroom.delete_job(again["id"])
    secret = keys.create(darkroom, {"name": "anna", "role": "artist"})["secret"]
    told["key"] = [key["prefix"] for key in keys.listed(darkroom)] == [secret[:8]]
    told["shelf"] = [row["name"] for row in checkpoints.listed(darkroom)]
    told["endpoint"] = endpoints.find(darkroom, "nowhere")
    try:
        darkroom.job("01900000-0000-7000-8000-000000000000")
    except Refused as refused:
        told["refused"] = refused.code
print(json.dumps(told))
"""


def old_python() -> Path | None:
    """A Python 3.10 on the path or of pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    on_path = shutil.which("python3.10")
    found = [Path(on_path)] if on_path else []
    for candidate in [*found, *sorted(pyenv.glob("3.10*/bin/python3.10"))]:
        # A shim of pyenv is there for versions that are not.
        told = subprocess.run(  # noqa: S603 - our own words
            [str(candidate), "-c", "import sys; print(sys.version_info[:2])"],
            capture_output=True,
            text=True,
            check=False,
        )
        if told.stdout.strip() == "(3, 10)":
            return candidate
    return None


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the client, its oldest httpx, and nothing else."""
    found = old_python()
    if found is None:
        reason = "NOT TESTED: the client on Python 3.10. There is no python3.10 on the path or under pyenv."
        warnings.warn(reason, stacklevel=1)
        pytest.skip(reason)
    environment = tmp_path_factory.mktemp("old") / "venv"
    uv = str(Path(sys.executable).with_name("uv"))
    for command in (
        [uv, "venv", "--quiet", "--python", str(found), str(environment)],
        [uv, "pip", "install", "--quiet", "--python", str(environment / "bin/python"), HTTPX, str(ROOT / "client")],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
        assert done.returncode == 0, done.stderr
    return environment / "bin" / "python"


def test_a_whole_conversation_on_python_310_with_the_oldest_httpx(stage: Stage, python: Path, tmp_path: Path) -> None:
    with served() as url:
        command = [str(python), "-I", "-W", "error", "-c", CONVERSATION, url]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)  # noqa: S603 - our own words
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told.pop("python"), told.pop("httpx"), told.pop("pydantic")) == ([3, 10], "0.24.1", False)
    assert told == {
        "stage": "test",
        "same": True,
        "replay_of": True,
        "history": True,
        "rows": 3,
        "cancelled": "cancelled",
        "key": True,
        "shelf": ["v1-5.safetensors"],
        "endpoint": None,
        "refused": "job_not_found",
    }
