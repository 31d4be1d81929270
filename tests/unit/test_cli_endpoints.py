"""What `darkroom endpoints` prints of an endpoint."""

import json
from typing import Any

import httpx
import pytest

from darkroom_cli.commands.endpoints import described, hours_of, table_of
from tests.support.wire import answer_with
from tests.unit.command_line import run

WARM = {
    "name": "darkroom-test-docs",
    "warm_until": "2026-11-28T08:00:00Z",
    "hours": 2.0,
    "instance_type": "ml.g5.xlarge",
    "dollars_an_hour": 1.41,
    "dollars": 2.82,
    "detail": "docs is kept awake.",
}
OFFICE: dict[str, Any] = {
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
    "created_at": "2026-11-28T06:00:00Z",
    "modified_at": "2026-11-28T06:00:00Z",
    "instance_types": [{"instance_type": "ml.g5.xlarge", "instances": 0}],
    "image": None,
    "engine": None,
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
    "dollars_an_hour": None,
    "wake_ups": [],
    "forecast": None,
}


@pytest.fixture
def row() -> Any:
    return dict(ROW)


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
        "when it wakes: The first picture usually takes 3 min, nearly always under 5 min.",
        "woken at 2026-11-28T06:00:00.000Z: no picture yet",
        "woken at 2026-11-27T06:00:00.000Z: 201 s to the first picture",
    ]


def test_a_price_that_is_not_known_is_said(row: Any) -> None:
    row["hours"] = {**OFFICE, "dollars_a_month": None}
    assert hours_of(row).endswith("of unknown price")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch, row: Any) -> list[httpx.Request]:
    """The requests that the command line sends; each is answered with an endpoint."""
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, json=WARM if request.method == "POST" else row)

    answer_with(monkeypatch, answer)
    monkeypatch.setenv("DARKROOM_URL", "https://api.example.com")
    monkeypatch.setenv("DARKROOM_KEY", "a-key")
    return requests


def test_warm_says_for_how_long_and_prints_what_it_costs(sent: list[httpx.Request]) -> None:
    assert run("endpoints", "warm", "docs", "2h").output == "docs is kept awake.\n"
    assert (sent[0].method, sent[0].url.raw_path) == ("POST", b"/endpoints/docs/warm?for=2h")
    run("endpoints", "warm", "docs", "--end")
    assert (sent[1].method, sent[1].url.path) == ("DELETE", "/endpoints/docs/warm")


def test_hours_are_sent_as_the_api_takes_them(sent: list[httpx.Request]) -> None:
    run("endpoints", "hours", "docs", "mon,fri", "09:00", "18:00", "Europe/Berlin")
    told = {name: OFFICE[name] for name in ("days", "from", "to", "time_zone")}
    assert json.loads(sent[0].content) == {"hours": told}
    assert run("endpoints", "hours", "docs", "--none").output == "darkroom-test-docs: no working hours\n"
    assert json.loads(sent[1].content) == {"hours": None}


@pytest.mark.parametrize("words", [[], ["mon"], ["mon", "09:00", "18:00"], ["mon", "09:00", "18:00", "UTC", "--none"]])
def test_half_of_the_hours_are_no_hours(sent: list[httpx.Request], words: list[str]) -> None:
    assert "or --none" in run("endpoints", "hours", "docs", *words, code=1).output
    assert sent == []


def test_show_prints_an_endpoint(sent: list[httpx.Request]) -> None:
    assert "0 (asleep) of 0 to 2 instances" in run("endpoints", "show", "docs").output
    assert json.loads(run("endpoints", "show", "docs", "--json").output)["wake_ups"] == []


def test_the_list_says_until_when_and_in_which_hours_an_endpoint_is_kept_awake(row: Any) -> None:
    assert [str(cell) for cell in table_of([row]).columns[-1].cells] == [""]
    row |= {"warm_until": "2026-11-28T08:00:00Z", "hours": OFFICE}
    [told] = table_of([row]).columns[-1].cells
    assert str(told) == "until 2026-11-28 08:00; mon,fri 09:00-18:00 Europe/Berlin"
