"""The command line `darkroom`, run in this process."""

from typer.testing import CliRunner, Result

from darkroom_cli.main import app


def run(*arguments: object, code: int = 0, answer: str | bytes | None = None) -> Result:
    """Run `darkroom` with these arguments and return what it printed; `answer` is what a person types, and `code` the
    exit code that the test expects."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=answer)
    assert result.exit_code == code, result.output
    return result
