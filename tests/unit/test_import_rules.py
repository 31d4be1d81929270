"""The import rules hold for every module, also for a new one: a breach of each rule is added and must be found."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from local.home import ROOT

SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
RULES = [contract["name"] for contract in SETTINGS["contracts"]]
SOURCES = ("shared", "client/src", "bridge/src", "cli/src", "extension")
"""The folders with packages, besides the root."""

BREACHES = {
    "boto3 and botocore are imported in darkroom.aws only": [
        ("functions/jobs_api/handler.py", "import boto3"),
        ("shared/darkroom/dead_letters/service.py", "from botocore.exceptions import ClientError"),
        ("shared/darkroom/https.py", "import boto3"),
        ("shared/darkroom/gallery/service.py", "import boto3"),
    ],
    "Powertools is imported in darkroom.edge only": [
        ("functions/jobs_api/handler.py", "import aws_lambda_powertools"),
        ("shared/darkroom/gallery/api.py", "from aws_lambda_powertools import Logger"),
    ],
    "features know their own model, ports, errors and ids, and nothing of the outside": [
        ("shared/darkroom/dead_letters/service.py", "from darkroom.aws import clients"),
        ("shared/darkroom/gallery/service.py", "from darkroom.settings import Settings"),
        ("shared/darkroom/aws/queue.py", "from darkroom import wiring"),
    ],
    "adapters know models and ports of features, and no other room of theirs": [
        ("shared/darkroom/aws/queue.py", "from darkroom.jobs import ending"),
        ("shared/darkroom/aws/models.py", "from darkroom.gallery import service"),
    ],
    "the edge knows errors, and no feature's services": [
        ("shared/darkroom/edge/http.py", "from darkroom.gallery import service"),
    ],
    "handlers reach services through wiring": [
        ("functions/jobs_api/handler.py", "from darkroom.jobs import submission"),
        ("functions/sweeper/handler.py", "from local import stack"),
        ("functions/keys_api/handler.py", "from darkroom.gallery import service"),
    ],
    "infra knows tables and settings only": [
        ("infra/stage.py", "from darkroom.jobs import state"),
        ("layers/supply.py", "from darkroom.gallery import service"),
    ],
    "the worker knows the contract, pictures, and the words of the WebUI, and no service": [
        ("worker/store.py", "from darkroom.jobs import model"),
        ("worker/pictures.py", "from darkroom.images import service"),
        ("worker/engines/preview.py", "from darkroom.gallery import service"),
    ],
    "nothing that is deployed knows the local stack": [
        ("functions/sweeper/handler.py", "from local import stack"),
        ("worker/store.py", "import local"),
    ],
    "the client imports httpx and the standard library only": [
        ("client/src/darkroom_client/answers.py", "import pydantic"),
        ("client/src/darkroom_client/errors.py", "import darkroom_webui"),
    ],
    "the bridge knows the client, and nothing else of Darkroom": [
        ("bridge/src/darkroom_bridge/shelf.py", "from darkroom.webui import spelling"),
        ("bridge/src/darkroom_bridge/server.py", "from darkroom_cli import logins"),
        ("bridge/src/darkroom_bridge/masks.py", "import darkroom_webui"),
    ],
    "the command line reaches Darkroom through the client only": [
        ("cli/src/darkroom_cli/filters.py", "from darkroom.jobs import state"),
        ("cli/src/darkroom_cli/history.py", "import darkroom_webui"),
    ],
    "the extension of the WebUI reaches Darkroom through the client only": [
        ("extension/darkroom_webui/body.py", "from darkroom.jobs import parameters"),
        ("extension/darkroom_webui/webui/page.py", "import pydantic"),
        ("extension/darkroom_webui/shelf.py", "import darkroom_bridge"),
    ],
    "the extension imports the WebUI's modules in its adapters only": [
        ("extension/darkroom_webui/body.py", "from modules import shared"),
    ],
}
"""For each rule, a file and the line that is added to it. No rule names the feature `gallery`, which is new."""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the project's code, with a feature that no rule names."""
    for package in SETTINGS["root_packages"]:
        for source in (".", *SOURCES):
            if (ROOT / source / package).is_dir():
                ignored = shutil.ignore_patterns("__pycache__", "packages")
                shutil.copytree(ROOT / source / package, tmp_path / source / package, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    gallery = tmp_path / "shared/darkroom/gallery"
    gallery.mkdir()
    for name in ("__init__.py", "service.py", "api.py"):
        (gallery / name).touch()
    return tmp_path


def broken_rules(tree: Path) -> set[str]:
    """The rules that a copy of the code breaks."""
    path = os.pathsep.join(str(tree / source) for source in (".", *SOURCES))
    result = subprocess.run(  # noqa: S603 - the command is our own
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": path, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    verdicts = dict(re.findall(rf"^({'|'.join(map(re.escape, RULES))}) *(KEPT|BROKEN)", result.stdout, re.M))
    assert set(verdicts) == set(RULES), result.stdout + result.stderr
    return {rule for rule, verdict in verdicts.items() if verdict == "BROKEN"}


def add_line(tree: Path, file: str, line: str) -> None:
    with (tree / file).open("a") as code:
        code.write(f"\n{line}\n")


def test_every_rule_has_a_breach() -> None:
    assert set(BREACHES) == set(RULES)


def test_the_code_keeps_every_rule_with_a_new_feature_in_it(tree: Path) -> None:
    assert broken_rules(tree) == set()


@pytest.mark.parametrize(
    ("rule", "file", "line"), [(rule, *breach) for rule, breaches in BREACHES.items() for breach in breaches]
)
def test_a_breach_is_found(tree: Path, rule: str, file: str, line: str) -> None:
    add_line(tree, file, line)
    assert rule in broken_rules(tree)


def test_every_package_at_the_top_is_under_the_rules() -> None:
    tracked = subprocess.run(["git", "ls-files", "*/__init__.py"], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607
    packages = {Path(file).parts[0] for file in tracked.stdout.split() if len(Path(file).parts) == 2}
    assert packages - {"bench", "tests"} <= set(SETTINGS["root_packages"])


def test_every_function_is_a_package_that_the_rules_see() -> None:
    for handler in (ROOT / "functions").glob("*/handler.py"):
        assert handler.with_name("__init__.py").exists(), handler
