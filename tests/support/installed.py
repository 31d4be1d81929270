"""The command line as a person installs it: into an environment of its own, with an empty home."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from local.home import ROOT

UV = str(Path(sys.executable).with_name("uv"))
MACHINE = ("PATH", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR", "UV_SYSTEM_CERTS", "PIP_CERT", "http_proxy", "https_proxy")
"""What a person's shell has and an installer may need; nothing that leads to this checkout."""


def clean(home: Path, **more: str) -> dict[str, str]:
    """An environment with an empty home and nothing of this test run's own."""
    home.mkdir(parents=True, exist_ok=True)
    kept = {name: os.environ[name] for name in MACHINE if name in os.environ}
    # Without .venv: a person has none.
    kept["PATH"] = os.pathsep.join(part for part in kept["PATH"].split(os.pathsep) if not part.startswith(str(ROOT)))
    return {**kept, "HOME": str(home), **more}


def run(command: list[str], environment: Mapping[str, str], cwd: Path, check: bool = True) -> str:
    """What a command prints; fails with it when it ends with another code than 0."""
    done = subprocess.run(  # noqa: S603 - our own words
        command, env=environment, cwd=cwd, capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0 or not check, done.stdout + done.stderr
    return done.stdout + done.stderr


def wheels(folder: Path) -> dict[str, Path]:
    """The wheels that `make wheels` writes, by the package's folder."""
    for package in ("client", "cli"):
        command = [UV, "build", "--quiet", "--wheel", "--no-build-isolation", "--python", sys.executable]
        run([*command, "--out-dir", str(folder), str(ROOT / package)], clean(folder / "home"), folder)
    return {package: next(folder.glob(f"darkroom_{package}-*.whl")) for package in ("client", "cli")}


def with_pip(what: str, folder: Path) -> Path:
    """`pip install` of a wheel or a folder into an empty environment; returns the command."""
    environment = clean(folder / "home")
    # Without a pip of its own, whose installation takes longer than that of the command.
    run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], environment, folder)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "venv/bin/python")]
    run([*pip, "install", "--quiet", what], environment, folder)
    return folder / "venv" / "bin" / "darkroom"


def with_uv_tool(what: str, folder: Path) -> Path:
    """`uv tool install` of a wheel or a folder; returns the command."""
    run([UV, "tool", "install", "--quiet", "--python", sys.executable, what], clean(folder / "home"), folder)
    return folder / "home" / ".local" / "bin" / "darkroom"
