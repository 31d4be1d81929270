"""`darkroom costs`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from darkroom_cli.console import AsJson, KeyFile, Url, connected, print_json, reported_errors, screen
from darkroom_client.answers import Budget, Costs, EndpointCost, OwnerCost

if TYPE_CHECKING:
    from rich.table import Table

ENDPOINTS = ("Endpoint", "Awake h", "Cost $", "Jobs", "Jobs $", "Waking $", "Idle $")
OWNERS = ("Owner", "Jobs", "Cost $", "Unknown", "Estimated", "Budget")


def costs(
    month: Annotated[
        str | None, typer.Option("--month", help="As in 2026-11, in UTC; the present month without it.")
    ] = None,
    as_json: AsJson = False,
    url: Url = None,
    key_file: KeyFile = None,
) -> None:
    """What a month costs, by endpoint and by owner. An admin sees all, everybody else the own jobs."""
    with reported_errors(), connected(url, key_file) as darkroom:
        from darkroom_client import costs as calls

        found = calls.month(darkroom, month)
        if as_json:
            print_json(found)
            return
        console = screen()
        if not console.is_terminal:
            for line in _plain(found):
                typer.echo("\t".join(line))
            return
        if found["endpoints"]:
            console.print(_table(ENDPOINTS, map(_endpoint, found["endpoints"])))
        if found["owners"]:
            console.print(_table(OWNERS, map(_owner, found["owners"])))
        for text in _sentences(found):
            console.print(text, highlight=False)


def _table(columns: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(columns[0], header_style="bold")
    for name in columns[1:]:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _plain(found: Costs) -> Iterator[tuple[str, ...]]:
    """Lines for programs: each begins with what it is."""
    for endpoint in found["endpoints"]:
        yield ("endpoint", *_endpoint(endpoint))
    for owner in found["owners"]:
        yield ("owner", *_owner(owner))
    if found["budget"]:
        yield ("budget", "stage", _budget(found["budget"]))
    yield ("total", found["month"], f"{found['total']:.4f}")


def _sentences(found: Costs) -> Iterator[str]:
    amount = f"{found['month']} costs {found['total']:.2f} dollars"
    overhead = found["overhead"]
    if overhead is None:
        yield f"{amount} for {found['jobs']} jobs."
    else:
        yield (
            f"{amount}: {found['jobs_cost']:.2f} for {found['jobs']} jobs, {overhead['waking']:.2f} for waking and "
            f"{overhead['idle']:.2f} for idle instances."
        )
    if found["budget"]:
        yield f"Budget of the stage: {_budget(found['budget'])}."
    if not found["exact"]:
        yield "More jobs were made than one answer counts: the true cost is higher. Ask again in some minutes."
    if any(endpoint["unpriced"] for endpoint in found["endpoints"]):
        yield "An instance type marked with * has no price, so the true cost is higher: see the setting `prices`."


def _endpoint(endpoint: EndpointCost) -> tuple[str, ...]:
    amounts = (endpoint["jobs_cost"], endpoint["waking"], endpoint["idle"])
    jobs, waking, idle = (f"{amount:.4f}" for amount in amounts)
    cost = f"{endpoint['cost']:.4f}{'*' if endpoint['unpriced'] else ''}"
    name = endpoint["name"] or "(none)"
    return (name, f"{endpoint['awake_hours']:.2f}", cost, str(endpoint["jobs"]), jobs, waking, idle)


def _owner(owner: OwnerCost) -> tuple[str, ...]:
    counts = str(owner["unknown"]), str(owner["estimated"])
    budget = _budget(owner["budget"]) if owner["budget"] else ""
    return (owner["owner"], str(owner["jobs"]), f"{owner['cost']:.4f}", *counts, budget)


def _budget(budget: Budget) -> str:
    """How much of a budget is used, with a mark when it is nearly spent."""
    return f"{budget['used']:.0%} of {budget['monthly']:.2f}{' (nearly spent)' if budget['warning'] else ''}"
