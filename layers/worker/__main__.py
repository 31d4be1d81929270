"""`python -m layers.worker`: builds the worker's package (`make worker`)."""

import argparse
import sys
from pathlib import Path

from layers.worker.package import BASES, DEFAULT, ENGINES, PackageError, build


def main() -> int:
    """Builds a package and prints its folder and its size; returns the exit code, 1 after an error message."""
    parser = argparse.ArgumentParser(prog="python -m layers.worker", description="Build the worker's package.")
    parser.add_argument("--engine", choices=ENGINES, default=ENGINES[0], help="what it can paint with")
    parser.add_argument("--base", choices=list(BASES), default="pytorch", help="the container of AWS that it is for")
    parser.add_argument("--python", help="another Python than that of the container, as in 3.12")
    parser.add_argument("--out", type=Path, default=DEFAULT, help="the folder of packages")
    options = parser.parse_args()
    try:
        package = build(options.out, options.base, options.engine, options.python)
    except PackageError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{package.folder} ({package.bytes / 1e6:.0f} MB, paints with {package.engine})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
