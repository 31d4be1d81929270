"""`python -m infra.stage` against the local stack: its account is one that AWS has granted quotas to."""

import subprocess
import sys

from local import parts
from local.home import ROOT
from tests.e2e.conftest import Running


def run(darkroom: Running, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 - the command is our own
        [sys.executable, "-m", "infra.stage", *arguments],
        cwd=ROOT,
        env=parts.environment(darkroom.home.read()),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_account_of_the_local_stack_is_ready_and_its_first_key_can_be_read(darkroom: Running) -> None:
    checked = run(darkroom, "check", "local")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert [line.split()[0] for line in checked.stdout.splitlines()[:5]] == ["ok"] * 5
    key = run(darkroom, "first-key", "local").stdout.splitlines()[1]
    assert key == f"key  {darkroom.key}"


def test_an_account_without_gpus_is_told_what_to_ask_for(darkroom: Running) -> None:
    darkroom.knobs(quotas={})
    checked = run(darkroom, "check", "local", "--instance-type", "ml.g5.xlarge", "--instance-type", "ml.g5.2xlarge")
    assert checked.returncode == 1
    lacking = [line for line in checked.stdout.splitlines() if line.startswith("NOT OK")]
    assert [line.split()[2] for line in lacking] == ["ml.g5.xlarge", "ml.g5.2xlarge"]
    assert "request-service-quota-increase --region us-east-1 --service-code sagemaker" in checked.stdout
