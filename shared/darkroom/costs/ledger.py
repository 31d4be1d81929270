"""What jobs cost, by owner, endpoint, type and day: counted from the history, so that the end of a job writes nothing
more, and kept by day.

A job belongs to the hour in which it was made (UTC). A round of the sweeper counts the hours that are not settled; an
hour is settled once all of its jobs have ended, and is counted once more when nothing can happen to them any more: then
its day is closed. Every count replaces the one before, so that a round that breaks off, or comes twice, counts no job
twice. What is deleted before its day is closed is noted first, so that it stays counted.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from darkroom import ids
from darkroom.costs.model import HOURS, Counts, Day, Hour, JobCost, added, counted
from darkroom.costs.ports import DayStore
from darkroom.jobs.filters import Filters
from darkroom.jobs.history import LEAST, Read, fill, plan
from darkroom.jobs.model import Job
from darkroom.times import moment

MOST = 10_000
"""Jobs that one question counts at most beside those that are counted already."""
PAGE = 1_000
CHUNK = 6
"""Hours that a round counts at once."""
LAG = 300.0
"""Seconds after the end of an hour in which a job of it may still be written, or an index lag behind."""
SPARE = 3_600.0
"""Seconds for which the last count of a day waits longer than deletions note what they remove."""
FIRST_DAYS = 92
"""Days that are counted at most when nothing was counted before."""


@dataclass(frozen=True)
class Month:
    """What the jobs of a month (`2026-11`) cost. `open` are those that have not ended; `exact` is False when there were
    more new ones than one question counts, and `counts` lacks some."""

    month: str
    counts: Counts
    open: tuple[JobCost, ...]
    exact: bool


class Ledger:
    """Counts what jobs cost."""

    def __init__(
        self,
        store: DayStore,
        read: Read,
        first: Callable[[int], Job | None],
        shards: int,
        forgotten: float,
        kept: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`read` reads the history, of which the feed has so many `shards`, and `first` the oldest job of one. A job
        may change for `forgotten` seconds after it was made, and its row is there for `kept` seconds; `clock` gives
        epoch seconds."""
        self._store = store
        self._read = read
        self._first = first
        self._shards = shards
        self._forgotten = forgotten
        self._kept = kept
        self._clock = clock

    def month(self, month: str, owner: str | None = None, most: int = MOST) -> Month:
        """The costs of a month until now; those of one owner, or of all. At most `most` jobs are read: those of the
        hours that are not settled, the newest first."""
        rows, today = self._store.days(month), self._today()
        after = self._store.closed_until() or ""
        counts = added(*(_settled(row) for row in rows.values()))
        fresh: list[JobCost] = []
        exact = True
        days = [day for day in self._days_of(month, today) if day > after]
        hours = [hour for day in days for hour in self._unsettled(rows.get(day) or Day(day))]
        for stretch in reversed(_stretches(hours)):
            jobs, whole = self._jobs(*_bounds(stretch), owner, most - len(fresh))
            fresh += jobs
            exact = exact and whole
        if owner is not None:
            counts = {group: count for group, count in counts.items() if group.owner == owner}
        return Month(month, added(counts, counted(fresh)), tuple(job for job in fresh if not job.ended), exact)

    def note_removed(self, job: JobCost) -> None:
        """Note a job that is about to be removed, if its day is not closed."""
        if self._clock() < self._closes(ids.created_at(job.id).date().isoformat()) + SPARE / 2:
            self._store.note_removed(job)

    def run(self, left: Callable[[], float]) -> dict[str, float | list[str]]:
        """Count what is not settled, oldest day first, and close days; `left` gives the seconds that are left.

        Returns how many `hours` were counted and `days` closed, and which days are `broken` (another round wrote them
        at the same time; the next round counts them).
        """
        today, hours, closed, broken = self._today(), 0, 0, list[str]()
        day = self._first_day(today)
        may_close = True
        while day <= today and left() > 0:
            done, day_closed = self._count_day(day, left)
            hours += done
            if day_closed is None:
                broken.append(day)
            # Days are closed in their order, for one date says which are.
            may_close = may_close and bool(day_closed)
            if may_close:
                self._store.close_until(day)
                closed += 1
            day = _next(day)
        return {"hours": hours, "days": closed, "broken": broken}

    def _count_day(self, date_: str, left: Callable[[], float]) -> tuple[int, bool | None]:
        """Count what is not settled of a day. Returns how many hours were counted, and whether the day is closed now;
        None when another round wrote it."""
        row = self._store.day(date_) or Day(date_)
        if row.closed is not None:
            return 0, True
        last, hours, done = self._clock() >= self._closes(date_) + SPARE, dict(row.hours), 0
        for stretch in _stretches(self._unsettled(row, last), CHUNK):
            if left() <= 0:
                break
            hours |= self._counted(stretch, last)
            done += len(stretch)
        new = replace(row, hours=hours)
        if whole := last and not self._unsettled(new, last):
            new = replace(row, closed=new.counts, hours={})
        # A day without jobs has no row: the date up to which all are closed tells enough.
        if new != row and (new.counts or row.version) and not self._store.save(new):
            return done, None
        return done, whole

    def _counted(self, hours: list[str], last: bool) -> dict[str, Hour]:
        """Hours that follow each other, by their two digits."""
        jobs, _ = self._jobs(*_bounds(hours), None, None)
        by_hour: dict[str, list[JobCost]] = {hour[-2:]: [] for hour in hours}
        for job in jobs:
            by_hour[f"{ids.created_at(job.id):%H}"].append(job)
        over = {hour[-2:] for hour in hours if self._clock() >= _epoch(_after(hour)) + LAG}
        return {
            name: Hour(counted(of), settled=last or (name in over and all(job.ended for job in of)), final=last)
            for name, of in by_hour.items()
        }

    def _unsettled(self, row: Day, last: bool = False) -> list[str]:
        """The hours of a day, those that have begun, that are to be counted: all that are not settled, and when the
        day is to be closed (`last`) all that are not final. Rows that expire before that are not counted again."""
        if row.closed is not None:
            return []
        again = last and self._kept > self._forgotten + 2 * 86_400
        names = [name for name in HOURS if _epoch(f"{row.date}T{name}") <= self._clock()]
        known = {name: row.hours.get(name) for name in names}
        done = {name for name, hour in known.items() if hour and (hour.final if again else hour.settled)}
        return [f"{row.date}T{name}" for name in names if name not in done]

    def _jobs(self, low: str, high: str, owner: str | None, most: int | None) -> tuple[list[JobCost], bool]:
        """The jobs with ids from `low` to `high`, also removed ones, at most about `most`; and whether these are all.

        Removed ones are read last: one that goes in between is then in both, and counts once.
        """
        found: dict[str, JobCost] = {}
        whole = True
        for lines, more in self._pages(low, high, owner, most):
            found |= lines
            whole = not more
        for job in self._store.removed(low, high):
            if owner in (None, job.group.owner):
                found.setdefault(job.id, replace(job, ended=True))
        return list(found.values()), whole

    def _pages(
        self, low: str, high: str, owner: str | None, most: int | None
    ) -> Iterator[tuple[dict[str, JobCost], bool]]:
        read, room = 0, MOST if most is None else most
        while True:
            filters = Filters(owner=owner, low=low, high=high)
            limit = min(PAGE, room - read) if most is not None else PAGE
            if limit <= 0:
                yield {}, True
                return
            page = fill(
                self._read, filters, plan(filters, self._shards), limit, budget=2 * limit + LEAST * self._shards
            )
            read += len(page.lines)
            ended = page.next is None
            yield {line.id: JobCost.of(line) for line in page.lines}, not ended
            if page.next is None:
                return
            high = ids.before(page.next)

    def _first_day(self, today: str) -> str:
        """The day behind the last closed one; before the first, that of the oldest job."""
        until = self._store.closed_until()
        if until is not None:
            return _next(until)
        oldest = [job.line.created_at[:10] for shard in range(self._shards) if (job := self._first(shard))]
        earliest = date.fromisoformat(today) - timedelta(days=FIRST_DAYS)
        return max(min([*oldest, today]), earliest.isoformat())

    def _closes(self, date_: str) -> float:
        """From when nothing happens to a job of a day any more, in epoch seconds."""
        return _epoch(f"{_next(date_)}T00") + self._forgotten

    def _today(self) -> str:
        return moment(self._clock()).date().isoformat()

    def _days_of(self, month: str, today: str) -> list[str]:
        """The days of a month that have begun."""
        days = [f"{month}-01"]
        while (following := _next(days[-1]))[:7] == month:
            days.append(following)
        return [day for day in days if day <= today]


def _settled(row: Day) -> Counts:
    """What needs no further look."""
    return added(row.closed or {}, *(hour.counts for hour in row.hours.values() if hour.settled))


def _stretches(hours: list[str], longest: int = 31 * len(HOURS)) -> list[list[str]]:
    """Hours in stretches of those that follow each other."""
    stretches: list[list[str]] = []
    for hour in hours:
        if stretches and len(stretches[-1]) < longest and _after(stretches[-1][-1]) == hour:
            stretches[-1].append(hour)
        else:
            stretches.append([hour])
    return stretches


def _bounds(hours: list[str]) -> tuple[str, str]:
    """The lowest and the highest id of hours that follow each other."""
    return ids.first_of(moment(_epoch(hours[0]))), ids.before(ids.first_of(moment(_epoch(_after(hours[-1])))))


def _epoch(hour: str) -> float:
    """The beginning of an hour, as in `2026-11-28T06`, in epoch seconds."""
    return datetime.strptime(hour, "%Y-%m-%dT%H").replace(tzinfo=UTC).timestamp()


def _after(hour: str) -> str:
    return moment(_epoch(hour) + 3_600).strftime("%Y-%m-%dT%H")


def _next(date_: str) -> str:
    return (date.fromisoformat(date_) + timedelta(days=1)).isoformat()
