"""Darkroom's shelf and S3 behind one port of this machine, for tests of uploads and of the command line."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

PART = 1000


class Shelf:
    """Darkroom and S3 behind one port. `refusals` holds S3's answers to the next parts, (number, status, code)."""

    def __init__(self, part_size: int = PART) -> None:
        self.part_size = part_size
        self.rows: dict[tuple[str, str], dict[str, Any]] = {}
        self.stored: dict[int, tuple[int, str]] = {}
        self.puts: list[int] = []
        self.asked: list[list[int]] = []
        self.refusals: list[tuple[int, int, str]] = []
        self.problems: dict[str, tuple[int, str, str]] = {}
        self.errors: list[dict[str, Any]] = []
        self.hold: threading.Event | None = None
        """While it is not set, parts from the third on arrive and are not stored; `held` tells that one has."""
        self.held = threading.Event()
        self.in_flight = 0
        self.keys: set[str] = set()
        self._lock = threading.Lock()
        shelf = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_request(self) -> None:
                status, body = shelf.answer(self)
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", "0" if status == 204 else str(len(content)))
                self.end_headers()
                self.wfile.write(b"" if status == 204 else content)

            do_GET = do_POST = do_PUT = do_DELETE = do_request  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.hold:
            self.hold.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> tuple[int, Any]:
        url = urlsplit(request.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if request.command == "PUT":
            with self._lock:
                self.in_flight += 1
            try:
                return self._put(request, int(query["number"]))
            finally:
                with self._lock:
                    self.in_flight -= 1
        self.keys.add(request.headers["Authorization"])
        body = json.loads(request.rfile.read(int(request.headers.get("Content-Length", 0))) or "{}")
        call = f"{request.command} {url.path}"
        if call in self.problems:
            status, code, detail = self.problems[call]
            return status, {"code": code, "detail": detail, "errors": self.errors}
        with self._lock:
            return {
                "POST /checkpoints": self._register,
                "POST /checkpoints/parts": self._parts,
                "POST /checkpoints/complete": self._complete,
                "GET /checkpoints": self._list,
                "DELETE /checkpoints": self._delete,
                "POST /checkpoints/rename": self._rename,
            }[call](body or query)

    def _register(self, body: dict[str, Any]) -> tuple[int, Any]:
        row = self.rows.get((body["kind"], body["name"]))
        if row and row["status"] == "active":
            return 409, {"code": "checkpoint_exists", "detail": "It is there."}
        if row is None:
            self.stored.clear()
        self.rows[body["kind"], body["name"]] = row or row_of(**body)
        shape = {"part_size": self.part_size, "parts": -(-body["size"] // self.part_size)}
        row = self.rows[body["kind"], body["name"]]
        return 201, {"checkpoint": row, "upload": shape}

    def _parts(self, body: dict[str, Any]) -> tuple[int, Any]:
        numbers = [part["number"] for part in body["parts"]]
        self.asked.append(numbers)
        urls = [
            {"number": p["number"], "url": f"{self.url}/s3?number={p['number']}", "headers": {"x-sum": p["sha256"]}}
            for p in body["parts"]
        ]
        stored = [{"number": n, "size": size, "sha256": sha} for n, (size, sha) in sorted(self.stored.items())]
        return 200, {"urls": urls, "expires_in": 900, "stored": stored}

    def _put(self, request: BaseHTTPRequestHandler, number: int) -> tuple[int, Any]:
        left, digest = int(request.headers["Content-Length"]), hashlib.sha256()
        size = left
        while left:
            block = request.rfile.read(min(left, 65536))
            if not block:
                return 400, b""
            digest.update(block)
            left -= len(block)
        with self._lock:
            self.puts.append(number)
            refusal = next((refusal for refusal in self.refusals if refusal[0] == number), None)
            if refusal:
                self.refusals.remove(refusal)
                return refusal[1], f"<Error><Code>{refusal[2]}</Code></Error>".encode()
        if self.hold and number > 2:
            self.held.set()
            self.hold.wait(30)
        with self._lock:
            if digest.hexdigest() != request.headers["x-sum"]:
                return 400, b"<Error><Code>BadDigest</Code></Error>"
            self.stored[number] = (size, digest.hexdigest())
        return 200, b""

    def _complete(self, body: dict[str, Any]) -> tuple[int, Any]:
        row = self.rows[body["kind"], body["name"]]
        if sum(size for size, _ in self.stored.values()) != row["size"]:
            return 409, {"code": "parts_missing", "detail": "Parts are missing."}
        row["status"] = "active"
        return 200, row

    def _list(self, query: dict[str, str]) -> tuple[int, Any]:
        rows = [row for (kind, _), row in sorted(self.rows.items()) if query.get("kind") in (None, kind)]
        rows = [row for row in rows if query.get("q", "") in row["name"] and row["name"] > query.get("after", "")]
        return 200, {"checkpoints": rows[:2], "next": rows[1]["name"] if len(rows) > 2 else None}

    def _delete(self, query: dict[str, str]) -> tuple[int, Any]:
        if self.rows.pop((query["kind"], query["name"]), None) is None:
            return 404, {"code": "checkpoint_not_found", "detail": "There is no such model file."}
        return 204, None

    def _rename(self, body: dict[str, Any]) -> tuple[int, Any]:
        row = self.rows.pop((body["kind"], body["name"]), None)
        if row is None:
            return 404, {"code": "checkpoint_not_found", "detail": "There is no such model file."}
        renamed = {**row, "name": body["to"], "aliases": [body["name"]]}
        self.rows[body["kind"], body["to"]] = renamed
        return 200, renamed


def row_of(kind: str, name: str, **changes: Any) -> dict[str, Any]:
    """A row as the API answers it."""
    nothing = dict.fromkeys(("size", "sha256", "created_at", "base_model", "reason", "done", "folder", "purpose"))
    pickle = not name.endswith(".safetensors")
    row: dict[str, Any] = {
        "kind": kind,
        "name": name,
        "status": "uploading",
        "owner": "ana",
        "pickle": pickle,
        "trigger_words": [],
    }
    row["aliases"] = []
    return {**nothing, **row, **changes}
