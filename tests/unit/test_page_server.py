"""The server of the page on this machine: files, headers, and requests that are sent on to the API."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from layers.page import headers
from local.page import application, sources
from tests.contract.serving import served

KEY = "dk_secret-of-a-person"


class Api:
    """An API that tells what it was sent."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.app = Starlette(
            routes=[
                Route("/stage/slow", self.slow),
                Route("/stage/problem", self.problem, methods=["POST"]),
                Route("/{path:path}", self.told, methods=["GET", "POST", "PATCH", "DELETE"]),
            ]
        )

    async def told(self, request: Request) -> Response:
        sent = [(name.decode(), value.decode()) for name, value in request.headers.raw]
        body = (await request.body()).decode()
        path = request.scope["raw_path"].decode()
        query = request.scope["query_string"].decode()
        return JSONResponse({"path": path, "query": query, "sent": sent, "body": body, "method": request.method})

    async def slow(self, request: Request) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            yield b"first,"
            while not self.go_on.is_set():
                await asyncio.sleep(0.01)
            yield b"second"

        return StreamingResponse(parts(), media_type="text/csv", headers={"Content-Disposition": "attachment"})

    async def problem(self, request: Request) -> Response:
        return JSONResponse({"code": "too_many"}, 429, {"Retry-After": "7"}, "application/problem+json")


@pytest.fixture(scope="module")
def api() -> Api:
    return Api()


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("all") / "build"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>Darkroom</title>")
    (folder / "assets" / "index-1a2b.js").write_text("0;")
    (folder / "icon.svg").write_text("<svg/>")
    (folder.parent / "admin-key").write_text(KEY)
    return folder


@pytest.fixture(scope="module")
def page(api: Api, build: Path) -> Iterator[httpx.Client]:
    with (
        served(api.app) as there,
        served(application(build, f"{there}/stage", sources("http://127.0.0.1:4566", ["pictures"]))) as here,
        httpx.Client(base_url=here, trust_env=False, timeout=20) as client,
    ):
        yield client


@pytest.mark.parametrize(
    ("path", "kind", "kept"),
    [
        ("/", "text/html; charset=utf-8", headers.ALWAYS_ASKED),
        ("/index.html", "text/html; charset=utf-8", headers.ALWAYS_ASKED),
        ("/icon.svg", "image/svg+xml", headers.ALWAYS_ASKED),
        ("/assets/index-1a2b.js", "text/javascript; charset=utf-8", headers.FOREVER),
    ],
)
def test_a_file_says_what_it_is_and_how_long_it_may_be_kept(
    page: httpx.Client, path: str, kind: str, kept: str
) -> None:
    answer = page.get(path)
    assert (answer.status_code, answer.headers["Content-Type"], answer.headers["Cache-Control"]) == (200, kind, kept)
    again = page.get(path, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content, again.headers["Cache-Control"]) == (304, b"", kept)


@pytest.mark.parametrize("path", ["/", "/assets/index-1a2b.js", "/nothing.js", "/api/jobs", "/api/../x"])
def test_every_answer_has_the_headers_of_the_table(page: httpx.Client, path: str) -> None:
    told = page.get(path).headers
    assert {name: told.get(name) for name in headers.SECURITY} == headers.SECURITY
    policy = told["Content-Security-Policy"]
    assert policy == headers.policy(["http://127.0.0.1:4566/pictures/", "http://127.0.0.1:4566/pictures"])
    assert "default-src 'none'" in policy
    assert len(told.get_list("Content-Security-Policy")) == 1


def raw(page: httpx.Client, path: str) -> tuple[int, bytes]:
    """A request with a path as it stands: httpx would tidy it up."""
    with socket.create_connection((page.base_url.host, page.base_url.port or 80)) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return int(answer.split()[1]), answer


@pytest.mark.parametrize(
    "path",
    [
        "/../admin-key",
        "/assets/../../admin-key",
        "/%2e%2e/admin-key",
        "/..%2fadmin-key",
        "/assets/..%5c..%5cadmin-key",
        "//admin-key",
        "/%00",
        "/assets/",
    ],
)
def test_nothing_beside_the_build_is_served(page: httpx.Client, path: str) -> None:
    status, answer = raw(page, path)
    assert status in (400, 404)
    assert KEY.encode() not in answer


@pytest.mark.parametrize(
    "path", ["/api/../other", "/api/%2e%2e/other", "/api/jobs/..%2f..%2fother", "/api/.%2e/x", "/api/..%5cother"]
)
def test_no_path_leads_out_of_the_api(page: httpx.Client, path: str) -> None:
    status, answer = raw(page, path)
    assert status == 404
    assert b'"path"' not in answer


def test_a_request_goes_on_as_it_came(page: httpx.Client) -> None:
    sent = {"Authorization": f"Bearer {KEY}", "Idempotency-Key": "once", "Content-Type": "application/json"}
    told = page.post("/api/jobs/a%2Fb?words=two%20words&type=txt2img", json={"seed": 1}, headers=sent).json()
    assert (told["method"], told["body"]) == ("POST", '{"seed":1}')
    assert (told["path"], told["query"]) == ("/stage/jobs/a%2Fb", "words=two%20words&type=txt2img")
    arrived = {name.lower(): value for name, value in told["sent"]}
    assert {name: arrived[name.lower()] for name in sent} == sent
    assert arrived["content-length"] == "10"
    assert "transfer-encoding" not in arrived
    # API Gateway finds the API by the name of its own host.
    assert arrived["host"] != f"{page.base_url.host}:{page.base_url.port}"


def test_a_request_without_a_body_goes_on_without_one(page: httpx.Client) -> None:
    arrived = {name.lower() for name, _ in page.delete("/api/jobs/1").json()["sent"]}
    assert not arrived & {"content-length", "transfer-encoding", "content-type"}


def test_an_answer_comes_back_as_it_is(page: httpx.Client) -> None:
    answer = page.post("/api/problem", json={})
    assert (answer.status_code, answer.json()) == (429, {"code": "too_many"})
    assert answer.headers["Retry-After"] == "7"
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "Cache-Control" not in answer.headers


def test_an_answer_comes_while_it_is_made(page: httpx.Client, api: Api) -> None:
    api.go_on.clear()
    with page.stream("GET", "/api/slow") as answer:
        parts = answer.iter_raw()
        assert next(parts) == b"first,"
        api.go_on.set()
        assert b"".join(parts) == b"second"
    assert answer.headers["Content-Disposition"] == "attachment"


def test_large_bodies_go_through(page: httpx.Client) -> None:
    body = "x" * 6_000_000
    assert len(page.post("/api/jobs", content=body).json()["body"]) == len(body)


def test_an_api_that_is_gone_is_said_and_the_page_goes_on(build: Path) -> None:
    with served(application(build, "http://127.0.0.1:9/stage", [])) as here:
        answer = httpx.get(f"{here}/api/jobs", trust_env=False)
        assert (answer.status_code, "does not answer" in answer.text) == (502, True)
        assert httpx.get(here, trust_env=False).status_code == 200


def test_no_key_and_no_query_is_written_down(page: httpx.Client, capfd: pytest.CaptureFixture[str]) -> None:
    page.get("/api/jobs?words=a-secret-word", headers={"Authorization": f"Bearer {KEY}"})
    raw(page, "/api/%2e%2e/a-secret-word")
    said = "".join(capfd.readouterr())
    assert KEY not in said
    assert "a-secret-word" not in said


def test_the_longest_beginning_of_a_path_says_how_long_a_file_is_kept() -> None:
    assert headers.caching("assets/x.js") == headers.FOREVER
    assert headers.caching("index.html") == headers.caching("") == headers.caching("assetsx") == headers.ALWAYS_ASKED
