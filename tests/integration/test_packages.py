"""What `client/` and `cli/` (with the bridge in it) install: on its own, complete, and of one version."""

import ast
import sys
import tomllib
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

from local.home import ROOT
from tests.support.installed import UV, clean, run, with_pip, with_uv_tool

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def contents(wheel: Path, package: str) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if name.startswith(f"{package}/")}


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return Parser().parsestr(archive.read(name).decode())


def sources(folder: str) -> dict[str, bytes]:
    root = ROOT / folder
    files = [path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def test_the_wheel_of_the_command_line_has_the_client_in_it(built: dict[str, Path]) -> None:
    assert contents(built["client"], "darkroom_client") == sources("client/src")
    assert contents(built["cli"], "darkroom_client") == sources("client/src")
    assert contents(built["cli"], "darkroom_bridge") == sources("bridge/src")
    assert contents(built["cli"], "darkroom_cli") == sources("cli/src")
    assert "darkroom_client/py.typed" in contents(built["cli"], "darkroom_client")


def test_both_are_of_the_projects_version_and_ask_no_registry_for_the_client(built: dict[str, Path]) -> None:
    for wheel in built.values():
        told = metadata(wheel)
        assert told["Version"] == VERSION
        needs = [line.split(">")[0] for line in told.get_all("Requires-Dist", [])]
        assert not [name for name in needs if name.startswith("darkroom")]
    assert [line for line in metadata(built["client"]).get_all("Requires-Dist", []) if "httpx" not in line] == []


def test_a_source_distribution_builds_the_same_wheel(built: dict[str, Path], tmp_path: Path) -> None:
    build = [UV, "build", "--quiet", "--no-build-isolation", "--python", sys.executable, "--out-dir", str(tmp_path)]
    run([*build, str(ROOT / "cli")], clean(tmp_path / "home"), tmp_path)
    [again] = tmp_path.glob("*.whl")
    for package in ("darkroom_cli", "darkroom_client", "darkroom_bridge"):
        assert contents(again, package) == contents(built["cli"], package)
    assert metadata(again)["Version"] == VERSION


@pytest.mark.parametrize("way", ["the wheel by pip", "the folder by pip", "the folder by uv"])
def test_the_command_works_on_a_machine_without_this_checkout(way: str, built: dict[str, Path], tmp_path: Path) -> None:
    what = str(built["cli"]) if "wheel" in way else str(ROOT / "cli")
    command = str((with_uv_tool if "uv" in way else with_pip)(what, tmp_path))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = clean(tmp_path / "home")
    assert run([command, "--version"], environment, elsewhere) == f"darkroom {VERSION}\n"
    told = run([command, "jobs", "list"], environment, elsewhere, check=False)
    assert told.startswith("Where is Darkroom?")
    told = run([command, "bridge", "--url", "http://127.0.0.1:9", "--no-key"], environment, elsewhere, check=False)
    assert "uv tool install './cli[bridge]'" in told
    told = run([command, "login", "--stage", "dev"], environment, elsewhere, check=False)
    assert "uv tool install './cli[aws]'" in told
    told = run([command, "worker", "check", "http://127.0.0.1:1"], environment, elsewhere, check=False)
    assert "uv tool install './cli[worker]'" in told
    assert "cancel-during\tmust\t" in run([command, "worker", "check", "--list"], environment, elsewhere)


def test_the_bridge_imports_the_client_and_its_own_packages_only() -> None:
    own = {"anyio", "httpx", "starlette", "uvicorn", "PIL", "darkroom_client", "darkroom_bridge"}
    for name, content in sources("bridge/src").items():
        if name.endswith(".py"):
            for node in ast.walk(ast.parse(content)):
                named = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                named += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
                assert {module.partition(".")[0] for module in named} <= {*sys.stdlib_module_names, *own}, name


def test_the_client_imports_httpx_and_the_standard_library_only() -> None:
    for name, content in sources("client/src").items():
        for node in ast.walk(ast.parse(content)):
            named = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            named += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            packages = {module.partition(".")[0] for module in named}
            assert packages <= {*sys.stdlib_module_names, "httpx", "darkroom_client"}, name
