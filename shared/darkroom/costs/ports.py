"""What the costs need from the outside; `aws` has the implementations."""

from collections.abc import Mapping
from typing import Protocol

from darkroom.costs.model import AwakeDay, Budget, Day, JobCost, Metered, Sample


class DayStore(Protocol):
    """The counted days of jobs."""

    def days(self, month: str) -> dict[str, Day]:
        """The rows of a month (`2026-11`) by date. A day without jobs may have none."""

    def day(self, date: str) -> Day | None:
        """The row of one day, as it is now (a consistent read)."""

    def save(self, day: Day) -> bool:
        """Write a row that is still as it was read (by its `version`); False when it is not."""

    def closed_until(self) -> str | None:
        """The last date up to which every day is closed, None before the first."""

    def close_until(self, date: str) -> None:
        """Store that date."""

    def note_removed(self, job: JobCost) -> None:
        """Keep what a job cost that is about to be removed, until its day is closed. May be repeated."""

    def removed(self, low: str, high: str) -> list[JobCost]:
        """The jobs that `note_removed` kept, with ids from `low` to `high`, both included and of one month; as they are
        now (a consistent read)."""


class MeterStore(Protocol):
    """The metered seconds of endpoints."""

    def samples(self) -> dict[str, Sample]:
        """What was last seen of each endpoint."""

    def add(
        self,
        endpoint: str,
        before: Sample | None,
        now: Sample,
        metered: Mapping[tuple[str, str], Metered],
    ) -> bool:
        """Replace the sample of an endpoint and add what was metered, by date and instance type, in one step; False,
        and nothing is written, when the sample is not `before` any more."""

    def awake(self, month: str) -> list[AwakeDay]:
        """All that was metered in a month."""


class BudgetStore(Protocol):
    """The rows of budgets."""

    def all(self) -> list[Budget]:
        """Every budget; one of this moment may be missing."""

    def put(self, budget: Budget) -> None:
        """Set a budget; it takes the place of the one before."""

    def remove(self, owner: str | None) -> None:
        """Take a budget away; no error when there is none."""
