"""The costs of a month, as the API shows them."""

import time
from collections.abc import Callable, Mapping

from darkroom.costs.api import CostsOut, EndpointCostOut, OverheadOut, OwnerCostOut
from darkroom.costs.budgets import state_of
from darkroom.costs.ledger import Ledger, Month
from darkroom.costs.model import AwakeDay, Count
from darkroom.costs.overview import by_endpoint, by_owner
from darkroom.costs.ports import BudgetStore, MeterStore
from darkroom.jobs.api import BudgetOut
from darkroom.times import iso, moment


class Costs:
    """Puts together what the meter and the ledger counted."""

    def __init__(
        self,
        ledger: Ledger,
        meter: MeterStore,
        budgets: BudgetStore,
        prices: Mapping[str, float],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`prices` are US dollars for an hour of an instance type, `clock` gives epoch seconds."""
        self._ledger = ledger
        self._meter = meter
        self._budgets = budgets
        self._prices = prices
        self._clock = clock

    def month(self, month: str | None, scope: str | None) -> CostsOut:
        """The costs of a month (`2026-11`, the present one when None). `scope` is the one owner whose costs may be
        seen, None for all. Budgets belong to the present month, and are shown with it alone."""
        now = iso(moment(self._clock()))
        found = self._ledger.month(month or now[:7], scope)
        awake = self._meter.awake(found.month) if scope is None else []
        budgets = self._states(found, awake, scope) if found.month == now[:7] else {}
        endpoints = by_endpoint(found.counts, awake, self._prices) if scope is None else []
        owners = by_owner(found.counts)
        names = [*owners, *(owner for owner in budgets if owner is not None and owner not in owners)]
        if scope is not None and scope not in names:
            names.append(scope)
        jobs = sum(owners.values(), Count())
        waking, idle = sum(one.waking for one in endpoints), sum(one.idle for one in endpoints)
        return CostsOut(
            month=found.month,
            currency="USD",
            as_of=now,
            exact=found.exact,
            total=round(sum(one.cost for one in endpoints) if scope is None else jobs.cost, 4),
            jobs=jobs.jobs,
            jobs_cost=round(jobs.cost, 4),
            overhead=_overhead(waking, idle) if scope is None else None,
            endpoints=[EndpointCostOut.of(one) for one in endpoints],
            owners=[OwnerCostOut.of(name, owners.get(name, Count()), budgets.get(name)) for name in names],
            budget=budgets.get(None),
        )

    def _states(self, month: Month, awake: list[AwakeDay], scope: str | None) -> dict[str | None, BudgetOut]:
        """The budgets that the caller may see, by owner."""
        return {
            budget.owner: BudgetOut.of(state_of(budget, month, awake, self._prices))
            for budget in self._budgets.all()
            if scope in (None, budget.owner)
        }


def _overhead(waking: float, idle: float) -> OverheadOut:
    return OverheadOut(waking=round(waking, 4), idle=round(idle, 4), cost=round(waking + idle, 4))
