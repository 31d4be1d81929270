"""`python -m layers.page`: builds the page (`make page`)."""

import sys

from layers.page.build import PageError, built


def main() -> int:
    """Builds the page and prints its folder and its size; returns the exit code, 1 after an error message."""
    try:
        page = built()
    except PageError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{page.folder} ({page.script_bytes / 1000:.0f} KB of JavaScript, compressed)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
