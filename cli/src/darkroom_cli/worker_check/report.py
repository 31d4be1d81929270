"""The table of what holds, for a person and for programs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from darkroom_cli.worker_check.checks import Check, Outcome, Row

if TYPE_CHECKING:
    from rich.table import Table

STYLES: dict[Outcome, str] = {"holds": "green", "does not hold": "red", "refused": "yellow", "not tried": "dim"}


def cells(row: Row) -> tuple[str, ...]:
    """A row as texts: name, level, outcome, what must hold, and why it does or does not."""
    return row.name, row.level, row.outcome, row.what, row.why


def table_of(rows: Sequence[Row]) -> "Table":
    """The rows as a table."""
    from rich.table import Table
    from rich.text import Text

    table = Table("row", "level", "outcome", "what must hold", "why")
    for row in rows:
        style = "yellow" if row.outcome == "does not hold" and row.level == "should" else STYLES[row.outcome]
        table.add_row(row.name, row.level, Text(row.outcome, style), Text(row.what), Text(row.why))
    return table


def list_of(checks: Sequence[Check]) -> "Table":
    """The checks as a table."""
    from rich.table import Table

    table = Table("row", "level", "what must hold")
    for check in checks:
        table.add_row(check.name, check.level, check.what)
    return table


def keeps(rows: Sequence[Row]) -> bool:
    """Whether the worker keeps the contract, as far as it was tried: something held, and nothing is broken that must
    hold."""
    return not any(row.breaks for row in rows) and any(row.outcome == "holds" for row in rows)


def verdict(rows: Sequence[Row]) -> str:
    """The outcome of all in some sentences."""
    if broken := [row.name for row in rows if row.breaks]:
        return f"The worker does not keep the contract: {', '.join(broken)}."
    if not keeps(rows):
        return "Nothing that was tried holds."
    text = "The worker keeps the contract."
    if missed := [row.name for row in rows if row.level == "should" and row.outcome == "does not hold"]:
        text += f" It should also keep: {', '.join(missed)}."
    if left := [row.name for row in rows if row.outcome == "not tried"]:
        text += f" Not tried: {', '.join(left)}."
    return text
