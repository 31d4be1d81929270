"""What a date or time names, as people write it: a year, a month, a week, a day, an hour, down to a millisecond."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone

_ZONE = r"(?P<zone>Z|[+-]\d{2}(?::?\d{2})?)"
_DAY = (
    r"(?P<year>\d{4})(?:"
    r"-(?P<month>\d{2})(?:-(?P<day>\d{2}))?|(?P<month2>\d{2})(?P<day2>\d{2})"
    r"|-?W(?P<week>\d{2})(?:-?(?P<weekday>\d))?"
    r"|-?(?P<ordinal>\d{3})"
    r")?"
)
_TIME = r"(?P<hour>\d{2})(?::?(?P<minute>\d{2})(?::?(?P<second>\d{2})(?:[.,](?P<fraction>\d+))?)?)?"
# Only a day has a time. Behind a date without a time, a zone needs its colon: `2026-11-05` is a day.
_FORM = re.compile(rf"{_DAY}(?:[T ]{_TIME}{_ZONE}?|(?P<of_day>Z|[+-]\d{{2}}:\d{{2}}))?", re.ASCII | re.IGNORECASE)
# In a query a plus sign means a blank, and few remember to escape it.
_LOST_PLUS = re.compile(r"([T ]\d{2}[\d:.,]*) (\d{2}(?::?\d{2})?)$", re.ASCII | re.IGNORECASE)

_SPANS = {
    "fraction": timedelta(milliseconds=1),
    "second": timedelta(seconds=1),
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
}
"""How long a time lasts, by the finest part that it names."""


@dataclass(frozen=True)
class Period:
    """A stretch of time in UTC: `start` belongs to it, `end` does not; `end` is None at the end of the year 9999."""

    start: datetime
    end: datetime | None


def period(text: str) -> Period:
    """All the time that a text in ISO 8601 names, at its own precision: `2026`, `2026-11`, `2026-W48`, `2026-W48-5`,
    `2026-331`, `2026-11-27`, `2026-11-27T02`, `…T02:31`, `…T02:31:05`, `…T02:31:05.250` (one millisecond), and the
    forms without signs between the numbers. In UTC unless it names a zone. Raises ValueError for any other text."""
    found = _FORM.fullmatch(_LOST_PLUS.sub(r"\1+\2", text.strip()))
    if found is None:
        raise ValueError("is no date or time")
    part = {name: value for name, value in found.groupdict().items() if value}
    first, after = _days(part)
    zone = _zone(part.get("zone") or part.get("of_day") or "Z")
    if part.get("of_day", "Z").upper() != "Z" and part.keys() <= {"year", "of_day"}:
        raise ValueError("may be a year with a zone, or a month and minutes")
    if "hour" not in part:
        return _in_utc(datetime(first.year, first.month, first.day), after, zone)
    if not {"day", "day2", "weekday", "ordinal"} & part.keys():
        raise ValueError("has a time, but names no day")
    return _of_day(first, part, zone)


def _days(part: dict[str, str]) -> tuple[date, datetime | None]:
    """The first day that the date names, and the midnight after its last one."""
    year = int(part["year"])
    if "week" in part:
        first = date.fromisocalendar(year, int(part["week"]), int(part.get("weekday", 1)))
        return first, _later(first, 1 if "weekday" in part else 7)
    if "ordinal" in part:
        first = date(year, 1, 1) + timedelta(days=int(part["ordinal"]) - 1)
        if first.year != year:
            raise ValueError("has no such day")
        return first, _later(first, 1)
    month, day = part.get("month") or part.get("month2"), part.get("day") or part.get("day2")
    first = date(year, int(month or 1), int(day or 1))
    if day:
        return first, _later(first, 1)
    months = (first.month if month else 12) + 12 * year
    return first, None if months == 12 * 10_000 else datetime(months // 12, months % 12 + 1, 1)


def _later(first: date, days: int) -> datetime | None:
    try:
        return datetime(first.year, first.month, first.day) + timedelta(days=days)
    except OverflowError:
        return None


def _of_day(day: date, part: dict[str, str], zone: timezone) -> Period:
    """The hour, minute, second or millisecond of a day."""
    hour, minute, second = (int(part.get(name, 0)) for name in ("hour", "minute", "second"))
    fraction = int(part.get("fraction", "").ljust(6, "0")[:6])
    start = datetime(day.year, day.month, day.day, hour, minute, second, fraction)
    span = next(span for name, span in _SPANS.items() if name in part)
    try:
        end = start + span
    except OverflowError:
        end = None
    return _in_utc(start, end, zone)


def _in_utc(start: datetime, end: datetime | None, zone: timezone) -> Period:
    try:
        after = end.replace(tzinfo=zone).astimezone(UTC) if end else None
    except OverflowError:
        after = None
    try:
        return Period(start.replace(tzinfo=zone).astimezone(UTC), after)
    except OverflowError as error:
        raise ValueError("lies before the year 1 or after 9999") from error


def _zone(text: str) -> timezone:
    if text.upper() == "Z":
        return UTC
    hours, minutes = int(text[1:3]), int(text[3:].strip(":") or 0)
    if minutes > 59:
        raise ValueError("has no such zone")
    away = timedelta(hours=hours, minutes=minutes)
    return timezone(-away if text[0] == "-" else away)
