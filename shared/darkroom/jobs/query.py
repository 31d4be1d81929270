"""Turns the times and cursors of a query, as people write them, into a range of ids."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from darkroom import ids
from darkroom.errors import FieldError, Malformed
from darkroom.jobs.api import HistoryQuery
from darkroom.jobs.filters import Filters

_LOST_PLUS = re.compile(r"(T.*) (\d{2}:?\d{2})$")


def filters_of(query: HistoryQuery) -> Filters:
    """The filters of a query with its range of ids. Raises Malformed with the name of the field that is wrong."""
    low, high = time_range(query.from_, query.to)
    if query.before is not None:
        if not ids.is_id(query.before):
            raise _wrong("before", "is no job id: send the `next` of the page before")
        high = min(high, ids.before(query.before))
    return replace(query.filters, low=low, high=high)


def time_range(start: str | None, end: str | None) -> tuple[str, str]:
    """The lowest and the highest id of a time range, both included.

    A date or date-time in ISO 8601; without a zone it is UTC. A bare end date includes its whole day, an
    end to the second that whole second, as labels show no more.
    """
    first = _moment("from", start)[0] if start is not None else None
    low = ids.first_of(first) if first else ids.LOWEST
    if end is None:
        return low, ids.HIGHEST
    last, span = _moment("to", end)
    if first and first - last >= span:
        raise _wrong("from", "is after `to`")
    try:
        return low, ids.before(ids.first_of(last + span))
    except OverflowError:  # the end of the year 9999
        return low, ids.HIGHEST


def _moment(name: str, text: str) -> tuple[datetime, timedelta]:
    """A moment in UTC, and how much time its text spans."""
    # In a query a plus sign means a blank, and few remember to escape it.
    written = _LOST_PLUS.sub(r"\1+\2", text.strip())
    try:
        moment = datetime.fromisoformat(written)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _wrong(name, "is no ISO 8601 date or date-time, as in 2026-01-31 or 2026-01-31T18:00:00Z") from error
    if not set("T: ") & set(written):
        return moment, timedelta(days=1)
    return moment, timedelta(milliseconds=1) if moment.microsecond else timedelta(seconds=1)


def _wrong(name: str, why: str) -> Malformed:
    return Malformed("invalid_request", f"`{name}` {why}.", (FieldError(("query", name), why),))
