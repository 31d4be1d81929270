"""Parts to a shelf that remembers, corrupts, expires and breaks off as it is told."""

import hashlib
import json
import threading
import tracemalloc
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from panel import uploads
from panel.client import Darkroom, Failure, Refused
from panel.uploads import ModelFile

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
        self.hold: threading.Event | None = None
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
            return self._put(request, int(query["number"]))
        self.keys.add(request.headers["Authorization"])
        body = json.loads(request.rfile.read(int(request.headers.get("Content-Length", 0))) or "{}")
        call = f"{request.command} {url.path}"
        if call in self.problems:
            status, code, detail = self.problems[call]
            return status, {"code": code, "detail": detail}
        with self._lock:
            return {
                "POST /checkpoints": self._register,
                "POST /checkpoints/parts": self._parts,
                "POST /checkpoints/complete": self._complete,
                "GET /checkpoints": self._list,
                "DELETE /checkpoints": self._delete,
            }[call](body or query)

    def _register(self, body: dict[str, Any]) -> tuple[int, Any]:
        row = self.rows.get((body["kind"], body["name"]))
        if row and row["status"] == "active":
            return 409, {"code": "checkpoint_exists", "detail": "It is there."}
        if row is None:
            self.stored.clear()
        self.rows[body["kind"], body["name"]] = row or row_of(body["kind"], body["name"], size=body["size"])
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


def row_of(kind: str, name: str, **changes: Any) -> dict[str, Any]:
    """A row as the API answers it."""
    nothing = dict.fromkeys(("size", "sha256", "created_at", "base_model", "reason"))
    pickle = not name.endswith(".safetensors")
    row = {"kind": kind, "name": name, "status": "uploading", "owner": "ana", "pickle": pickle, "trigger_words": []}
    return {**nothing, **row, **changes}


class Tally:
    """A watcher that counts."""

    def __init__(self) -> None:
        self.bytes_sent = 0
        self.bytes_found = 0
        self._lock = threading.Lock()

    def begin(self, file: ModelFile, size: int, stored: int) -> None:
        pass

    def sent(self, count: int) -> None:
        with self._lock:
            self.bytes_sent += count

    def found(self, count: int) -> None:
        with self._lock:
            self.bytes_found += count


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    monkeypatch.setattr(uploads, "_PAUSE", 0)
    with Shelf() as shelf:
        yield shelf


@pytest.fixture
def file(tmp_path: Path) -> ModelFile:
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"".join(bytes([number]) * PART for number in range(1, 25)) + b"end")
    return ModelFile(path, "lora")


def upload(shelf: Shelf, file: ModelFile) -> tuple[str, Tally]:
    tally = Tally()
    with Darkroom(shelf.url, "k") as darkroom:
        return uploads.upload(darkroom, file, tally), tally


def test_every_part_arrives_once(shelf: Shelf, file: ModelFile) -> None:
    outcome, tally = upload(shelf, file)
    assert outcome == "uploaded"
    assert sorted(shelf.puts) == list(range(1, 26))
    assert shelf.rows["lora", "x.safetensors"]["status"] == "active"
    assert tally.bytes_sent == 24 * PART + 3
    assert shelf.asked[0] == []  # what is stored is asked for before anything is sent


def test_going_on_sends_only_what_is_missing_or_different(shelf: Shelf, file: ModelFile) -> None:
    shelf.rows["lora", "x.safetensors"] = row_of("lora", "x.safetensors", size=24 * PART + 3)
    content = file.path.read_bytes()
    for number in range(1, 21):
        part = content[(number - 1) * PART : number * PART]
        shelf.stored[number] = (PART, hashlib.sha256(part).hexdigest())
    shelf.stored[7] = (PART, "0" * 64)
    _, tally = upload(shelf, file)
    assert sorted(shelf.puts) == [7, 21, 22, 23, 24, 25]
    assert sorted(number for numbers in shelf.asked for number in numbers) == sorted(shelf.puts)
    assert (tally.bytes_found, tally.bytes_sent) == (19 * PART, 5 * PART - PART + PART + 3)


@pytest.mark.parametrize("refusal", [(400, "BadDigest"), (403, "AccessDenied"), (503, "SlowDown")])
def test_a_part_that_is_refused_is_sent_again_with_a_fresh_url(
    shelf: Shelf, file: ModelFile, refusal: tuple[int, str]
) -> None:
    shelf.refusals = [(3, *refusal)] * 4
    _, tally = upload(shelf, file)
    assert shelf.puts.count(3) == 5
    assert sum(numbers.count(3) for numbers in shelf.asked) == 5
    assert tally.bytes_sent == 24 * PART + 3  # what was lost is taken back
    assert shelf.rows["lora", "x.safetensors"]["status"] == "active"


def test_a_part_that_never_arrives_ends_the_upload(shelf: Shelf, file: ModelFile) -> None:
    shelf.refusals = [(3, 400, "BadDigest")] * 9
    with pytest.raises(Failure, match=r"part 3 did not arrive: S3 answered 400 \(BadDigest\)"):
        upload(shelf, file)
    assert shelf.puts.count(3) == 5


def test_an_upload_that_is_gone_is_not_tried_again(shelf: Shelf, file: ModelFile) -> None:
    shelf.refusals = [(1, 404, "NoSuchUpload")]
    with pytest.raises(Failure, match="NoSuchUpload"):
        upload(shelf, file)


def test_memory_does_not_grow_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "big.safetensors"
    with path.open("wb") as sparse:
        sparse.truncate(128 * 1024**2)
    with Shelf(part_size=32 * 1024**2) as shelf:
        tracemalloc.start()
        try:
            upload(shelf, ModelFile(path, "lora"))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert sorted(shelf.puts) == [1, 2, 3, 4]
    assert peak < 24 * 1024**2


def test_a_file_that_changes_is_not_completed(shelf: Shelf, file: ModelFile) -> None:
    class Meddler(Tally):
        def begin(self, file: ModelFile, size: int, stored: int) -> None:
            with file.path.open("ab") as more:
                more.write(b"more")

    with Darkroom(shelf.url, "k") as darkroom, pytest.raises(Failure, match="changed while it was sent"):
        uploads.upload(darkroom, file, Meddler())
    assert shelf.rows["lora", "x.safetensors"]["status"] == "uploading"


def test_what_is_there_already_is_left_alone(shelf: Shelf, file: ModelFile) -> None:
    upload(shelf, file)
    shelf.puts.clear()
    assert upload(shelf, file)[0] == "there already"
    assert shelf.puts == []


@pytest.mark.parametrize("changes", [{"size": 20}, {"size": 24 * PART + 3, "sha256": "0" * 64}])
def test_another_file_of_that_name_is_said_to_be_there(shelf: Shelf, file: ModelFile, changes: dict[str, Any]) -> None:
    shelf.rows["lora", "x.safetensors"] = row_of("lora", "x.safetensors", status="active", **changes)
    with pytest.raises(Failure, match="another lora of this name"):
        upload(shelf, file)


def test_an_answer_to_complete_that_is_lost_is_looked_up(shelf: Shelf, file: ModelFile) -> None:
    shelf.problems["POST /checkpoints/complete"] = (504, "timeout", "Too long.")
    with pytest.raises(Refused, match="Too long"):
        upload(shelf, file)
    shelf.rows["lora", "x.safetensors"]["status"] = "active"
    with Darkroom(shelf.url, "k") as darkroom:
        uploads._complete(darkroom, file)


def test_an_invalid_model_file_is_refused(shelf: Shelf, file: ModelFile) -> None:
    shelf.problems["POST /checkpoints/complete"] = (422, "checkpoint_invalid", "No safetensors header.")
    with pytest.raises(Refused, match="No safetensors header"):
        upload(shelf, file)


def test_without_a_connection_it_says_so(file: ModelFile) -> None:
    with Darkroom("http://127.0.0.1:9", "k") as darkroom, pytest.raises(httpx.TransportError):
        uploads.upload(darkroom, file, Tally())


def test_a_file_too_small_is_refused_before_it_is_registered(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "e.pt").write_bytes(b"")
    with pytest.raises(Failure, match="0 bytes"):
        upload(shelf, ModelFile(tmp_path / "e.pt", "lora"))
    assert shelf.rows == {}
