"""Job ids sort by their time of creation and contain it."""

import uuid
from collections.abc import Callable
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


def test_an_id_contains_its_time_of_creation() -> None:
    assert abs(ids.created_at(ids.new_id()) - datetime.now(UTC)) < timedelta(seconds=5)


def test_the_time_in_the_example_of_the_rfc_is_read_correctly() -> None:
    # RFC 9562, appendix A.6: Tuesday, February 22, 2022 2:22:22.00 PM GMT-05:00
    assert ids.created_at("017f22e2-79b0-7cc3-98c4-dc0c0c07398f") == datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)


def test_ids_of_one_process_are_increasing_and_ids_of_its_threads_differ() -> None:
    one_thread = [ids.new_id() for _ in range(20_000)]
    assert one_thread == sorted(set(one_thread))
    with ThreadPoolExecutor(8) as pool:
        threads = list(pool.map(lambda _: ids.new_id(), range(5_000)))
    assert len(set(threads)) == len(threads)


def test_ids_rise_even_when_the_clock_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    first = ids.new_id()
    monkeypatch.setattr("time.time_ns", lambda: 1_000_000_000)
    assert ids.new_id() > first


@given(st.text(max_size=60))
def test_any_other_text_is_no_id(text: str) -> None:
    assert not ids.is_id(text)


@pytest.mark.parametrize(
    "rewrite",
    [str.upper, lambda text: text.replace("-", ""), lambda text: "{" + text + "}", lambda text: text + "\n"],
)
def test_an_id_in_another_notation_is_no_id(rewrite: Callable[[str], str]) -> None:
    job_id = ids.new_id()
    assert ids.is_id(job_id)
    assert not ids.is_id(rewrite(job_id))
    assert not ids.is_id(str(uuid.uuid4()))
