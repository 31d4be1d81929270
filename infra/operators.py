"""`python -m infra.stage COMMAND NAME`: the commands of those who deploy. They need AWS credentials and a checkout;
everybody else's commands are those of `darkroom`."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from infra import deploying, first_key, preflight, removal, versions
from infra.stage import Stage, StageError, read_stage

CDK_JSON = Path(__file__).resolve().parent.parent / "cdk.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command; returns the exit code: 0 when all is well, 1 when something is wrong or lacks."""
    told = _parser().parse_args(arguments)
    if told.command == "first-key":
        return first_key.show(told.stage, told.region, told.profile)
    from botocore.exceptions import ProfileNotFound

    try:
        return _COMMANDS[told.command](_session(told), told)
    except (StageError, ProfileNotFound, deploying.Refused, versions.CannotGoBack, *removal.PROBLEMS) as problem:
        print(problem, file=sys.stderr)
        return 1


def _session(told: argparse.Namespace) -> Any:
    import boto3.session

    # boto3 reads AWS_DEFAULT_REGION alone; the CDK prefers AWS_REGION.
    region = told.region or os.environ.get("AWS_REGION")
    return boto3.session.Session(region_name=region, profile_name=told.profile)


def _check(session: Any, told: argparse.Namespace) -> int:
    stage = _stage(told.stage)
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


def _deploy(session: Any, told: argparse.Namespace) -> int:
    arguments = [word for setting in told.context for word in ("-c", setting)]
    if told.output:
        arguments += ["--output", told.output]
    return deploying.deploy(session, _stage(told.stage, told.context), arguments, print)


def _rollback(session: Any, told: argparse.Namespace) -> int:
    deploying.rollback(session, told.stage, print)
    return 0


def _destroy(session: Any, told: argparse.Namespace) -> int:
    return removal.destroy(session, told.stage, yes=told.yes, say=print)


def _take_over(session: Any, told: argparse.Namespace) -> int:
    return removal.take_over(session, _stage(told.stage, told.context), Path(told.file), print)


def _bootstrap(session: Any, told: argparse.Namespace) -> int:
    from infra import deploy_role

    return deploy_role.bootstrap(session, print)


_COMMANDS = {
    "check": _check,
    "deploy": _deploy,
    "rollback": _rollback,
    "destroy": _destroy,
    "take-over": _take_over,
    "bootstrap": _bootstrap,
}


def _stage(name: str, overrides: Sequence[str] = ()) -> Stage:
    """The settings of a stage in cdk.json, and those of `-c`; raises StageError."""
    context = json.loads(CDK_JSON.read_text())["context"]
    if name not in context["stages"]:
        raise StageError(f'There is no stage "{name}" in cdk.json. It has {", ".join(context["stages"])}.')
    told = dict(setting.partition("=")[::2] for setting in overrides)
    return read_stage({**context, **told, "stage": name}.get)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.stage", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    added = {
        name: commands.add_parser(name, help=words)
        for name, words in {
            "check": "say what account and region lack for a stage, and how to get it",
            "first-key": "print the address of a deployed stage and its first admin key",
            "deploy": "deploy a stage, and remove old versions of its functions",
            "rollback": "let all functions of a stage run the version before",
            "destroy": "remove a stage: lists what is there, asks, and says what is left",
            "take-over": "make a stage's data stack of what an earlier one left",
            "bootstrap": "prepare the account for the CDK, with a role that may deploy Darkroom and no more",
        }.items()
    }
    for name, command in added.items():
        if name != "bootstrap":
            command.add_argument("stage", help="its name in cdk.json, as in dev")
        command.add_argument("--region", help="the AWS region, if not that of the environment or the profile")
        command.add_argument("--profile", help="a profile of your AWS files")
    added["check"].add_argument(
        "--instance-type",
        action="append",
        metavar="TYPE",
        help="a type that endpoints shall have, as in ml.g5.xlarge; may repeat (the stage's instance_type)",
    )
    added["check"].add_argument("--instances", type=_positive, default=1, help="how many of each at once (1)")
    added["take-over"].add_argument("file", help="the file that destroy wrote")
    added["destroy"].add_argument("--yes", action="store_true", help="do not ask")
    added["deploy"].add_argument("--output", help="the folder for the CDK's templates (cdk.out)")
    for name in ("deploy", "take-over"):
        words = "for this time, as the CDK's -c; may repeat"
        added[name].add_argument("-c", dest="context", action="append", default=[], metavar="SETTING=VALUE", help=words)
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return int(text)
