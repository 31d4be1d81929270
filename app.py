"""The CDK app: the two stacks of one stage. `cdk` runs it with the `python3` that is first on the PATH: `make deploy
STAGE=dev` puts the virtual environment there."""

import sys

from aws_cdk import App

from infra.bundling import BuildError
from infra.nag import check
from infra.releases import Frozen, check_indexes
from infra.stacks import add_stacks
from infra.stage import StageError, read_stage


def main() -> int:
    """Write the stage's templates into the CDK's output folder; returns the exit code, 1 after an error message."""
    app = App(analytics_reporting=False)
    try:
        check_indexes()
        add_stacks(app, read_stage(app.node.try_get_context))
    except (Frozen, StageError, BuildError) as problem:
        print(problem, file=sys.stderr)
        return 1
    check(app)
    app.synth()
    return 0


if __name__ == "__main__":
    sys.exit(main())
