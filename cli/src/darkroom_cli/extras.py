"""What commands that need more packages say without them."""

from darkroom_client import Failure


def extra_missing(extra: str) -> Failure:
    """The failure of a command whose packages the extra of that name brings: how to install the command line again."""
    it = f"./cli[{extra}]"
    return Failure(
        f"This needs packages that the extra `{extra}` brings. Install the command line again with it, in the "
        f"checkout: uv tool install '{it}', or pipx install --force '{it}', or pip install '{it}'. "
        f"For a wheel, write [{extra}] behind its file name in the same way."
    )
