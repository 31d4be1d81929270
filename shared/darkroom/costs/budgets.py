"""Budgets: what an owner, or the stage, may spend in a month.

A job is refused when what is spent this month, what the open jobs are expected to cost and what this one is expected to
cost are more than a budget. What is spent is read again after `CACHE_SECONDS`; in between, a function adds the jobs
that it made itself. So with `n` functions at work a budget can be exceeded by what the other `n - 1` accept in that
time, and by what open jobs cost more than expected.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from darkroom.costs.ledger import Ledger, Month
from darkroom.costs.model import AwakeDay, Budget, Counts
from darkroom.costs.overview import spent_by_stage
from darkroom.costs.ports import BudgetStore, MeterStore
from darkroom.errors import Missing, OverBudget
from darkroom.jobs.ports import BudgetState, PlannedJob
from darkroom.jobs.types import JobType
from darkroom.times import iso, moment

CACHE_SECONDS = 15.0
"""How long is used what was spent."""
BUDGETS_SECONDS = 30.0
"""How long the list of budgets is used; so long a new one may go unnoticed."""
REFUSAL_SECONDS = 2.0
"""A job is refused only by numbers that are at most this old; older ones are read again first."""
PICTURE_SECONDS = 30.0
"""What an instance is expected to take for a picture when no job of its like has told its run time this month."""


@dataclass
class _Spent:
    """What was spent when it was last read, with what this process added since; in US dollars."""

    read_at: float
    spent: float
    expected: float
    paces: Counts = field(default_factory=dict)


class Budgets:
    """Sets budgets, and says how much of them is used."""

    def __init__(
        self,
        store: BudgetStore,
        ledger: Callable[[], Ledger],
        meter: Callable[[], MeterStore],
        prices: Callable[[], Mapping[str, float]],
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`ledger` and `meter` are called when there is a budget. `prices` gives US dollars for an hour of an instance
        type, `clock` epoch seconds, `monotonic` seconds for the age of what was read."""
        self._store = store
        self._ledger = ledger
        self._meter = meter
        self._prices = prices
        self._clock = clock
        self._monotonic = monotonic
        self._budgets: list[Budget] = []
        self._listed_at: float | None = None
        self._spent: dict[tuple[str | None, str], _Spent] = {}

    def all(self) -> list[Budget]:
        """Every budget, that of the stage first, then by owner."""
        return sorted(self._store.all(), key=lambda budget: (budget.owner is not None, budget.owner or ""))

    def set(self, owner: str | None, monthly: float, warn_at: float, by: str) -> Budget:
        """Set the budget of an owner, or of the stage (None); `by` is who asks."""
        budget = Budget(owner, monthly, warn_at, by, iso(moment(self._clock())))
        self._store.put(budget)
        self._listed_at = None
        return budget

    def remove(self, owner: str | None) -> None:
        """Take a budget away; no error when there is none."""
        self._listed_at = None
        self._store.remove(owner)

    def find(self, owner: str | None) -> Budget:
        """The budget of an owner, or of the stage. Raises Missing `budget_not_found`."""
        found = next((budget for budget in self._store.all() if budget.owner == owner), None)
        if found is None:
            raise _not_found(owner)
        return found

    def admit(self, planned: PlannedJob) -> BudgetState | None:
        """See `jobs.ports.Spending.admit`. Without a budget nothing is read but, now and then, the list of them."""
        nearest: BudgetState | None = None
        for budget in self._budgets_of(planned.owner):
            state = self._with(budget, planned, CACHE_SECONDS)
            if state.exceeded:
                state = self._with(budget, planned, REFUSAL_SECONDS)
            if state.exceeded:
                raise OverBudget("budget_spent", _refusal(state))
            if state.near and (nearest is None or state.used > nearest.used):
                nearest = state
        return nearest

    def add(self, planned: PlannedJob) -> None:
        """See `jobs.ports.Spending.add`. Only what was read to admit it is added to."""
        for owner in (None, planned.owner):
            if spent := self._spent.get((owner, self._month())):
                spent.expected += expected(planned, spent.paces)

    def _with(self, budget: Budget, planned: PlannedJob, oldest: float) -> BudgetState:
        """The state with one more job, by numbers that are at most so many seconds old."""
        key = budget.owner, self._month()
        spent = self._spent.get(key)
        if spent is None or self._monotonic() - spent.read_at > oldest:
            self._spent = {known: value for known, value in self._spent.items() if known[1] == key[1]}
            spent = self._spent[key] = self._read(budget.owner)
        state = self._state(budget, spent)
        return replace(state, expected=state.expected + expected(planned, spent.paces))

    def _read(self, owner: str | None) -> _Spent:
        month = self._ledger().month(self._month(), owner)
        awake = self._meter().awake(month.month) if owner is None else []
        state = state_of(Budget(owner, 0, 0, "", ""), month, awake, self._prices())
        return _Spent(self._monotonic(), state.spent, state.expected, month.counts)

    def _state(self, budget: Budget, spent: _Spent) -> BudgetState:
        return BudgetState(budget.owner, budget.monthly, spent.spent, spent.expected, budget.warn_at)

    def _budgets_of(self, owner: str) -> list[Budget]:
        if self._listed_at is None or self._monotonic() - self._listed_at > BUDGETS_SECONDS:
            self._budgets, self._listed_at = self.all(), self._monotonic()
        return [budget for budget in self._budgets if budget.owner in (None, owner)]

    def _month(self) -> str:
        return iso(moment(self._clock()))[:7]


def state_of(budget: Budget, month: Month, awake: Iterable[AwakeDay], prices: Mapping[str, float]) -> BudgetState:
    """How much of a budget is used: by the jobs of its owner, or by all endpoints. `month` may have other owners' jobs,
    too."""
    owner = budget.owner
    if owner is None:
        spent = spent_by_stage(month.counts, awake, prices)
    else:
        spent = sum(count.cost for group, count in month.counts.items() if group.owner == owner)
    planned = [
        PlannedJob(job.group.owner, job.group.type, job.group.endpoint, job.price, job.pictures)
        for job in month.open
        if owner in (None, job.group.owner)
    ]
    open_cost = sum(expected(job, month.counts) for job in planned)
    return BudgetState(owner, budget.monthly, round(spent, 6), round(open_cost, 6), budget.warn_at)


def expected(job: PlannedJob, counts: Counts) -> float:
    """What a job is expected to cost, in US dollars, by how long this month's jobs of its type took for a picture: on
    its endpoint, else on any, else `PICTURE_SECONDS`. One without a known price is expected to cost nothing."""
    if job.price is None:
        return 0.0
    pace = _pace(counts, job.type, job.endpoint) or _pace(counts, job.type, None) or PICTURE_SECONDS
    return pace * job.pictures * job.price / 3600


def _pace(counts: Counts, job_type: JobType, endpoint: str | None) -> float | None:
    """Seconds for a picture; None when that is not known."""
    alike = [
        count
        for group, count in counts.items()
        if group.type == job_type and (endpoint is None or group.endpoint == endpoint)
    ]
    pictures = sum(count.pictures for count in alike)
    return sum(count.run_seconds for count in alike) / pictures if pictures else None


def _not_found(owner: str | None) -> Missing:
    whose = "The stage" if owner is None else repr(owner[:64])
    return Missing("budget_not_found", f"{whose} has no budget. GET /budgets lists those there are.")


def _refusal(state: BudgetState) -> str:
    whose = "The stage" if state.owner is None else state.owner
    return (
        f"{whose} may spend {state.budget:.2f} dollars a month. {state.spent:.2f} are spent, and the open jobs with "
        f"this one are expected to cost {state.expected:.2f}. Wait for the next month, or ask an admin for a larger "
        "budget."
    )
