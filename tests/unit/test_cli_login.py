"""`darkroom login`: what is stored, who can read it, and to which addresses the key is sent."""

import json
import sys
from pathlib import Path

import httpx
import pytest

from darkroom_cli import logins
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


@pytest.mark.parametrize("content", ["dk_key", "dk_key\n", "dk_key\r\n", "\ufeffdk_key\r\n", "  dk_key \n\n"], ids=repr)
def test_a_key_is_read_without_a_byte_order_mark_and_line_ends(
    requests: list[tuple[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    (tmp_path / "key").write_bytes(content.encode())
    run("dead-letters", "list", "--url", URL, "--key-file", str(tmp_path / "key"))
    run("login", URL, answer=content)
    monkeypatch.setenv("DARKROOM_KEY", content)
    run("dead-letters", "list", "--url", URL)
    assert {key for _, key in requests} == {"Bearer dk_key"}
    assert len(requests) == 3


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-16-le", "utf-32"])
def test_a_key_in_another_encoding_is_refused_by_name_and_sent_nowhere(
    requests: list[tuple[str, str]], tmp_path: Path, encoding: str
) -> None:
    (tmp_path / "key").write_bytes("dk_k\xe9y\n".encode(encoding))
    error = run("dead-letters", "list", "--url", URL, "--key-file", str(tmp_path / "key"), code=1).stderr
    assert "is no UTF-8 text" in error
    assert str(tmp_path / "key") in error.replace("\n", "")
    typed = run("login", URL, answer="dk_k\xe9y\n".encode(encoding), code=1).stderr
    assert "the standard input is no UTF-8 text" in typed
    assert requests == []


def test_a_login_file_that_an_editor_gave_a_byte_order_mark_is_read(requests: list[tuple[str, str]]) -> None:
    run("login", URL, answer="stored\n")
    logins.file().write_text("\ufeff" + logins.file().read_text(), encoding="utf-8")
    run("dead-letters", "list")
    assert requests[-1] == (f"{URL}/dead-letters", "Bearer stored")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (f"{URL}/jobs", "/jobs is a route and not part of the address: use https://api.example.com/v1"),
        ("https://a1.execute-api.eu-west-1.amazonaws.com", "lacks its stage"),
        ("http://api.example.com/v1", "use https://api.example.com/v1"),
        ("api.example.com/v1", "begins with https://"),
        (f"{URL}?x=1", "query or a fragment"),
    ],
)
def test_an_address_that_is_none_is_explained_and_no_key_is_sent_there(
    requests: list[tuple[str, str]], url: str, says: str
) -> None:
    assert says in run("login", url, answer="k\n", code=1).stderr
    assert says in run("dead-letters", "list", "--url", url, code=1).stderr
    assert requests == []
    assert not logins.file().exists()


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
    assert error.count("\n") == 1
    for command in ("uv tool install './cli[aws]'", "pipx install --force './cli[aws]'", "pip install './cli[aws]'"):
        assert command in error
