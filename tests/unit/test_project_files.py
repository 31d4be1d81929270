"""Files at the root that only GitHub, pre-commit and packaging tools read."""

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.home import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
YAML_FILES = [".github/workflows/ci.yml", ".github/dependabot.yml", ".pre-commit-config.yaml"]


def read(path: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / path).read_text())
    return document


@pytest.mark.parametrize("path", YAML_FILES)
def test_the_file_is_yaml_and_not_empty(path: str) -> None:
    assert read(path)


def test_ci_runs_the_same_script_as_a_person_and_may_only_read() -> None:
    workflow = read(".github/workflows/ci.yml")
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert "permissions" not in job
        assert job["timeout-minutes"] <= 60
        assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
        for action in (step["uses"] for step in job["steps"] if "uses" in step):
            assert re.fullmatch(r"actions/[a-z-]+@v\d+", action)
        assert PROJECT["requires-python"] == f">={job['strategy']['matrix']['python'][0]}"
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_every_kind_of_dependency_gets_updates() -> None:
    updates = {update["package-ecosystem"]: update for update in read(".github/dependabot.yml")["updates"]}
    assert set(updates) == {"pip", "npm", "github-actions"}
    assert all(update["groups"] for update in updates.values())


def test_the_hooks_of_pre_commit_download_nothing_and_use_what_make_install_installs() -> None:
    repositories = read(".pre-commit-config.yaml")["repos"]
    assert [repository["repo"] for repository in repositories] == ["local"]
    for hook in repositories[0]["hooks"]:
        assert hook["language"] == "system"
        (tool,) = (word for word in shlex.split(hook["entry"]) if word.startswith(".venv/bin/"))
        assert Path(ROOT / tool).is_file(), tool


def test_the_licence_is_apache_2() -> None:
    assert PROJECT["license"] == "Apache-2.0"
    assert PROJECT["license-files"] == ["LICENSE"]
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
