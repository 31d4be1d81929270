"""What a date or time in a query names: all of it, at its own precision."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom import ids
from darkroom.errors import Malformed
from darkroom.jobs.periods import Period, period
from darkroom.jobs.query import time_range


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026", utc(2026, 1, 1), utc(2027, 1, 1)),
        ("2026-11", utc(2026, 11, 1), utc(2026, 12, 1)),
        ("2026-12", utc(2026, 12, 1), utc(2027, 1, 1)),
        ("2028-02", utc(2028, 2, 1), utc(2028, 3, 1)),
        ("2026-W48", utc(2026, 11, 23), utc(2026, 11, 30)),
        ("2026W48", utc(2026, 11, 23), utc(2026, 11, 30)),
        ("2026-W01", utc(2025, 12, 29), utc(2026, 1, 5)),
        ("2026-W53", utc(2026, 12, 28), utc(2027, 1, 4)),
        ("2026-W48-5", utc(2026, 11, 27), utc(2026, 11, 28)),
        ("2026W485", utc(2026, 11, 27), utc(2026, 11, 28)),
        ("2026-331", utc(2026, 11, 27), utc(2026, 11, 28)),
        ("2026331", utc(2026, 11, 27), utc(2026, 11, 28)),
        ("2028-366", utc(2028, 12, 31), utc(2029, 1, 1)),
        ("2026-11-27", utc(2026, 11, 27), utc(2026, 11, 28)),
        ("20261127", utc(2026, 11, 27), utc(2026, 11, 28)),
        ("2026-11-27Z", utc(2026, 11, 27), utc(2026, 11, 28)),
        ("2026-11-27+02:00", utc(2026, 11, 26, 22), utc(2026, 11, 27, 22)),
        ("2026-11-05:00", utc(2026, 11, 1, 5), utc(2026, 12, 1, 5)),
        ("2026-11-27T02", utc(2026, 11, 27, 2), utc(2026, 11, 27, 3)),
        ("2026-11-27T23", utc(2026, 11, 27, 23), utc(2026, 11, 28)),
        ("2026-11-27T02+02", utc(2026, 11, 27), utc(2026, 11, 27, 1)),
        ("2026-11-27T02 02", utc(2026, 11, 27), utc(2026, 11, 27, 1)),
        ("2026-11-27T02:31", utc(2026, 11, 27, 2, 31), utc(2026, 11, 27, 2, 32)),
        ("2026-11-27 02:31", utc(2026, 11, 27, 2, 31), utc(2026, 11, 27, 2, 32)),
        ("2026-11-27t02:31z", utc(2026, 11, 27, 2, 31), utc(2026, 11, 27, 2, 32)),
        ("20261127T0231Z", utc(2026, 11, 27, 2, 31), utc(2026, 11, 27, 2, 32)),
        ("2026-11-27T02:31+02:00", utc(2026, 11, 27, 0, 31), utc(2026, 11, 27, 0, 32)),
        ("2026-11-27T02:31 02:00", utc(2026, 11, 27, 0, 31), utc(2026, 11, 27, 0, 32)),
        ("2026-11-27 02:31 02:00", utc(2026, 11, 27, 0, 31), utc(2026, 11, 27, 0, 32)),
        ("2026-11-27T23:31-0330", utc(2026, 11, 28, 3, 1), utc(2026, 11, 28, 3, 2)),
        ("2026-W48-5T02:31", utc(2026, 11, 27, 2, 31), utc(2026, 11, 27, 2, 32)),
        ("2026-331T02", utc(2026, 11, 27, 2), utc(2026, 11, 27, 3)),
        ("2026-11-27T02:31:05Z", utc(2026, 11, 27, 2, 31, 5), utc(2026, 11, 27, 2, 31, 6)),
        ("2026-11-27T02:31:05.25", utc(2026, 11, 27, 2, 31, 5, 250_000), utc(2026, 11, 27, 2, 31, 5, 251_000)),
        ("2026-11-27T02:31:05,000", utc(2026, 11, 27, 2, 31, 5), utc(2026, 11, 27, 2, 31, 5, 1000)),
        ("2026-11-27T02:31:05.1234567Z", utc(2026, 11, 27, 2, 31, 5, 123_456), utc(2026, 11, 27, 2, 31, 5, 124_456)),
        ("9999", utc(9999, 1, 1), None),
        ("9999-12-31", utc(9999, 12, 31), None),
        ("9999-12-31T23:59:59", utc(9999, 12, 31, 23, 59, 59), None),
        ("9999-W52", utc(9999, 12, 27), None),
    ],
)
def test_a_text_names_all_the_time_of_its_precision(text: str, start: datetime, end: datetime | None) -> None:
    assert period(text) == Period(start, end)


@pytest.mark.parametrize(
    "text",
    [
        "", "yesterday", "202611", "26-11-27", "2026-13", "2026-00", "2026-02-30", "2026-366", "2026-000", "2026-W54",
        "2026-W00", "2026-W48-8", "2026-W48-0", "2026-11-27T24:00", "2026-11-27T02:60", "2026-11-27T02:31:60",
        "2026-11-27T", "2026-11T02", "2026-W48T02", "2026T02", "2026-05:00", "0000", "0001-01-01+02:00",
        "2026-11-27T02:31+99:00", "2026-11-27T02:31+01:75", "2026-11-27T02.5", "1764210000", "２０２６-11-27",
        "2026-11-27/2026-11-28", "2026-11-27T02:31:05.", "2026-11-27T02:31[Europe/Berlin]", "--11-27",
    ],
)  # fmt: skip
def test_any_other_text_is_refused_with_the_name_of_the_field(text: str) -> None:
    for name, range_of in (("from", (text, None)), ("to", (None, text))):
        with pytest.raises(Malformed) as refused:
            time_range(*range_of)
        assert refused.value.errors[0].loc == ("query", name)


FORMS = (
    ("%Y", timedelta(days=365)),
    ("%Y-%m", timedelta(days=28)),
    ("%G-W%V", timedelta(days=7)),
    ("%G-W%V-%u", timedelta(days=1)),
    ("%Y-%j", timedelta(days=1)),
    ("%Y-%m-%d", timedelta(days=1)),
    ("%Y-%m-%dT%H", timedelta(hours=1)),
    ("%Y-%m-%dT%H:%M", timedelta(minutes=1)),
    ("%Y%m%dT%H%M", timedelta(minutes=1)),
    ("%Y-%m-%d %H:%M:%SZ", timedelta(seconds=1)),
    ("%Y-%m-%dT%H:%M:%S.%f", timedelta(milliseconds=1)),
)
moments = st.datetimes(datetime(1990, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))


@given(moments, st.sampled_from(FORMS))
def test_from_and_to_of_one_text_hold_just_what_happened_in_it(moment: datetime, form: tuple[str, timedelta]) -> None:
    pattern, least = form
    text = moment.strftime(pattern)
    low, high = time_range(text, text)
    inside = ids.first_of(moment.replace(microsecond=moment.microsecond // 1000 * 1000))
    if "%f" not in pattern:
        assert low <= inside <= high
    width = ids.created_at(high) - ids.created_at(low) + timedelta(milliseconds=1)
    assert least <= width <= least * 1.11
    if "%f" not in pattern:
        start = ids.created_at(low)
        assert (start - timedelta(milliseconds=1)).strftime(pattern) != text == start.strftime(pattern)


def test_a_range_may_end_in_the_period_that_it_begins_in_and_not_before() -> None:
    time_range("2026-11-27T02:31", "2026-11-27")
    time_range("2026-11-27T02:31", "2026-W48")
    for start, end in (("2026-11-28", "2026-11-27"), ("2026-12", "2026-W48"), ("2026-11-27T02:32", "2026-11-27T02:31")):
        with pytest.raises(Malformed, match="after `to`"):
            time_range(start, end)
