"""`python -m infra.stage first-key NAME`: the address of a deployed stage and its first admin key.

Needs AWS credentials that may read the stacks and the secret. `darkroom login --stage` reads the same and stores it.
"""

import sys

from darkroom_cli import aws
from darkroom_client import Failure


def show(stage: str, region: str | None = None, profile: str | None = None) -> int:
    """Print address and key; returns the exit code, 1 after an error message when they cannot be read."""
    try:
        login = aws.login(stage, region, profile)
    except Failure as failure:
        print(failure, file=sys.stderr)
        return 1
    print(f"API  {login.url}")
    print(f"key  {login.key}")
    return 0


def main(arguments: list[str]) -> int:
    """The same as a command of its own, which it was at first; returns the exit code."""
    if len(arguments) != 1:
        print("Say which stage: python -m infra.stage first-key dev", file=sys.stderr)
        return 2
    return show(arguments[0])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
