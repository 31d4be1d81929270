"""The bridge on Python 3.10, from the command line's folder, before the real handlers."""

import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from local.home import ROOT
from tests.integration.test_client_on_old_python import old_python
from tests.support.installed import clean
from tests.support.stage import Stage
from tests.support.webui_shapes import GETS, differences
from tests.support.wire import served


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`darkroom` in an environment of its own."""
    found = old_python()
    if found is None:
        pytest.skip("NOT TESTED: the bridge on Python 3.10. There is no python3.10 on the path or under pyenv.")
    environment = tmp_path_factory.mktemp("old") / "venv"
    uv = str(Path(sys.executable).with_name("uv"))
    for words in (
        [uv, "venv", "--quiet", "--python", str(found), str(environment)],
        [uv, "pip", "install", "--quiet", "--python", str(environment / "bin/python"), f"{ROOT / 'cli'}[bridge]"],
    ):
        done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
        assert done.returncode == 0, done.stderr
    return environment / "bin" / "darkroom"


def test_lists_of_a_bridge_on_python_310_come_from_the_stage(stage: Stage, command: Path, tmp_path: Path) -> None:
    with served() as url:
        environment = clean(tmp_path / "home", DARKROOM_URL=url, DARKROOM_KEY="a-key")
        process = subprocess.Popen(  # noqa: S603 - the command is our own
            [str(command), "bridge", "--port", "0"], env=environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True
        )
        try:
            assert process.stdout
            found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
            assert found
            with httpx.Client(base_url=found[0], trust_env=False, timeout=60) as http:
                told = {path: http.get(path) for path in GETS}
                made = http.post("/v1/images/generations", json={"prompt": "a pier", "model": "no such"})
        finally:
            process.terminate()
            process.wait(30)
    assert {path: answer.text for path, answer in told.items() if answer.status_code != 200} == {}
    assert [found for path, shape in GETS.items() for found in differences(shape, told[path].json())] == []
    assert [model["model_name"] for model in told["/sdapi/v1/sd-models"].json()] == ["v1-5"]
    assert (made.status_code, made.json()["error"]["code"]) == (404, "model_not_found")
