"""What `darkroom endpoints` prints of an endpoint."""

from collections.abc import Iterator
from typing import Any

import pytest

from darkroom_cli.commands.endpoints import described, hours_of

OFFICE = {
    "days": ["mon", "fri"],
    "from": "09:00",
    "to": "18:00",
    "time_zone": "Europe/Berlin",
    "hours_a_month": 78.3,
    "dollars_a_month": 110.4,
}
ROW: Any = {
    "name": "darkroom-test-docs",
    "status": "InService",
    "usable": True,
    "modified_at": "2026-11-28T06:00:00Z",
    "instance_type": "ml.g5.xlarge",
    "instances": 0,
    "wanted_instances": 0,
    "min_instances": 0,
    "max_instances": 2,
    "scaling": True,
    "open_jobs": 0,
    "owner": "anna",
    "failure": None,
    "deleting": False,
    "warm_until": None,
    "hours": None,
    "wake_ups": [],
    "forecast": None,
}


@pytest.fixture
def row() -> Iterator[Any]:
    yield dict(ROW)


def test_an_endpoint_without_a_past_is_one_line(row: Any) -> None:
    assert list(described(row)) == ["darkroom-test-docs: InService, 0 (asleep) of 0 to 2 instances, ml.g5.xlarge"]


def test_all_that_is_known_is_told(row: Any) -> None:
    wake_ups = [
        {"asked": "2026-11-28T06:00:00.000Z", "instance": None, "container": None, "picture": None, "seconds": None},
        {"asked": "2026-11-27T06:00:00.000Z", "instance": "x", "container": "x", "picture": "x", "seconds": 201.4},
    ]
    row |= {
        "warm_until": "2026-11-28T08:00:00Z",
        "hours": OFFICE,
        "wake_ups": wake_ups,
        "forecast": {"median": 201.4, "ninth_decile": 250.0, "wake_ups": 9},
    }
    assert list(described(row))[1:] == [
        "kept awake until 2026-11-28T08:00:00Z",
        "working hours: mon,fri 09:00 to 18:00 Europe/Berlin, 78.3 hours a month, 110.40 US dollars",
        "from asleep to the first picture: 201 s in the middle case, 250 s in nine of ten (9 wake-ups)",
        "woken at 2026-11-28T06:00:00.000Z: no picture yet",
        "woken at 2026-11-27T06:00:00.000Z: 201 s to the first picture",
    ]


def test_a_price_that_is_not_known_is_said(row: Any) -> None:
    row["hours"] = {**OFFICE, "dollars_a_month": None}
    assert hours_of(row).endswith("of unknown price")
