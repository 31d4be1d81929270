"""Job ids sort by time of creation and tell it."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom import ids


def test_ids_are_uuid_version_7_of_the_rfc_variant() -> None:
    parsed = uuid.UUID(ids.new_id())
    assert parsed.version == 7
    assert parsed.variant == uuid.RFC_4122


def test_an_id_tells_when_it_was_made() -> None:
    assert abs(ids.created_at(ids.new_id()) - datetime.now(UTC)) < timedelta(seconds=5)


def test_the_example_of_the_rfc_is_read_right() -> None:
    # RFC 9562, appendix A.6: Tuesday, February 22, 2022 2:22:22.00 PM GMT-05:00
    assert ids.created_at("017f22e2-79b0-7cc3-98c4-dc0c0c07398f") == datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)


def test_ids_of_one_process_rise_strictly_even_within_a_millisecond_and_over_threads() -> None:
    alone = [ids.new_id() for _ in range(20_000)]
    assert alone == sorted(set(alone))
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda _: ids.new_id(), range(5_000)))
    assert len(set(together)) == len(together)


def test_ids_rise_even_when_the_clock_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    first = ids.new_id()
    monkeypatch.setattr("time.time_ns", lambda: 1_000_000_000)
    assert ids.new_id() > first


@given(st.text(max_size=60))
def test_anything_else_is_no_id(text: str) -> None:
    assert not ids.is_id(text)


@pytest.mark.parametrize("make", [str.upper, lambda i: i.replace("-", ""), lambda i: "{" + i + "}", lambda i: i + "\n"])
def test_an_id_written_another_way_is_no_id(make: object) -> None:
    made = ids.new_id()
    assert ids.is_id(made)
    assert not ids.is_id(make(made))  # type: ignore[operator]
    assert not ids.is_id(str(uuid.uuid4()))
