"""Working hours of an endpoint: the days and times at which it has at least one instance, in a time zone of its own."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, get_args
from zoneinfo import ZoneInfo

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)
HOURS_TAG = "darkroom:hours"
"""The tag that keeps an endpoint's working hours. Tags have no commas (API reference, Tag), so days are joined by
dots: `mon.tue 09:00-18:00 Europe/Berlin`."""
END_OF_DAY = "24:00"
WEEKS_A_MONTH = 365.25 / 7 / 12
_TIME = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_TEXT = re.compile(rf"([a-z.]+) ({_TIME})-({_TIME}|{END_OF_DAY}) (\S+)")


@dataclass(frozen=True)
class Hours:
    """Working hours: on each of `days` from `start` to `end`, which are `HH:MM` in the time zone `zone` (IANA). An
    `end` that is not after `start` is on the next day."""

    days: tuple[Weekday, ...]
    start: str
    end: str
    zone: str

    def cover(self, now: float) -> bool:
        """Whether `now`, in epoch seconds, is a working hour.

        The clocks of the zone count, so that 09:00 stays 09:00 when they are put forward or back. Of a time that comes
        twice on such a day, hours begin with the first and end with the second; one that is left out counts as the
        moment after the gap that is as far from its beginning.
        """
        zone = ZoneInfo(self.zone)
        today = datetime.fromtimestamp(now, UTC).astimezone(zone).date()
        return any(
            begin <= now < end
            for day in (today - timedelta(days=1), today)
            if WEEKDAYS[day.weekday()] in self.days
            for begin, end in [self._on(day, zone)]
        )

    def _on(self, day: date, zone: ZoneInfo) -> tuple[float, float]:
        """Begin and end of the hours that begin on a day, in epoch seconds."""
        last = day if self.end != END_OF_DAY and self.end > self.start else day + timedelta(days=1)
        end = "00:00" if self.end == END_OF_DAY else self.end
        begins = datetime.combine(day, time.fromisoformat(self.start), zone)
        ends = datetime.combine(last, time.fromisoformat(end), zone)
        # Of a time that comes twice the later one, and of one that is left out the one behind the gap.
        return begins.timestamp(), max(ends.replace(fold=fold).timestamp() for fold in (0, 1))

    @property
    def a_month(self) -> float:
        """Working hours in a month, on average."""
        begins, ends = _minutes(self.start), _minutes(self.end)
        minutes = ends - begins if ends > begins else ends - begins + 24 * 60
        return minutes / 60 * len(self.days) * WEEKS_A_MONTH

    @property
    def text(self) -> str:
        """The hours as the tag keeps them."""
        return f"{'.'.join(self.days)} {self.start}-{self.end} {self.zone}"


def read(text: str | None) -> Hours | None:
    """Hours from the text of the tag; None from an empty one, and from one that somebody else wrote."""
    parts = _TEXT.fullmatch(text or "")
    if parts is None:
        return None
    days, start, end, zone = parts.groups()
    known = tuple(day for day in WEEKDAYS if day in days.split("."))
    return Hours(known, start, end, zone) if known and is_zone(zone) else None


def is_zone(name: str) -> bool:
    """Whether a name is that of a time zone. A name may look like a path, so it is not simply tried."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return False
    return True


def _minutes(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)
