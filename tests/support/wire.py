"""HTTP without a network: what a client sends reaches a function of the test, or the real handlers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import pytest

from tests.support.http import Reply, call


def answer_with(monkeypatch: pytest.MonkeyPatch, answer: Callable[[httpx.Request], httpx.Response]) -> None:
    """Let every httpx client that is made from now on get its answers from a function."""
    real = httpx.Client

    def opened(**options: Any) -> httpx.Client:
        return real(**{**options, "transport": httpx.MockTransport(answer)})

    monkeypatch.setattr(httpx, "Client", opened)


def by_the_handlers(request: httpx.Request) -> httpx.Response:
    """The real handlers' answer to a request, as API Gateway would carry it to them."""
    path = request.url.raw_path.decode()
    reply = _handled(request.method, path, request.content.decode(), dict(request.headers))
    return httpx.Response(reply.status, content=reply.body.encode(), headers=reply.headers)


@contextmanager
def served() -> Iterator[str]:
    """The real handlers behind a port of this machine; yields the API's address."""

    class Handler(BaseHTTPRequestHandler):
        def do_request(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            reply = _handled(self.command, self.path, body, dict(self.headers))
            content = reply.body.encode()
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = do_request  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


def _handled(method: str, path: str, body: str, headers: dict[str, str]) -> Reply:
    return call(method, path.removeprefix("/v1"), raw=body or None, headers=headers)
