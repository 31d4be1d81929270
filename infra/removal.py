"""The talk of `destroy` and `take-over`: what is listed, asked and told."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from darkroom.settings import PRICES
from infra import costs, destroying, inventory, taking_over
from infra.inventory import Inventory
from infra.stage import Stage

PROBLEMS = (destroying.NotDestroyed, taking_over.CannotTakeOver)
"""Errors whose text is for the person who gave the command."""


def destroy(session: Any, stage: str, yes: bool, say: Callable[[str], None], folder: Path | None = None) -> int:
    """List a stage, ask, and remove it; returns the exit code. What stays and can be taken over is written to
    `retained-<stage>.json` in `folder` (the current one). Raises one of PROBLEMS."""
    found = inventory.look(session, stage)
    if not (found.stacks or found.endpoints):
        say(f"There is no stage {stage} in {session.region_name}.")
        return 1
    for line in listed(found):
        say(line)
    kept = taking_over.retained(found)
    if kept:
        say(f"{len(kept)} of these stay, because the stage is not disposable. Everything else is removed for ever.")
    if not yes and not _agreed(stage):
        say("Nothing was removed.")
        return 1
    if kept:
        file = (folder or Path.cwd()) / f"retained-{stage}.json"
        file.write_text(json.dumps(kept, indent=2) + "\n")
        say(f"The names of what stays are in {file}. Keep it: python -m infra.stage take-over {stage} {file.name}")
    left = destroying.destroy(session, stage, found, say)
    say("")
    say(f"The stage {stage} is removed." + ("" if left else " Nothing of it is left."))
    for one in left:
        say(f"left: {one.kind} {one.name}: {one.why}")
    say("The CDK's own stack CDKToolkit stays, with the files of deploys in its bucket: other apps use it, too.")
    return 0


def listed(found: Inventory) -> list[str]:
    """An inventory as a person reads it, with what costs money by the month."""
    lines = [f"stack {name}" for name in found.stacks]
    lines += [f"endpoint {one.name}: {one.status}, {one.instances} x {one.instance_type}" for one in found.endpoints]
    lines += [f"bucket {name}: {count} objects, {size:,} bytes" for name, (count, size) in found.objects.items()]
    lines += [f"table {name}: {count} rows, as last counted" for name, count in found.rows.items()]
    groups = len(found.of("Logs::LogGroup")) + len(found.logs)
    alarms = len(found.of("CloudWatch::Alarm")) + len(found.alarms)
    dashboards = len(found.of("CloudWatch::Dashboard"))
    counted = f"{groups} log groups, {alarms} alarms, {dashboards} dashboards"
    lines += [f"{counted}, {len(found.resources)} resources in all"]
    paid = [line for line in costs.running(found, PRICES) if line.month >= 0.005]
    price = costs.prices()
    watching = alarms * price["alarm_month"] + dashboards * price["dashboard_month"]
    total = sum(line.month for line in paid) + watching
    lines += [f"costs {line.month:.2f} dollars a month: {line.what}" for line in paid]
    return [*lines, f"In all about {total:.2f} dollars a month, beside what docs/costs.md lists"]


def _agreed(stage: str) -> bool:
    print(f"Type the name of the stage to remove it ({stage}): ", end="", flush=True)
    return sys.stdin.readline().strip() == stage


def take_over(session: Any, stage: Stage, file: Path, say: Callable[[str], None]) -> int:
    """Take over what a file names; returns the exit code. Raises one of PROBLEMS."""
    try:
        names = json.loads(file.read_text())
    except (OSError, ValueError) as problem:
        raise taking_over.CannotTakeOver(f"{file} cannot be read: {problem}") from None
    taking_over.take_over(session, stage, names, say)
    return 0
