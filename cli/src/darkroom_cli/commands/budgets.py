"""`darkroom budgets set | list | remove`."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from darkroom_cli.console import AsJson, KeyFile, Url, connected, minute, print_json, reported_errors, show
from darkroom_client.answers import BudgetSet

if TYPE_CHECKING:
    from rich.table import Table

app = typer.Typer(
    help="Budgets: what an owner, or the stage, may spend in a month. Takes the key of an admin.", no_args_is_help=True
)
Owner = Annotated[str, typer.Argument(help="The owner, or `stage` for all together.")]


@app.command("set")
def set_(
    owner: Owner,
    monthly: Annotated[float, typer.Argument(metavar="DOLLARS", min=0, help="US dollars a month.")],
    warn_at: Annotated[
        float | None, typer.Option("--warn-at", min=0, max=1, help="From which share on to warn; 0.8 without it.")
    ] = None,
    as_json: AsJson = False,
    url: Url = None,
    key_file: KeyFile = None,
) -> None:
    """Set a budget. New jobs that would exceed it are refused."""
    with reported_errors(), connected(url, key_file) as darkroom:
        from darkroom_client import costs

        budget = costs.set_budget(darkroom, owner, monthly, warn_at)
        if as_json:
            print_json(budget)
        else:
            typer.echo(f"{_whose(budget)} may spend {budget['monthly']:.2f} dollars a month.")


@app.command("list")
def list_(as_json: AsJson = False, url: Url = None, key_file: KeyFile = None) -> None:
    """List budgets, that of the stage first. `darkroom costs` says how much of each is used."""
    with reported_errors(), connected(url, key_file) as darkroom:
        from darkroom_client import costs

        show(costs.budgets(darkroom), _cells, table_of, "There are no budgets.", as_json)


@app.command()
def remove(owner: Owner, url: Url = None, key_file: KeyFile = None) -> None:
    """Take a budget away."""
    with reported_errors(), connected(url, key_file) as darkroom:
        from darkroom_client import costs

        costs.remove_budget(darkroom, owner)
        typer.echo(f"{owner} has no budget any more.")


def table_of(budgets: Iterable[BudgetSet]) -> "Table":
    """Budgets as a table."""
    from rich.table import Table
    from rich.text import Text

    table = Table("Whose", "A month", "Warns at", "Set by", "Set", header_style="bold")
    for budget in budgets:
        table.add_row(*map(Text, _cells(budget)))
    return table


def _cells(budget: BudgetSet) -> tuple[str, ...]:
    amounts = f"{budget['monthly']:.2f}", f"{budget['warn_at']:.0%}"
    return (_whose(budget), *amounts, budget["set_by"], minute(budget["set_at"]))


def _whose(budget: BudgetSet) -> str:
    return budget["owner"] or "stage"
