"""Who may use the bridge: keys, web pages, names, and what it writes down."""

import base64
import logging
import socket
from collections.abc import Iterator

import httpx
import pytest

from darkroom_bridge.settings import MAX_BODY, Settings
from darkroom_client import Failure
from tests.unit.bridge_stage import URL, FakeDarkroom, bridge
from tests.unit.command_line import run

OPTIONS = "/sdapi/v1/options"


@pytest.fixture(scope="module")
def darkroom() -> FakeDarkroom:
    return FakeDarkroom()


@pytest.fixture(scope="module")
def without_key(darkroom: FakeDarkroom) -> Iterator[httpx.Client]:
    with bridge(darkroom, None) as http:
        yield http


@pytest.fixture(scope="module")
def with_key(darkroom: FakeDarkroom) -> Iterator[httpx.Client]:
    with bridge(darkroom) as http:
        yield http


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"anybody:{password}".encode()).decode()


@pytest.mark.parametrize("header", [None, "Basic %", basic(""), basic("wrong"), "Bearer wrong", "Bearer two words"])
def test_without_a_good_key_the_answer_asks_for_one(without_key: httpx.Client, header: str | None) -> None:
    answer = without_key.get(OPTIONS, headers={"Authorization": header} if header else {})
    assert (answer.status_code, list(answer.json())) == (401, ["detail"])
    assert answer.headers["WWW-Authenticate"].startswith("Basic")
    paid = without_key.get("/v1/models", headers={"Authorization": header} if header else {})
    assert (paid.status_code, paid.json()["error"]["code"]) == (401, "invalid_api_key")


@pytest.mark.parametrize("header", [basic("a-key"), "Bearer a-key", "bearer  b-key"])
def test_the_key_is_a_password_or_a_token(without_key: httpx.Client, header: str) -> None:
    assert without_key.get(OPTIONS, headers={"Authorization": header}).status_code == 200


def test_the_bridges_own_key_serves_those_that_send_none_and_no_wrong_one(with_key: httpx.Client) -> None:
    assert with_key.get(OPTIONS).status_code == 200
    assert with_key.get(OPTIONS, headers={"Authorization": basic("")}).status_code == 200
    assert with_key.get(OPTIONS, headers={"Authorization": basic("wrong")}).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example:7861"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": ""},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:8000"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_web_page_elsewhere_is_refused(
    with_key: httpx.Client, darkroom: FakeDarkroom, headers: dict[str, str]
) -> None:
    before = len(darkroom.bodies)
    for answer in (
        with_key.get(OPTIONS, headers=headers),
        with_key.post("/sdapi/v1/txt2img", json={}, headers=headers),
        with_key.post("/v1/images/generations", json={"prompt": "x"}, headers=headers),
    ):
        assert answer.status_code in (400, 403)
        assert not [name for name in answer.headers if name.startswith("access-control")]
    assert len(darkroom.bodies) == before


def test_no_web_page_gets_permission_by_asking_first(with_key: httpx.Client) -> None:
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    answer = with_key.options("/sdapi/v1/txt2img", headers=asked)
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "host", ["localhost:7861", "127.0.0.1", "[::1]:7861", "host.docker.internal:7861", "192.168.0.9"]
)
def test_names_that_no_web_page_can_have_are_taken(with_key: httpx.Client, host: str) -> None:
    assert with_key.get(OPTIONS, headers={"Host": host, "Origin": f"http://{host}"}).status_code == 200


def test_further_names_are_taken_when_the_bridge_is_told(darkroom: FakeDarkroom) -> None:
    with bridge(darkroom, hosts=("Studio.lan",)) as http:
        assert http.get(OPTIONS, headers={"Host": "studio.lan:7861"}).status_code == 200


def test_a_body_over_the_limit_is_refused(with_key: httpx.Client) -> None:
    with socket.create_connection((with_key.base_url.host, with_key.base_url.port or 80)) as client:
        head = f"POST /sdapi/v1/txt2img HTTP/1.1\r\nHost: localhost\r\nContent-Length: {MAX_BODY + 1}\r\n\r\n"
        client.sendall(head.encode())
        assert client.recv(100).startswith(b"HTTP/1.1 413")


def test_a_body_that_does_not_tell_its_size_is_counted(with_key: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("darkroom_bridge.guard.MAX_BODY", 10)
    answer = with_key.post("/sdapi/v1/txt2img", content=iter([b'{"prompt": ', b'"a pier"}']))
    assert answer.status_code == 413


def test_a_bridge_with_a_key_listens_on_this_machine_alone() -> None:
    for host in ("0.0.0.0", "192.168.0.9", "::", "example.org"):  # noqa: S104 - that is the point
        with pytest.raises(Failure, match="--no-key"):
            Settings(URL, "a-key", host)
        assert Settings(URL, None, host)
    for host in ("127.0.0.1", "127.0.0.9", "::1", "localhost"):
        assert Settings(URL, "a-key", host)


def test_the_command_refuses_to_lend_its_key_to_other_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARKROOM_KEY", "a-key")
    told = run("bridge", "--url", URL, "--host", "0.0.0.0", code=1)  # noqa: S104 - that is the point
    assert "--no-key" in told.stderr


def test_without_its_packages_the_command_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("darkroom_cli.commands.bridge.NEEDED", ("no_such_package",))
    assert "uv tool install './cli[bridge]'" in run("bridge", "--url", URL, code=1).stderr


def test_a_port_that_is_taken_is_told_with_what_to_do(with_key: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARKROOM_KEY", "a-key")
    told = run("bridge", "--url", URL, "--port", with_key.base_url.port, code=1)
    assert "give another one with --port" in told.stderr


def test_no_key_and_no_prompt_is_written_down(darkroom: FakeDarkroom, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with bridge(darkroom, None) as http:
        headers = {"Authorization": basic("a-key")}
        http.post("/sdapi/v1/txt2img", json={"prompt": "a secret pier"}, headers=headers)
        http.post("/sdapi/v1/txt2img", json={"prompt": "a secret pier"}, headers={"Authorization": "Bearer b-key"})
        darkroom.refusal = 503, {"code": "aws_busy", "detail": "No."}
        http.post("/sdapi/v1/txt2img", json={"prompt": "a secret pier"}, headers=headers)
        darkroom.refusal = None
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("darkroom_bridge"))
    assert "txt2img: job 0190" in ours
    for secret in ("a-key", "b-key", "secret pier", basic("a-key")):
        assert secret not in caplog.text
