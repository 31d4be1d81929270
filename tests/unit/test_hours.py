"""Working hours: which moments are in them, in any time zone and on the days when clocks change."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.endpoints.hours import WEEKDAYS, Hours, is_zone, read

BERLIN = "Europe/Berlin"
OFFICE = Hours(("mon", "tue", "wed", "thu", "fri"), "09:00", "18:00", BERLIN)


def at(text: str, zone: str = BERLIN, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


@pytest.mark.parametrize(
    ("moment", "covered"),
    [
        ("2026-11-27T08:59:59", False),
        ("2026-11-27T09:00:00", True),
        ("2026-11-27T17:59:59", True),
        ("2026-11-27T18:00:00", False),
        ("2026-11-28T12:00:00", False),
        # In summer the same clocks count.
        ("2026-07-01T09:00:00", True),
        ("2026-07-01T08:59:59", False),
    ],
)
def test_office_hours_are_those_of_the_zones_clocks(moment: str, covered: bool) -> None:
    assert OFFICE.cover(at(moment)) is covered


def test_hours_over_midnight_belong_to_the_day_on_which_they_begin() -> None:
    night = Hours(("fri",), "22:00", "06:00", "Asia/Tokyo")
    assert night.cover(at("2026-11-27T23:00", "Asia/Tokyo"))
    assert night.cover(at("2026-11-28T05:59", "Asia/Tokyo"))
    assert not night.cover(at("2026-11-28T06:00", "Asia/Tokyo"))
    assert not night.cover(at("2026-11-27T05:00", "Asia/Tokyo"))


def test_a_whole_day_ends_with_the_day() -> None:
    day = Hours(("sun",), "00:00", "24:00", BERLIN)
    assert day.cover(at("2026-11-29T00:00"))
    assert day.cover(at("2026-11-29T23:59:59"))
    assert not day.cover(at("2026-11-30T00:00"))
    assert day.a_month == pytest.approx(24 * 365.25 / 7 / 12)


def seconds_covered(hours: Hours, day: str) -> int:
    """How many seconds of 30 hours from the beginning of a day are working hours, by minutes."""
    begin = at(f"{day}T00:00", hours.zone)
    return sum(60 for minute in range(30 * 60) if hours.cover(begin + 60 * minute))


def test_a_day_on_which_clocks_are_put_forward_is_an_hour_shorter() -> None:
    """29 March 2026: from 02:00 to 03:00 there is no time in Berlin."""
    assert seconds_covered(Hours(("sun",), "00:00", "08:00", BERLIN), "2026-03-29") == 7 * 3600
    # Hours that begin within the gap begin after it.
    assert seconds_covered(Hours(("sun",), "02:30", "08:00", BERLIN), "2026-03-29") == int(4.5 * 3600)
    # Those that end within the gap end after it, too.
    assert seconds_covered(Hours(("sun",), "00:00", "02:30", BERLIN), "2026-03-29") == int(2.5 * 3600)


def test_a_day_on_which_clocks_are_put_back_is_an_hour_longer() -> None:
    """25 October 2026: the time from 02:00 to 03:00 comes twice in Berlin."""
    assert seconds_covered(Hours(("sun",), "00:00", "08:00", BERLIN), "2026-10-25") == 9 * 3600
    twice = Hours(("sun",), "00:00", "02:30", BERLIN)
    assert twice.cover(at("2026-10-25T02:15", fold=1))
    assert not twice.cover(at("2026-10-25T02:30", fold=1))
    late = Hours(("sun",), "02:30", "08:00", BERLIN)
    assert late.cover(at("2026-10-25T02:30", fold=0))


def test_a_month_of_office_hours_is_a_bit_less_than_200() -> None:
    assert round(OFFICE.a_month, 1) == 195.7
    assert round(Hours(("fri",), "22:00", "06:00", BERLIN).a_month, 1) == 34.8


times = st.integers(0, 24 * 60 - 1).map(lambda minutes: f"{minutes // 60:02}:{minutes % 60:02}")
days = st.sets(st.sampled_from(WEEKDAYS), min_size=1).map(lambda some: tuple(d for d in WEEKDAYS if d in some))
zones = st.sampled_from(["UTC", BERLIN, "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Etc/GMT+5"])
hours = st.builds(Hours, days, times, times | st.just("24:00"), zones)


@given(hours)
def test_a_tag_keeps_hours_as_they_are(found: Hours) -> None:
    assert read(found.text) == found


@given(hours, st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(ZoneInfo("UTC"))))
def test_a_moment_is_covered_when_its_own_day_or_the_one_before_is(found: Hours, moment: datetime) -> None:
    local = moment.astimezone(ZoneInfo(found.zone))
    around = {WEEKDAYS[(local.date() - timedelta(days=back)).weekday()] for back in (0, 1)}
    if found.cover(moment.timestamp()):
        assert around & set(found.days)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "mon",
        "mon 09:00-18:00",
        "xyz 09:00-18:00 UTC",
        "mon 9-18 UTC",
        "mon 09-18 UTC",
        "mon 09:00:00-18:00 UTC",
        "mon 09:00-18:00+02:00 UTC",
        "mon 24:00-18:00 UTC",
        "mon 09:00 UTC",
        "mon 09:00-18:00 No/Where",
    ],
)
def test_a_tag_that_somebody_else_wrote_is_no_hours(text: str | None) -> None:
    assert read(text) is None


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "Europe", "", "Europe/Berlin/", "nowhere\x00", "a" * 999]
)
def test_what_is_no_zone_is_told_without_an_error(name: str) -> None:
    assert not is_zone(name)
