"""`darkroom login`: what is stored, where, for whom, and where the key goes."""

import json
import sys
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner, Result

from darkroom_cli import aws, logins
from darkroom_cli.main import app
from tests.support.wire import answer_with

URL = "https://api.example.com/v1"


@pytest.fixture(autouse=True)
def seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, str]]:
    """A home of its own, and a Darkroom anywhere that tells which addresses were asked with which keys."""
    asked: list[tuple[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((str(request.url), request.headers["Authorization"]))
        if "wrong" in request.headers["Authorization"]:
            return httpx.Response(401, json={"code": "unauthenticated", "detail": "This key is not known."})
        return httpx.Response(200, json={"version": "1", "stage": "dev", "queues": []})

    answer_with(monkeypatch, answer)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("DARKROOM_URL", raising=False)
    monkeypatch.delenv("DARKROOM_KEY", raising=False)
    return asked


def run(*arguments: str, code: int = 0, answer: str | None = None) -> Result:
    done = CliRunner().invoke(app, list(arguments), input=answer)
    assert done.exit_code == code, done.output
    return done


def test_address_and_key_are_stored_for_this_person_alone(seen: list[tuple[str, str]]) -> None:
    told = run("login", f"{URL}/", answer="dk_secret\n").output
    assert "stage dev" in told
    assert "dk_secret" not in told
    assert json.loads(logins.file().read_text()) == {"url": URL, "key": "dk_secret"}
    assert (logins.file().stat().st_mode & 0o777, logins.file().parent.stat().st_mode & 0o777) == (0o600, 0o700)
    run("dead-letters", "list")
    assert seen[-1] == (f"{URL}/dead-letters", "Bearer dk_secret")


def test_a_key_that_is_refused_is_not_stored() -> None:
    assert "(unauthenticated)" in run("login", URL, answer="wrong\n", code=1).stderr
    assert not logins.file().exists()
    assert "one word" in run("login", URL, answer="two words\n", code=1).stderr
    assert "Give its address" in run("login", answer="k\n", code=1).stderr


def test_options_and_environment_win_over_what_is_stored(
    seen: list[tuple[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("login", URL, answer="stored\n")
    (tmp_path / "key").write_text("other\n")
    run("dead-letters", "list", "--key-file", str(tmp_path / "key"))
    assert seen[-1] == (f"{URL}/dead-letters", "Bearer other")
    monkeypatch.setenv("DARKROOM_KEY", "third")
    run("dead-letters", "list", "--url", "https://elsewhere.example.com/v1")
    assert seen[-1] == ("https://elsewhere.example.com/v1/dead-letters", "Bearer third")


def test_a_stored_key_goes_to_no_other_address(seen: list[tuple[str, str]]) -> None:
    run("login", URL, answer="stored\n")
    before = len(seen)
    refused = run("dead-letters", "list", "--url", "https://elsewhere.example.com/v1", code=1)
    assert "No access key" in refused.stderr
    assert len(seen) == before
    run("dead-letters", "list", "--url", f"{URL}/")
    assert seen[-1] == (f"{URL}/dead-letters", "Bearer stored")


def test_logout_forgets_and_a_damaged_file_says_what_to_do() -> None:
    run("login", URL, answer="stored\n")
    logins.file().write_text("{")
    assert "login` again" in run("dead-letters", "list", code=1).stderr
    assert run("logout").output == "Logged out.\n"
    assert run("logout").output == "Nothing was stored.\n"
    assert "Where is Darkroom?" in run("dead-letters", "list", code=1).stderr


def test_an_address_and_a_stage_exclude_each_other() -> None:
    assert "not both" in run("login", URL, "--stage", "dev", code=1).stderr


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    told = run("login", "--stage", "dev", code=1).stderr
    assert told == f"{aws.MISSING}\n"
    for words in ("uv tool install './cli[aws]'", "pipx install --force './cli[aws]'", "pip install './cli[aws]'"):
        assert words in told
