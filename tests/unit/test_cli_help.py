"""`darkroom --help` is quick: it imports nothing that only a command needs."""

import json
import subprocess
import sys

import pytest

HEAVY = (
    "httpx",
    "starlette",
    "uvicorn",
    "darkroom_bridge",
    "boto3",
    "botocore",
    "moto",
    "PIL",
    "darkroom",
    "darkroom_client.client",
)
IMPORTED_BY_TYPER = ("rich", "pydantic")
"""Typer imports rich to print the page of `--help`, and pydantic to read the values of options."""
PROGRAM = """
import json, sys
from darkroom_cli.main import app
try:
    app(sys.argv[1:], prog_name="darkroom")
finally:
    print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


def imported(*arguments: str) -> tuple[str, set[str]]:
    """What a command prints, and the modules that it imports."""
    command = [sys.executable, "-c", PROGRAM, *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - the command is our own
    return result.stdout, set(json.loads(result.stderr.splitlines()[-1]))


@pytest.mark.parametrize(
    "group", [[], ["jobs"], ["jobs", "list"], ["checkpoints"], ["login"], ["worker", "check"], ["bridge"]]
)
def test_help_imports_nothing_that_only_a_command_needs(group: list[str]) -> None:
    output, modules = imported(*group, "--help")
    assert f"Usage: {' '.join(['darkroom', *group])}" in output
    assert [name for name in HEAVY if name in modules] == []


def test_the_program_imports_nothing_before_it_knows_the_command() -> None:
    _, modules = imported("--help")
    assert "pydantic" not in modules
    _, modules = imported("--version")
    assert [name for name in (*HEAVY, *IMPORTED_BY_TYPER) if name in modules] == []
