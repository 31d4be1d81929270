"""Model files from this machine to the shelf: which files, and their bytes in parallel parts."""

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal, Protocol

import httpx

from darkroom.checkpoints.api import (
    MAX_PARTS_A_CALL,
    CheckpointList,
    CheckpointOut,
    PartsOut,
    PartUrlOut,
    RegisteredOut,
    UploadOut,
)
from darkroom.checkpoints.model import MAX_BYTES, PICKLES, SAFE, Kind
from panel.client import Darkroom, Failure, Refused

FOLDERS: dict[str, Kind] = {
    "stable-diffusion": "stable-diffusion",
    "vae": "vae",
    "lora": "lora",
    "lycoris": "lora",
    "hypernetworks": "hypernetwork",
    "embeddings": "embedding",
    "controlnet": "controlnet",
}
"""The WebUI's folders, in lower case, and the kind of what lies in them."""

SUFFIXES = (*SAFE, *PICKLES)
RETRIES = 4
_LEAST_BYTES = 16
_BLOCK = 1024**2
_MOST_AT_ONCE = min(10, MAX_PARTS_A_CALL)
_PASSING = frozenset({400, 403, 408, 429})
"""What S3 answers for a corrupted part, an expired URL, a stalled connection, and too many requests."""
_PAUSE = 0.5
_GRACE = 1.0
_POLL = 1.0

Outcome = Literal["uploaded", "there already"]


class _Stopped(Exception):
    """Another thread failed, or the person stopped the upload."""


class _Lost(Exception):
    """A part did not arrive, and may if it is sent again."""


@dataclass(frozen=True)
class ModelFile:
    """A model file on this machine, and what it will be called on the shelf."""

    path: Path
    kind: Kind

    @property
    def name(self) -> str:
        """Its file name, as the WebUI shows it."""
        return self.path.name


@dataclass
class Plan:
    """What will be uploaded, and the files that cannot be because another one has their kind and name."""

    files: list[ModelFile] = field(default_factory=list)
    clashes: list[tuple[ModelFile, ModelFile]] = field(default_factory=list)


class Watcher(Protocol):
    """Who is told how far an upload is; called from many threads."""

    def begin(self, file: ModelFile, size: int, stored: int) -> None:
        """The upload starts; `stored` parts are there from an earlier one."""

    def sent(self, count: int) -> None:
        """So many bytes were sent; negative when they were lost and will be sent again."""

    def found(self, count: int) -> None:
        """So many bytes need not be sent: they are there already."""


def kind_of(path: Path) -> Kind | None:
    """The kind that a file's folders tell: the one right below `models`, or else the nearest with a known name."""
    folders = [folder.name.lower() for folder in Path(os.path.abspath(path)).parents]
    inside = list(takewhile(lambda folder: folder != "models", folders))
    kind: Kind | None = None
    if inside and len(inside) < len(folders):
        kind = FOLDERS.get(inside[-1])
    kind = kind or next((FOLDERS[folder] for folder in inside if folder in FOLDERS), None)
    # The WebUI takes such files for VAEs, though they lie beside the checkpoints they belong to.
    if kind == "stable-diffusion" and Path(path.stem).suffix.lower() == ".vae":
        return "vae"
    return kind


def plan(paths: Iterable[Path], kind: Kind | None = None) -> Plan:
    """What to upload for these files and directories. `kind` goes before the folder for a file that is named, and
    fills in for files of a directory whose folders tell nothing."""
    taken: dict[tuple[str, str], ModelFile] = {}
    answer = Plan()
    for path in paths:
        for file in _models_at(path, kind):
            first = taken.setdefault((file.kind, file.name), file)
            if first is file:
                answer.files.append(file)
            elif os.path.abspath(first.path) != os.path.abspath(file.path):
                answer.clashes.append((file, first))
    return answer


def _models_at(path: Path, kind: Kind | None) -> list[ModelFile]:
    if path.is_dir():
        kinds = [(file, kind_of(file) or kind) for root in _roots(path) for file in _walk(root)]
        found = [ModelFile(file, known) for file, known in kinds if known]
        if not found:
            hint = "say what they are with --kind" if kinds else f"model files end in {', '.join(SUFFIXES)}"
            raise Failure(f"{path}: no model files in folders such as models/Stable-diffusion or models/Lora ({hint}).")
        return found
    if not path.is_file():
        raise Failure(f"{path}: there is no such file.")
    if path.suffix.lower() not in SUFFIXES:
        raise Failure(f"{path}: not a model file; they end in {', '.join(SUFFIXES)}.")
    known = kind or kind_of(path)
    if known is None:
        raise Failure(f"{path}: its folder does not tell what it is; say so with --kind.")
    return [ModelFile(path, known)]


def _roots(directory: Path) -> list[Path]:
    """The folders of a WebUI that hold models; any other directory itself."""
    folders = {entry.name.lower(): entry for entry in sorted(directory.iterdir()) if entry.is_dir()}
    if "models" not in folders:
        return [directory]
    below = [entry for entry in sorted(folders["models"].iterdir()) if entry.is_dir() and entry.name.lower() in FOLDERS]
    return below + [folders[name] for name in ("embeddings",) if name in folders]


def _walk(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            placeholder = name.lower().startswith("put") and Path(name).stem.lower().endswith("here")
            if not name.startswith(".") and not placeholder and Path(name).suffix.lower() in SUFFIXES:
                yield Path(folder, name)


def listed(darkroom: Darkroom, kind: Kind | None = None, q: str | None = None) -> Iterator[CheckpointOut]:
    """Every model file on the shelf that fits, page by page."""
    query = {name: value for name, value in (("kind", kind), ("q", q)) if value}
    after: str | None = None
    while True:
        params = {**query, **({"after": after} if after else {})}
        page = CheckpointList.model_validate(darkroom.request("GET", "/checkpoints", params=params))
        yield from page.checkpoints
        after = page.next
        if after is None:
            return


def delete(darkroom: Darkroom, kind: Kind, name: str) -> None:
    """Delete a model file from the shelf, or give up its upload."""
    darkroom.request("DELETE", "/checkpoints", params={"kind": kind, "name": name})


def fetch(darkroom: Darkroom, url: str, kind: Kind, name: str | None = None) -> CheckpointOut:
    """Let the cloud fetch a model file from an https or s3 address; the row, which says how far it is."""
    body = {"kind": kind, "url": url, **({"name": name} if name else {})}
    return CheckpointOut.model_validate(darkroom.request("POST", "/checkpoints/import", json=body))


def fetched(darkroom: Darkroom, row: CheckpointOut, tell: Callable[[int, int | None], None]) -> CheckpointOut:
    """Wait for the end of an import; `tell` hears bytes there and bytes in all. Raises Failure when it fails."""
    while True:
        now = next((r for r in listed(darkroom, row.kind, row.name) if r.name == row.name), None)
        if now is None:
            raise Failure(f"{row.name}: the import was deleted.")
        if now.status == "fail":
            raise Failure(f"{row.name}: {now.reason}")
        if now.status == "active":
            return now
        tell(now.done or 0, now.size)
        time.sleep(_POLL)


def upload(darkroom: Darkroom, file: ModelFile, watcher: Watcher, parallel: int = 4) -> Outcome:
    """Bring a model file to the shelf, or go on with an upload that was broken off.

    Raises Refused, Failure, OSError or httpx.TransportError. Memory does not grow with the file.
    """
    before = file.path.stat()
    if not _LEAST_BYTES <= before.st_size <= MAX_BYTES:
        raise Failure(f"{file.path}: {before.st_size:,} bytes is no size of a model file.")
    body = {"kind": file.kind, "name": file.name, "size": before.st_size}
    try:
        registered = RegisteredOut.model_validate(darkroom.request("POST", "/checkpoints", json=body))
    except Refused as refused:
        if refused.code != "checkpoint_exists":
            raise
        _check_same(darkroom, file, before.st_size)
        return "there already"
    with httpx.Client(timeout=60, limits=httpx.Limits(max_connections=parallel)) as s3:
        _Transfer(darkroom, s3, file, before.st_size, registered.upload, watcher).run(parallel)
    after = file.path.stat()
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise Failure(f"{file.path}: the file changed while it was sent; upload it again.")
    _complete(darkroom, file)
    return "uploaded"


def _row(darkroom: Darkroom, file: ModelFile) -> CheckpointOut | None:
    return next((row for row in listed(darkroom, file.kind, file.name) if row.name == file.name), None)


def _check_same(darkroom: Darkroom, file: ModelFile, size: int) -> None:
    """Raises Failure when the file on the shelf is, as far as the shelf can tell, another one."""
    row = _row(darkroom, file)
    if row is None:
        return
    if row.size != size or (row.sha256 and row.sha256 != _sha256(_blocks(file.path, 0, size))):
        raise Failure(f"{file.path}: another {file.kind} of this name is on the shelf; delete that first.")


def _complete(darkroom: Darkroom, file: ModelFile) -> None:
    """Ask until there is an answer: joining the parts of a large file may outlast the request."""
    for attempt in range(RETRIES + 1):
        try:
            darkroom.request("POST", "/checkpoints/complete", json={"kind": file.kind, "name": file.name})
            return
        except (httpx.TransportError, Refused) as error:
            if isinstance(error, Refused) and error.status < 500:
                raise
            if (row := _row(darkroom, file)) and row.status == "active":
                return
            if attempt == RETRIES:
                raise
        time.sleep(_PAUSE * 2**attempt)


def _blocks(path: Path, start: int, count: int) -> Iterator[bytes]:
    """A file's bytes from `start` on, a block at a time."""
    with path.open("rb") as source:
        source.seek(start)
        while count:
            block = source.read(min(_BLOCK, count))
            if not block:
                raise Failure(f"{path}: the file became shorter while it was sent.")
            count -= len(block)
            yield block


def _sha256(blocks: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for block in blocks:
        digest.update(block)
    return digest.hexdigest()


class _Transfer:
    """The parts of one file on their way. A thread takes a few parts, hashes them, gets URLs for those that are
    missing, and sends them, a block at a time."""

    def __init__(
        self, darkroom: Darkroom, s3: httpx.Client, file: ModelFile, size: int, shape: UploadOut, watcher: Watcher
    ) -> None:
        self._darkroom = darkroom
        self._s3 = s3
        self._file = file
        self._size = size
        self._shape = shape
        self._watcher = watcher
        self._stored: dict[int, tuple[int, str | None]] = {}
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._error: Exception | None = None

    def run(self, parallel: int) -> None:
        """Send what is missing. When it is interrupted, the threads end by themselves."""
        self._stored = {part.number: (part.size, part.sha256) for part in self._parts({}).stored}
        self._watcher.begin(self._file, self._size, len(self._stored))
        batches = self._batches(parallel)
        # Daemons: a thread that waits for the network must not hold up Ctrl-C.
        threads = [threading.Thread(target=self._work, args=(batches,), daemon=True) for _ in range(parallel)]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                while thread.is_alive():
                    thread.join(0.2)
        finally:
            self._stop.set()
            until = time.monotonic() + _GRACE
            for thread in filter(threading.Thread.is_alive, threads):
                thread.join(max(0, until - time.monotonic()))
        if self._error:
            raise self._error

    def _batches(self, parallel: int) -> Iterator[list[int]]:
        count = self._shape.parts
        at_once = max(1, min(_MOST_AT_ONCE, count // (parallel * 4)))
        return iter([list(range(first, min(first + at_once, count + 1))) for first in range(1, count + 1, at_once)])

    def _work(self, batches: Iterator[list[int]]) -> None:
        try:
            while not self._stop.is_set():
                with self._lock:
                    numbers = next(batches, None)
                if numbers is None:
                    return
                self._send_batch(numbers)
        except _Stopped:
            return
        except Exception as error:  # It is raised again by the thread that waits.
            with self._lock:
                self._error = self._error or error
            self._stop.set()

    def _send_batch(self, numbers: list[int]) -> None:
        missing: dict[int, str] = {}
        for number in numbers:
            sha256 = self._hash(number)
            if self._stored.get(number) == (self._length(number), sha256):
                self._watcher.found(self._length(number))
            else:
                missing[number] = sha256
        if not missing:
            return
        try:
            urls = {url.number: url for url in self._urls(missing)}
        except _Lost:
            urls = {}
        for number in missing:
            self._send(number, urls.get(number))

    def _send(self, number: int, url: PartUrlOut | None) -> None:
        """Send a part, again with a fresh URL when it is lost."""
        for attempt in range(RETRIES + 1):
            try:
                # Hashed anew: what was refused may have changed since.
                self._put(number, url or self._urls({number: self._hash(number)})[0])
                return
            except _Lost as lost:
                if attempt == RETRIES:
                    raise Failure(f"{self._file.path}: part {number} did not arrive: {lost}") from lost
            url = None
            if self._stop.wait(_PAUSE * 2**attempt):
                raise _Stopped

    def _put(self, number: int, url: PartUrlOut) -> None:
        headers = httpx.Headers(url.headers)
        headers["Content-Length"] = str(self._length(number))
        counter = _Counter(self._watcher.sent)
        try:
            answer = self._s3.put(url.url, content=counter.over(self._read(number)), headers=headers)
        except httpx.TransportError as error:
            counter.take_back()
            raise _Lost(str(error) or type(error).__name__) from error
        if answer.is_success:
            return
        counter.take_back()
        problem = f"S3 answered {answer.status_code}{_s3_code(answer.text)}"
        if answer.status_code in _PASSING or answer.status_code >= 500:
            raise _Lost(problem)
        raise Failure(f"{self._file.path}: part {number} was refused: {problem}")

    def _urls(self, parts: dict[int, str]) -> list[PartUrlOut]:
        """Fresh URLs for parts, by their SHA-256; raises _Lost when Darkroom cannot be reached now."""
        try:
            urls = self._parts(parts).urls
        except httpx.TransportError as error:
            raise _Lost(str(error) or type(error).__name__) from error
        except Refused as refused:
            if refused.status < 500:
                raise
            raise _Lost(str(refused)) from refused
        if {url.number for url in urls} != set(parts):
            raise Failure(f"{self._file.path}: Darkroom gave no URLs for some parts.")
        return urls

    def _parts(self, parts: dict[int, str]) -> PartsOut:
        wanted = [{"number": number, "sha256": sha256} for number, sha256 in parts.items()]
        body: dict[str, Any] = {"kind": self._file.kind, "name": self._file.name, "parts": wanted}
        return PartsOut.model_validate(self._darkroom.request("POST", "/checkpoints/parts", json=body))

    def _length(self, number: int) -> int:
        return min(self._shape.part_size, self._size - (number - 1) * self._shape.part_size)

    def _hash(self, number: int) -> str:
        return _sha256(self._read(number))

    def _read(self, number: int) -> Iterator[bytes]:
        for block in _blocks(self._file.path, (number - 1) * self._shape.part_size, self._length(number)):
            if self._stop.is_set():
                raise _Stopped
            yield block


class _Counter:
    """Tells of bytes as they go out, and takes back what was told when they are lost."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        self._tell = tell
        self._count = 0

    def over(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """The blocks, each told of once the next one is asked for."""
        for block in blocks:
            yield block
            self._count += len(block)
            self._tell(len(block))

    def take_back(self) -> None:
        """What was told of is lost."""
        self._tell(-self._count)
        self._count = 0


def _s3_code(text: str) -> str:
    """` (BadDigest)` out of S3's XML, without the rest of it: that may quote the URL."""
    _, found, rest = text.partition("<Code>")
    return f" ({rest.partition('</Code>')[0][:40]})" if found else ""
