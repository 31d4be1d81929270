"""`python -m infra.stage check | first-key NAME`: the commands of those who deploy. They need AWS credentials and a
checkout; everybody else's commands are those of `darkroom`."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from infra import first_key, preflight
from infra.stage import Stage, StageError, read_stage

CDK_JSON = Path(__file__).resolve().parent.parent / "cdk.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command; returns the exit code: 0 when all is well, 1 when something is wrong or lacks."""
    told = _parser().parse_args(arguments)
    if told.command == "first-key":
        return first_key.show(told.stage, told.region, told.profile)
    return _check(told)


def _check(told: argparse.Namespace) -> int:
    import boto3.session
    from botocore.exceptions import ProfileNotFound

    try:
        stage = _stage(told.stage)
        # boto3 reads AWS_DEFAULT_REGION alone; the CDK prefers AWS_REGION.
        region = told.region or os.environ.get("AWS_REGION")
        session: Any = boto3.session.Session(region_name=region, profile_name=told.profile)
    except (StageError, ProfileNotFound) as problem:
        print(problem, file=sys.stderr)
        return 1
    types = tuple(dict.fromkeys(told.instance_type or [stage.instance_type]))
    lacking = 0
    # Line by line, because the list of quotas takes some seconds.
    for finding in preflight.check(session, preflight.Wanted(stage, types, told.instances)):
        lacking += not finding.ok
        print(*preflight.lines([finding]), sep="\n", flush=True)
    if lacking:
        print(f"\n{lacking} of these must be put right first; then run this again.")
    else:
        print(f"\nThe stage {stage.name} can be deployed to {session.region_name}.")
    return 1 if lacking else 0


def _stage(name: str) -> Stage:
    """The settings of a stage in cdk.json; raises StageError."""
    context = json.loads(CDK_JSON.read_text())["context"]
    if name not in context["stages"]:
        raise StageError(f'There is no stage "{name}" in cdk.json. It has {", ".join(context["stages"])}.')
    return read_stage({**context, "stage": name}.get)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.stage", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check", help="say what account and region lack for a stage, and how to get it")
    key = commands.add_parser("first-key", help="print the address of a deployed stage and its first admin key")
    for command in (check, key):
        command.add_argument("stage", help="its name in cdk.json, as in dev")
        command.add_argument("--region", help="the AWS region, if not that of the environment or the profile")
        command.add_argument("--profile", help="a profile of your AWS files")
    check.add_argument(
        "--instance-type",
        action="append",
        metavar="TYPE",
        help="a type that endpoints shall have, as in ml.g5.xlarge; may repeat (the stage's instance_type)",
    )
    check.add_argument("--instances", type=_positive, default=1, help="how many of each at once (1)")
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return int(text)
