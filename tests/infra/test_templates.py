"""The templates by the rules of CloudFormation itself."""

import subprocess
import sys
from pathlib import Path

from tests.infra.conftest import Installations


def test_cfn_lint_has_nothing_to_say(installations: Installations) -> None:
    stages = (installations.prod, installations.dev, installations.strict)
    templates = [
        stage.folder / stack.template_file for stage in stages for stack in (stage.data_stack, stage.service_stack)
    ]
    run = subprocess.run(  # noqa: S603 - our own words
        [
            str(Path(sys.executable).with_name("cfn-lint")),
            "--regions=us-east-1",
            # The CDK repeats what a reference already says; that is harmless.
            "--ignore-checks=W3005",
            "--",
            *map(str, templates),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
