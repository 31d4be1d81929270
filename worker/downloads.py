"""A model file on its way from S3 to the cache, and readers that follow it.

The file comes in pieces, several at a time: one connection to S3 gives about 5 Gbit/s. What has come can be read at
once, from the memory in which the system keeps what was just written; readers wait for what they need. The SHA-256,
which needs the bytes in their order, is computed behind by a thread of its own.
"""

import hashlib
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from botocore.exceptions import BotoCoreError, ClientError

from worker.cache import Part
from worker.checksums import PIECE, Checksums
from worker.errors import UNREADABLE, JobError, TryAgain
from worker.store import MISSING, Location, Replaced, ShortAnswer, Store, Version
from worker.watch import LOOK_SECONDS

log = logging.getLogger(__name__)

THREADS = 16
ATTEMPTS = 4
"""How often a piece is asked for, beside the attempts of botocore, which end when the answer begins."""
PAUSE = 0.2
"""Seconds before the second attempt; twice as many before each one after it."""


class _Stopped(Exception):
    """Nobody needs the file any more."""


class Download:
    """One file that is being fetched into a part file."""

    def __init__(
        self, store: Store, at: Location, version: Version, part: Part, called: str, threads: ThreadPoolExecutor
    ) -> None:
        """`part` is the file that it is written to, `called` what people call it. `threads` fetch the pieces: first
        those of the download that began first."""
        self.version = version
        self.part = part
        self.checksums = Checksums(version.size)
        self.digest: Future[str] = Future()
        self.users = 0
        self._store = store
        self._at = at
        self._called = called
        self._threads = threads
        self._missing = set(range(-(-version.size // PIECE)))
        self._arrived = threading.Condition()
        self._is_whole = False
        self._error: BaseException | None = None
        self._stop = threading.Event()

    @property
    def bytes_there(self) -> int:
        """How many bytes have come."""
        return max(0, self.version.size - len(self._missing) * PIECE)

    def start(self, done: Callable[[], None], failed: Callable[[], None]) -> None:
        """Begin to fetch. `done` is called when all is there, and gives the copy its name; `failed` when it will not
        come."""
        threading.Thread(target=self._run, args=(done, failed), name="download", daemon=True).start()

    def stop(self) -> None:
        """Nobody needs the file any more."""
        self._stop.set()

    def wait(self, begin: int, end: int, look: Callable[[], None]) -> None:
        """Returns when the bytes from `begin` to before `end` are there. `look` is called meanwhile, and what it raises
        ends the waiting alone. Raises JobError `model_unreadable`."""
        needed = range(begin // PIECE, -(-end // PIECE))
        self._wait(lambda: self._missing.isdisjoint(needed), look)

    def wait_whole(self, look: Callable[[], None]) -> None:
        """Returns when all is there and the copy has its name. See `wait`."""
        self._wait(lambda: self._is_whole, look)

    def _wait(self, is_there: Callable[[], bool], look: Callable[[], None]) -> None:
        while True:
            with self._arrived:
                if self._error is not None:
                    raise not_fetched(self._called, self._error) from self._error
                if is_there():
                    return
                self._arrived.wait(LOOK_SECONDS)
            look()

    def _run(self, done: Callable[[], None], failed: Callable[[], None]) -> None:
        hashing = threading.Thread(target=self._hash, args=(os.dup(self.part.file.fileno()),), daemon=True)
        hashing.start()
        try:
            self._fetch_all()
            done()
        except BaseException as error:
            # First, so that nobody joins who would only hear that it failed.
            failed()
            with self._arrived:
                self._error = error
                self._arrived.notify_all()
            return
        with self._arrived:
            self._is_whole = True
            self._arrived.notify_all()

    def _fetch_all(self) -> None:
        pieces = [self._threads.submit(self._fetch, number) for number in sorted(self._missing)]
        try:
            for piece in pieces:
                piece.result()
        finally:
            # After a failure the others need not go on. None may be left that still writes.
            if not all(piece.done() for piece in pieces):
                self._stop.set()
                for piece in pieces:
                    piece.cancel()
                wait(pieces)

    def _fetch(self, number: int) -> None:
        self._look()
        begin = number * PIECE
        room = memoryview(bytearray(min(PIECE, self.version.size - begin)))
        self._read(room, begin)
        self.checksums.put(begin, room)
        written = 0
        while written < len(room):
            written += os.pwrite(self.part.file.fileno(), room[written:], begin + written)
        with self._arrived:
            self._missing.discard(number)
            self._arrived.notify_all()

    def _read(self, room: memoryview, begin: int) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._store.read_into(room, self._at, self.version.etag, begin, self._look)
            except (BotoCoreError, ClientError, OSError, ShortAnswer) as error:
                if attempt == ATTEMPTS or _is_gone(error):
                    raise
                log.warning("a piece of %s is fetched again: %s", self._at.key, type(error).__name__)
                if self._stop.wait(PAUSE * 2 ** (attempt - 1)):
                    self._look()
            else:
                return

    def _look(self) -> None:
        if self._stop.is_set():
            raise _Stopped

    def _hash(self, file: int) -> None:
        digest = hashlib.sha256()
        try:
            for begin in range(0, self.version.size, PIECE):
                end = min(begin + PIECE, self.version.size)
                self.wait(begin, end, lambda: None)
                digest.update(os.pread(file, end - begin, begin))
        except (JobError, OSError) as error:
            self.digest.set_exception(error)
        else:
            self.digest.set_result(digest.hexdigest())
        finally:
            os.close(file)


def not_fetched(called: str, error: BaseException) -> JobError:
    """What ends a job whose file did not come. The kind of the error alone is told: its text may hold a signed
    address."""
    if isinstance(error, Replaced):
        return TryAgain(UNREADABLE, f"The model file {called} was replaced while it was fetched. Submit the job again.")
    why = f"The model file {called} could not be fetched ({type(error).__name__}). Submit the job again."
    return JobError(UNREADABLE, why)


def _is_gone(error: Exception) -> bool:
    """Whether asking again does not help."""
    return isinstance(error, Replaced) or (
        isinstance(error, ClientError) and error.response["Error"]["Code"] in MISSING
    )
