"""An S3 of one process on this machine, over HTTP, whose answers a test can hold back, cut short, change or refuse.

It understands HEAD and GET with `Range` and `If-Match`, as S3 does them: 206, 404, 412. The tests of the worker's
downloads run against it with the real client of botocore; that those calls work on an S3 that others wrote is shown by
the same tests on moto (tests/unit/test_worker_model_files.py).
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Change = Callable[[int, bytes], bytes | int | None]
"""What becomes of an answer, by the first byte of its range and its content: other content (a shorter one ends the
connection early, a longer one is announced), a status instead, or None for what it is."""


class Bucket(ThreadingHTTPServer):
    """Objects by bucket and key (`models/a`). `asked` counts the requests by method and object, `open` lets GETs be
    answered, `begun` is set when the first one came."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.objects: dict[str, bytes] = {}
        self.asked: Counter[tuple[str, str]] = Counter()
        self.spans: list[tuple[str, int]] = []
        self.change: Change = lambda begin, content: None
        self.open = threading.Event()
        self.open.set()
        self.begun = threading.Event()
        self.lock = threading.RLock()
        self._etags: dict[str, tuple[bytes, str]] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def etag(self, name: str) -> str:
        """The ETag of an object, without quotes."""
        content = self.objects[name]
        with self.lock:
            known = self._etags.get(name)
            if known is None or known[0] is not content:
                known = self._etags[name] = (content, md5(content, usedforsecurity=False).hexdigest())
        return known[1]


class _Answers(BaseHTTPRequestHandler):
    server: Bucket
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_HEAD(self) -> None:
        self._answer(is_head=True)

    def do_GET(self) -> None:
        with self.server.lock:
            self.server.begun.set()
        self.server.open.wait(60)
        self._answer(is_head=False)

    def _answer(self, *, is_head: bool) -> None:
        name = self.path.partition("?")[0].strip("/")
        with self.server.lock:
            self.server.asked[self.command, name] += 1
            content = self.server.objects.get(name)
        if content is None:
            self._send(404, b"" if is_head else b"<Error><Code>NoSuchKey</Code></Error>")
            return
        etag = f'"{self.server.etag(name)}"'
        if self.headers.get("If-Match") not in (None, etag, etag.strip('"')):
            self._send(412, b"<Error><Code>PreconditionFailed</Code></Error>")
            return
        if is_head:
            self._send(200, b"", {"Content-Length": str(len(content)), "ETag": etag})
            return
        first, last = self.headers["Range"].removeprefix("bytes=").split("-")
        begin, piece = int(first), content[int(first) : int(last) + 1]
        with self.server.lock:
            self.server.spans.append((name, begin))
            changed = self.server.change(begin, piece)
        if isinstance(changed, int):
            self._send(changed, b"<Error><Code>InternalError</Code></Error>")
            return
        sent = piece if changed is None else changed
        told = {
            "Content-Length": str(max(len(piece), len(sent))),
            "ETag": etag,
            "Content-Range": f"bytes {first}-{last}/{len(content)}",
        }
        self._send(206, sent, told)
        self.close_connection = len(sent) < len(piece)

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Silence."""


@contextmanager
def bucket() -> Iterator[Bucket]:
    """The server, for as long as the block lasts."""
    server = Bucket()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.open.set()
        server.shutdown()
        server.server_close()
