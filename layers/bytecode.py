"""Compiles what is deployed to the bytecode of the target's Python, because a function cannot: its folders are
read-only, so without bytecode every cold start compiles some hundreds of files anew.

Bytecode belongs to one minor version of Python, so an interpreter of that version must be on this machine; the CPU does
not matter. The files are unchecked-hash (PEP 552): Python takes them whatever the times of the sources are, and the CDK
and Lambda change those.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path


class CompileError(Exception):
    """A file cannot be compiled; the text contains Python's words."""


@cache
def interpreter(version: str) -> Path | None:
    """A released Python of a minor version (as in `3.13`) on this machine, or None: the one that runs, one on the PATH,
    or one that uv or pyenv installed."""
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    if version == running and sys.version_info.releaselevel == "final":
        return Path(sys.executable)
    return next((found for found in _candidates(version) if _is(found, version)), None)


def compile_all(python: Path, folder: Path, root: str) -> None:
    """Compile every module under `folder`, each into its `__pycache__`. Tracebacks will name the files as they lie
    under `root`, where Lambda puts the folder. Raises CompileError."""
    command = [str(python), "-I", "-m", "compileall", "-q", "-f", "--invalidation-mode", "unchecked-hash"]
    command += ["-s", str(folder), "-p", root, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    if done.returncode:
        raise CompileError(f"{python} cannot compile {folder}:\n{(done.stdout + done.stderr).strip()}")


def lacking(version: str) -> str:
    """What to tell a person who deploys without an interpreter of that version."""
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    return (
        f"No Python {version} was found on this machine, so the functions are deployed without bytecode, and each cold "
        f"start takes about a second longer. To change that, install one (.venv/bin/uv python install {version}), or "
        f"deploy for the Python that you have, if it is one that a stage can have: -c python={running}"
    )


def _candidates(version: str) -> Iterator[Path]:
    name = f"python{version}"
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        if (found := Path(folder, name)).is_file():
            yield found
    # uv knows where it put its own; its search of the PATH would stop at a shim of pyenv that leads nowhere.
    command = [sys.executable, "-m", "uv", "python", "find", "--managed-python", "--no-python-downloads", version]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    if done.returncode == 0:
        yield Path(done.stdout.strip())
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin/{name}"), reverse=True)


def _is(python: Path, version: str) -> bool:
    """Whether `python` runs and is a release of that version: bytecode of an alpha is not that of the release."""
    script = "import sys; print('%d.%d %s' % (*sys.version_info[:2], sys.version_info.releaselevel))"
    try:
        done = subprocess.run(  # noqa: S603 - our own words
            [str(python), "-I", "-S", "-c", script], capture_output=True, text=True, check=False, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.stdout.strip() == f"{version} final"
