"""Builds what Lambda runs: the dependency layer, the shared layer and each function's code. No Docker.

Everything is built into `.build/<digest>`, where the digest covers all sources. It is also the asset's hash, so an
unchanged source is not built, uploaded or deployed again. The folder is complete before the CDK sees it, so the CDK
never uses a Docker image to build it.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from aws_cdk import AssetHashType
from aws_cdk import aws_lambda as lambda_

from infra.stage import Architecture
from layers import bytecode
from layers.dependencies import cut, lazy

ROOT = Path(__file__).resolve().parent.parent
_BUILT = ROOT / ".build"
_REQUIREMENTS = ROOT / "layers" / "dependencies" / "requirements.txt"
_OPT, _TASK = "/opt", "/var/task"
"""Where Lambda puts layers, and a function's own code."""
_PLATFORMS: dict[Architecture, str] = {"arm64": "aarch64-manylinux2014", "x86_64": "x86_64-manylinux2014"}


class BuildError(Exception):
    """An asset cannot be built; the text contains the installer's message."""


def dependencies(architecture: Architecture, python: str) -> lambda_.AssetCode:
    """The layer of pinned third-party packages for Lambda's CPU and Python (as in `3.13`), without what Lambda never
    reads. Raises BuildError."""
    sources = [_REQUIREMENTS, Path(cut.__file__), Path(lazy.__file__)]
    return _asset(
        _digest(sources, architecture, python),
        lambda folder: install(folder / "python", _PLATFORMS[architecture], python),
        python,
        _OPT,
    )


def shared(python: str) -> lambda_.AssetCode:
    """The layer that holds the package `darkroom`."""
    sources = _modules(ROOT / "shared" / "darkroom")
    return _asset(
        _digest(sources, "shared"),
        lambda folder: _copy(sources, ROOT / "shared", folder / "python"),
        python,
        _OPT,
    )


def function(name: str, python: str) -> lambda_.AssetCode:
    """The code of `functions/<name>` alone, under its import name `functions.<name>`. Raises BuildError."""
    sources = [ROOT / "functions" / "__init__.py", *_modules(ROOT / "functions" / name)]
    if not (ROOT / "functions" / name / "handler.py").is_file():
        raise BuildError(f"functions/{name}/handler.py is not there, but infra/service_stack.py names it.")
    return _asset(_digest(sources, name), lambda folder: _copy(sources, ROOT, folder), python, _TASK)


def everything(python: str) -> str:
    """A digest of all that decides what functions run: their code, the layers, the stacks, and whether there is
    bytecode."""
    folders = [_modules(ROOT / name) for name in ("functions", "infra", "layers", "shared/darkroom")]
    sources = [_REQUIREMENTS, *(module for folder in folders for module in folder)]
    return _digest(sources, python, str(bytecode.interpreter(python) is not None))


def _modules(package: Path) -> list[Path]:
    return sorted(package.rglob("*.py"))


def _digest(sources: Iterable[Path], *more: str) -> str:
    digest = hashlib.sha256("\0".join(more).encode())
    for source in (*sources, Path(__file__), Path(bytecode.__file__)):
        content = hashlib.sha256(source.read_bytes()).hexdigest()
        digest.update(f"\0{source.relative_to(ROOT).as_posix()}\0{content}".encode())
    return digest.hexdigest()


def _asset(sources: str, build: Callable[[Path], None], python: str, root: str) -> lambda_.AssetCode:
    """What `build` puts into a folder, with the bytecode of `python` where this machine can make it. `sources` is the
    digest of all that it is built from, `root` where Lambda unpacks it."""
    interpreter = bytecode.interpreter(python)
    digest = hashlib.sha256(f"{sources} {python if interpreter else 'no'} bytecode".encode()).hexdigest()
    built = _BUILT / digest
    if not built.is_dir():
        _BUILT.mkdir(exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=_BUILT, prefix="unfinished-"))
        try:
            build(unfinished)
            if interpreter:
                _compile(interpreter, unfinished, root)
            # Another process may have built the same folder meanwhile; both have the same content.
            if not built.is_dir():
                unfinished.rename(built)
        except OSError:
            if not built.is_dir():
                raise
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return lambda_.Code.from_asset(str(built), asset_hash=digest, asset_hash_type=AssetHashType.CUSTOM)


def _compile(interpreter: Path, folder: Path, root: str) -> None:
    try:
        bytecode.compile_all(interpreter, folder, root)
    except bytecode.CompileError as problem:
        raise BuildError(str(problem)) from problem


def _copy(sources: Iterable[Path], base: Path, folder: Path) -> None:
    for source in sources:
        target = folder / source.relative_to(base)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def install(packages: Path, platform: str, python: str, lock: Path = _REQUIREMENTS) -> None:
    """Install the `lock` into `packages` for another platform: wheels only, since nothing can be compiled for it.

    Raises BuildError with the installer's words.
    """
    command = [
        *(sys.executable, "-m", "uv", "pip", "install", "--quiet", "--require-hashes", "--no-deps"),
        *("--target", str(packages), "--python-platform", platform, "--python-version", python),
        *("--only-binary", ":all:", "--requirement", str(lock)),
    ]
    # uv must not consider an active virtual environment: the options above choose the wheels.
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)  # noqa: S603 - a fixed command
    if done.returncode:
        raise BuildError(
            f"The dependency layer for {platform}, Python {python} cannot be installed. uv says:\n"
            f"{(done.stderr or done.stdout).strip()}"
        )
    cut.cut(packages)
