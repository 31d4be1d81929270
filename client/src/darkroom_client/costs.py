"""What a month costs, and budgets. Budgets need the key of an admin."""

from darkroom_client.answers import BudgetList, BudgetSet, Costs
from darkroom_client.client import Darkroom, expect, without_none

STAGE = "stage"
"""Whose budget that of the whole stage is."""


def month(darkroom: Darkroom, name: str | None = None) -> Costs:
    """The costs of a month, as in `2026-11`; of the present one without a name. An admin gets all, everybody else the
    own jobs."""
    return expect(Costs, darkroom.request("GET", "/costs", params=without_none({"month": name})))


def budgets(darkroom: Darkroom) -> list[BudgetSet]:
    """Every budget, that of the stage first."""
    return expect(BudgetList, darkroom.request("GET", "/budgets"))["budgets"]


def set_budget(darkroom: Darkroom, owner: str, monthly: float, warn_at: float | None = None) -> BudgetSet:
    """Set what an owner, or `STAGE`, may spend in a month, in US dollars; there is a warning from the share `warn_at`
    (0 to 1) of it on, Darkroom's usual one when None."""
    body = without_none({"monthly": monthly, "warn_at": warn_at})
    return expect(BudgetSet, darkroom.request("PUT", f"/budgets/{owner}", json=body))


def remove_budget(darkroom: Darkroom, owner: str) -> None:
    """Take the budget of an owner, or of `STAGE`, away."""
    darkroom.request("DELETE", f"/budgets/{owner}")
