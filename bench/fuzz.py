"""Requests nobody would think of, to every route of the running local stack: `make fuzz`.

Schemathesis makes them from docs/openapi.json, valid ones and broken ones, and holds every answer against the
document with all its checks: no 5xx, no status and no content type that is not written down, no body that breaks its
schema. Once as admin, as artist, as viewer, and without a key.
"""

import json
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from darkroom_client import Darkroom
from local import stack
from local.home import ROOT, Home

ROLES = ("admin", "artist", "viewer", None)
PHASES = "coverage,fuzzing,stateful"
EXAMPLES = 40


@dataclass(frozen=True)
class Result:
    """How one round ended: whose it was, how many requests were sent, and the report's end if something was found."""

    role: str | None
    requests: int
    found: str | None


def rounds(url: str, admin: str, examples: int, phases: str = PHASES) -> Iterator[Result]:
    """One round a role at the API at `url`, with at most `examples` drawn for each operation and phase."""
    for role in ROLES:
        yield attack(url, role, key_of(url, admin, role), examples, phases)


def attack(url: str, role: str | None, key: str | None, examples: int, phases: str) -> Result:
    """One round with `key`, or without any."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [
            *(str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(ROOT / "bench" / "fuzz.toml")),
            # All checks are on by themselves; named here, they would undo the exceptions of the file.
            *("run", str(ROOT / "docs" / "openapi.json"), "--url", url, "--phases", phases),
            *("--max-examples", str(examples), "--generation-deterministic"),
            *("--continue-on-failure", "--no-color", "--warnings", "off", "--request-timeout", "60"),
            *("--report", "json", "--report-json-path", str(report)),
            # Without a key there is none at all: made-up ones are tried by the check for ignored keys.
            *(
                ("--header", f"Authorization: Bearer {key}")
                if key
                else ("--generation-with-security-parameters", "false")
            ),
        ]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
        sent = json.loads(report.read_text())["test_cases"]["generated"] if report.exists() else 0
    return Result(role, sent, None if done.returncode == 0 else done.stdout[-20_000:] + done.stderr)


def main() -> int:
    """Attack the stack that runs; 1 when anything was found."""
    console = Console(highlight=False, soft_wrap=True)
    home = Home.here()
    running = stack.running(home)
    if running is None:
        console.print("The stack does not run; start it with `make up`.")
        return 1
    results = []
    for result in rounds(running.api, home.key_file.read_text(), EXAMPLES):
        results.append(result)
        said = "something was found" if result.found else "nothing was found"
        console.print(f"{result.role or 'without a key'}: {result.requests} requests, {said}")
        if result.found:
            console.print(result.found, markup=False)
    console.print(f"{sum(result.requests for result in results)} requests in all")
    return 1 if any(result.found for result in results) else 0


def key_of(url: str, admin: str, role: str | None) -> str | None:
    """A key of that role for one round, None for none; each has a name of its own."""
    if role is None or role == "admin":
        return admin if role else None
    with Darkroom(url, admin) as client:
        made = client.request("POST", "/keys", json={"name": f"fuzz-{uuid.uuid4().hex[:12]}", "role": role, "days": 1})
    return str(made["secret"])


if __name__ == "__main__":
    sys.exit(main())
