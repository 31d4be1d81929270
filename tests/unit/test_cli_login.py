"""`darkroom login`: what is stored, who can read it, and to which addresses the key is sent."""

import json
import sys
from pathlib import Path

import httpx
import pytest

from darkroom_cli import aws, logins
from tests.support.wire import answer_with
from tests.unit.command_line import run

URL = "https://api.example.com/v1"


@pytest.fixture(autouse=True)
def requests(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, str]]:
    """The addresses and keys of all requests, which a fake API answers. Each test has a home directory of its own."""
    sent: list[tuple[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append((str(request.url), request.headers["Authorization"]))
        if "wrong" in request.headers["Authorization"]:
            return httpx.Response(401, json={"code": "unauthenticated", "detail": "This key is not known."})
        return httpx.Response(200, json={"version": "1", "stage": "dev", "queues": []})

    answer_with(monkeypatch, answer)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("DARKROOM_URL", raising=False)
    monkeypatch.delenv("DARKROOM_KEY", raising=False)
    return sent


def test_address_and_key_are_stored_so_that_only_this_person_can_read_them(requests: list[tuple[str, str]]) -> None:
    output = run("login", f"{URL}/", answer="dk_secret\n").output
    assert "stage dev" in output
    assert "dk_secret" not in output
    assert json.loads(logins.file().read_text()) == {"url": URL, "key": "dk_secret"}
    assert (logins.file().stat().st_mode & 0o777, logins.file().parent.stat().st_mode & 0o777) == (0o600, 0o700)
    run("dead-letters", "list")
    assert requests[-1] == (f"{URL}/dead-letters", "Bearer dk_secret")


def test_a_key_that_is_refused_is_not_stored() -> None:
    assert "(unauthenticated)" in run("login", URL, answer="wrong\n", code=1).stderr
    assert not logins.file().exists()
    assert "one word" in run("login", URL, answer="two words\n", code=1).stderr
    assert "Give its address" in run("login", answer="k\n", code=1).stderr


def test_options_and_environment_come_before_the_stored_login(
    requests: list[tuple[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("login", URL, answer="stored\n")
    (tmp_path / "key").write_text("other\n")
    run("dead-letters", "list", "--key-file", str(tmp_path / "key"))
    assert requests[-1] == (f"{URL}/dead-letters", "Bearer other")
    monkeypatch.setenv("DARKROOM_KEY", "third")
    run("dead-letters", "list", "--url", "https://elsewhere.example.com/v1")
    assert requests[-1] == ("https://elsewhere.example.com/v1/dead-letters", "Bearer third")


def test_a_stored_key_is_sent_to_no_other_address(requests: list[tuple[str, str]]) -> None:
    run("login", URL, answer="stored\n")
    count = len(requests)
    refused = run("dead-letters", "list", "--url", "https://elsewhere.example.com/v1", code=1)
    assert "No access key" in refused.stderr
    assert len(requests) == count
    run("dead-letters", "list", "--url", f"{URL}/")
    assert requests[-1] == (f"{URL}/dead-letters", "Bearer stored")


def test_logout_deletes_the_login_and_a_damaged_login_asks_for_a_new_one() -> None:
    run("login", URL, answer="stored\n")
    logins.file().write_text("{")
    assert "login` again" in run("dead-letters", "list", code=1).stderr
    assert run("logout").output == "Logged out.\n"
    assert run("logout").output == "Nothing was stored.\n"
    assert "Where is Darkroom?" in run("dead-letters", "list", code=1).stderr


def test_an_address_and_a_stage_cannot_both_be_given() -> None:
    assert "not both" in run("login", URL, "--stage", "dev", code=1).stderr


def test_without_boto3_login_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    error = run("login", "--stage", "dev", code=1).stderr
    assert error == f"{aws.MISSING}\n"
    for command in ("uv tool install './cli[aws]'", "pipx install --force './cli[aws]'", "pip install './cli[aws]'"):
        assert command in error
