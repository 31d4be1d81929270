"""Sending the bytes of one model file to S3, in parallel parts."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

import httpx

from darkroom_client import checkpoints
from darkroom_client.answers import PartUrl, Upload
from darkroom_client.client import Darkroom
from darkroom_client.errors import Failure, Refused
from darkroom_client.model_files import ModelFile

RETRIES = 4
FIRST_PAUSE = 0.5
"""Seconds before a part is sent again; each further pause is twice as long."""
_BLOCK = 1024**2
_PARTS_A_CALL = 10
_TEMPORARY = frozenset({400, 403, 408, 429})
"""S3's statuses for a corrupted part, an expired URL, a stalled connection, and too many requests."""
_GRACE_SECONDS = 1.0


class Watcher(Protocol):
    """Shows the progress of an upload. Its methods are called from several threads."""

    def begin(self, file: ModelFile, size: int, stored: int) -> None:
        """The upload of `size` bytes begins; `stored` of its parts are stored already."""

    def sent(self, count: int) -> None:
        """`count` more bytes were sent. Negative when bytes did not arrive and will be sent again."""

    def found(self, count: int) -> None:
        """`count` bytes need not be sent, because they are stored already."""


class _Stopped(Exception):
    """This thread must end: another thread failed, or the person stopped the upload."""


class _Lost(Exception):
    """A part did not arrive, but may arrive if it is sent again."""


def pause_before(attempt: int) -> float:
    """Seconds to wait after the failed try number `attempt`, which counts from 0."""
    return FIRST_PAUSE * float(2**attempt)


def blocks(path: Path, start: int, count: int) -> Iterator[bytes]:
    """`count` bytes of a file from byte `start` on, a megabyte at a time. Raises Failure when the file is too short."""
    with path.open("rb") as source:
        source.seek(start)
        while count:
            block = source.read(min(_BLOCK, count))
            if not block:
                raise Failure(f"{path}: the file became shorter while it was sent.")
            count -= len(block)
            yield block


def sha256_of(content: Iterable[bytes]) -> str:
    """The SHA-256 of all blocks together, in hex."""
    digest = hashlib.sha256()
    for block in content:
        digest.update(block)
    return digest.hexdigest()


class Transfer:
    """The upload of one file. Each of several threads takes a few parts, hashes them, gets URLs for those that are not
    stored yet, and sends them, a block at a time."""

    def __init__(
        self, darkroom: Darkroom, s3: httpx.Client, file: ModelFile, size: int, shape: Upload, watcher: Watcher
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
        """Send the missing parts with `parallel` threads. After Ctrl-C the threads end by themselves."""
        stored = checkpoints.parts(self._darkroom, self._file.kind, self._file.name, {})["stored"]
        self._stored = {part["number"]: (part["size"], part["sha256"]) for part in stored}
        self._watcher.begin(self._file, self._size, len(self._stored))
        batches = self._batches(parallel)
        # Daemon threads, because one that waits for the network must not delay the end of the program.
        threads = [threading.Thread(target=self._work, args=(batches,), daemon=True) for _ in range(parallel)]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                while thread.is_alive():
                    thread.join(0.2)
        finally:
            self._stop.set()
            until = time.monotonic() + _GRACE_SECONDS
            for thread in filter(threading.Thread.is_alive, threads):
                thread.join(max(0, until - time.monotonic()))
        if self._error:
            raise self._error

    def _batches(self, parallel: int) -> Iterator[list[int]]:
        count = self._shape["parts"]
        at_once = max(1, min(_PARTS_A_CALL, count // (parallel * 4)))
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
        except Exception as error:  # `run` raises it in its own thread.
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
            urls = {url["number"]: url for url in self._urls(missing)}
        except _Lost:
            urls = {}
        for number in missing:
            self._send(number, urls.get(number))

    def _send(self, number: int, url: PartUrl | None) -> None:
        """Send a part; when it does not arrive, send it again with a new URL."""
        for attempt in range(RETRIES + 1):
            try:
                # Hashed again, because the file may have changed since the first try.
                self._put(number, url or self._urls({number: self._hash(number)})[0])
                return
            except _Lost as lost:
                if attempt == RETRIES:
                    raise Failure(f"{self._file.path}: part {number} did not arrive: {lost}") from lost
            url = None
            if self._stop.wait(pause_before(attempt)):
                raise _Stopped

    def _put(self, number: int, url: PartUrl) -> None:
        headers = httpx.Headers(url["headers"])
        headers["Content-Length"] = str(self._length(number))
        counter = _Counter(self._watcher.sent)
        try:
            answer = self._s3.put(url["url"], content=counter.over(self._read(number)), headers=headers)
        except httpx.TransportError as error:
            counter.take_back()
            raise _Lost(str(error) or type(error).__name__) from error
        if answer.is_success:
            return
        counter.take_back()
        problem = f"S3 answered {answer.status_code}{_s3_code(answer.text)}"
        if answer.status_code in _TEMPORARY or answer.status_code >= 500:
            raise _Lost(problem)
        raise Failure(f"{self._file.path}: part {number} was refused: {problem}")

    def _urls(self, digests: dict[int, str]) -> list[PartUrl]:
        """New URLs for parts; `digests` has their SHA-256 by number. Raises _Lost when Darkroom cannot be reached
        now."""
        try:
            urls = checkpoints.parts(self._darkroom, self._file.kind, self._file.name, digests)["urls"]
        except httpx.TransportError as error:
            raise _Lost(str(error) or type(error).__name__) from error
        except Refused as refused:
            if refused.status < 500:
                raise
            raise _Lost(str(refused)) from refused
        if {url["number"] for url in urls} != set(digests):
            raise Failure(f"{self._file.path}: Darkroom gave no URLs for some parts.")
        return urls

    def _length(self, number: int) -> int:
        return min(self._shape["part_size"], self._size - (number - 1) * self._shape["part_size"])

    def _hash(self, number: int) -> str:
        return sha256_of(self._read(number))

    def _read(self, number: int) -> Iterator[bytes]:
        for block in blocks(self._file.path, (number - 1) * self._shape["part_size"], self._length(number)):
            if self._stop.is_set():
                raise _Stopped
            yield block


class _Counter:
    """Reports the bytes of a part while they are sent, and takes the report back when the part does not arrive."""

    def __init__(self, report: Callable[[int], None]) -> None:
        self._report = report
        self._count = 0

    def over(self, content: Iterable[bytes]) -> Iterator[bytes]:
        """The blocks. Each is reported when the next one is read, so after it was sent."""
        for block in content:
            yield block
            self._count += len(block)
            self._report(len(block))

    def take_back(self) -> None:
        """Take back everything reported so far."""
        self._report(-self._count)
        self._count = 0


def _s3_code(text: str) -> str:
    """The error code in S3's XML, as in ` (BadDigest)`. The rest of the XML is left out, because it may quote the
    URL."""
    _, found, rest = text.partition("<Code>")
    return f" ({rest.partition('</Code>')[0][:40]})" if found else ""
