"""The real `cdk bootstrap` and `cdk deploy`, into the local AWS."""

import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from infra import cdk
from local.home import ROOT, Home
from local.processes import StackError, tail

STAGE = "local"
SOURCES = ("app.py", "cdk.json", "pyproject.toml", "package-lock.json", "infra", "functions", "layers", "shared")
"""The files and folders that a deploy depends on."""


def log_level() -> str:
    """The level of every log of the local stack but MiniStack's: what `DARKROOM_LOG_LEVEL` says, else INFO."""
    return os.environ.get("DARKROOM_LOG_LEVEL", "INFO")


def package() -> list[str]:
    """What deploys the worker's package that lies in the folder `DARKROOM_WORKER_PACKAGE`, in place of the container of
    one's own that the local stage has otherwise; nothing without one. The worker runs as a process here in any case."""
    folder = os.environ.get("DARKROOM_WORKER_PACKAGE")
    return ["-c", "worker_image=", "-c", f"worker_package={folder}"] if folder else []


def digest(*sources: str) -> str:
    """SHA-256 of files and folders of the project, of this Python's version, and of the log level."""
    total = hashlib.sha256(f"{sys.version_info[:2]} {platform.machine()} {log_level()} {package()}".encode())
    for name in sources:
        path = ROOT / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and "__pycache__" not in file.parts:
                total.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes())
    return total.hexdigest()


def deploy(home: Home, environment: Mapping[str, str], say: Callable[[str], None]) -> dict[str, str]:
    """Deploy both stacks; returns their outputs by name. Raises StackError with the end of the CDK's log.

    Functions run with this machine's Python here, so the layer is built for it.
    """
    machine = {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "x86_64")
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    context = [
        "-c",
        f"stage={STAGE}",
        "-c",
        f"architecture={machine}",
        "-c",
        f"python={python}",
        "-c",
        f"log_level={log_level()}",
        *package(),
    ]
    outputs = home.path / "outputs.json"
    account = f"aws://{environment['CDK_DEFAULT_ACCOUNT']}/{environment['AWS_REGION']}"
    say("cdk bootstrap")
    # Run in a folder without a cdk.json, because bootstrapping would otherwise synthesize the app.
    _cdk(home, environment, ["bootstrap", account], cwd=home.path)
    say("cdk deploy")
    # The CDK adds to the file, so outputs of a stack that is gone would stay in it.
    outputs.unlink(missing_ok=True)
    arguments = ["deploy", "--all", "--require-approval", "never", "--outputs-file", str(outputs), *context]
    _cdk(home, environment, [*arguments, "--output", str(home.folder("cdk.out"))], cwd=ROOT)
    stacks: dict[str, dict[str, str]] = json.loads(outputs.read_text())
    return {name: value for stack in stacks.values() for name, value in stack.items()}


def _cdk(home: Home, environment: Mapping[str, str], arguments: list[str], cwd: Path) -> None:
    if not cdk.CLI.exists():
        raise StackError("The CDK CLI is not installed: run `make install`.")
    log = home.log("cdk")
    with log.open("ab") as output:
        done = subprocess.run(  # noqa: S603 - the command is our own
            cdk.command([*arguments, "--ci"]),
            cwd=cwd,
            env=cdk.environment(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        raise StackError(f"cdk {arguments[0]} failed. The end of {log}:\n{tail(log, 30)}")
