"""The CDK's command line, as `make install` puts it into this checkout."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from layers.page.build import node

ROOT = Path(__file__).resolve().parent.parent
CLI = ROOT / "node_modules" / "aws-cdk" / "bin" / "cdk"


def command(arguments: Sequence[str]) -> list[str]:
    """The whole command line for some arguments of `cdk`."""
    return [str(node()), str(CLI), *arguments, "--no-notices"]


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """`given` with this virtual environment first on the PATH, whose Python runs the app, and without telemetry."""
    path = os.pathsep.join([str(node().parent), given.get("PATH", "")])
    return {**given, "PATH": path, "CDK_DISABLE_CLI_TELEMETRY": "true"}
