"""The model files of a job, brought to this machine beside what the engine does, and kept there until the job ends."""

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from darkroom.jobs.contract import ModelFile
from worker.errors import JobError
from worker.model_files import ModelFiles
from worker.open_files import OpenFile
from worker.watch import LOOK_SECONDS, stopped


class Fetching:
    """Files on their way, see `engines.Fetched`. The first comes first. One that cannot be fetched ends nothing here:
    the engine asks for it too, and knows whether the job needs it."""

    def __init__(self, files: ModelFiles, wanted: Sequence[ModelFile]) -> None:
        self._files = files
        self._wanted = list({file.s3: file for file in wanted if file.s3 is not None}.values())
        self._begin()

    def _begin(self) -> None:
        self._round = _Round(self._files, self._wanted)

    @property
    def share(self) -> float | None:
        """By their bytes."""
        return self._round.share

    @property
    def done_at(self) -> float:
        """See Fetched."""
        return self._round.done_at

    def wait(self, look: Callable[[], None]) -> None:
        """See Fetched."""
        while not self._round.done.wait(LOOK_SECONDS):
            look()

    def renew(self, damaged: Path | None) -> None:
        """See Fetched."""
        self._round.close()
        if damaged:
            self._files.cache.drop(damaged)
        self._begin()

    def close(self) -> None:
        """See Fetched."""
        self._round.close()


class _Round:
    """One try at all files, in a thread of its own."""

    def __init__(self, files: ModelFiles, wanted: Sequence[ModelFile]) -> None:
        self.done = threading.Event()
        self.done_at = float("inf")
        self._files = files
        self._wanted = wanted
        self._opened: list[OpenFile] = []
        self._all_known = not wanted
        self._over = threading.Event()
        self._changing = threading.Lock()
        threading.Thread(target=self._run, name="fetching", daemon=True).start()

    @property
    def share(self) -> float | None:
        with self._changing:
            if not self._all_known:
                return None
            there, total = sum(file.bytes_there for file in self._opened), sum(file.size for file in self._opened)
        return there / total if total else 1.0

    def close(self) -> None:
        self._over.set()
        with self._changing:
            for file in self._opened:
                file.close()
            self._opened.clear()

    def _run(self) -> None:
        try:
            for file in self._wanted:
                self._open(file)
            with self._changing:
                self._all_known = True
                opened = [*self._opened]
            for each in opened:
                self._wait(each)
        finally:
            self._all_known = True
            self.done_at = time.monotonic()
            self.done.set()

    def _open(self, file: ModelFile) -> None:
        if self._over.is_set():
            return
        try:
            opened = self._files.open(file, self._look)
        except (JobError, ValueError):
            # Of an address that is none, too, the engine says so.
            return
        with self._changing:
            if self._over.is_set():
                opened.close()
            else:
                self._opened.append(opened)

    def _wait(self, opened: OpenFile) -> None:
        try:
            opened.wait_whole(self._look)
        except JobError:
            return

    def _look(self) -> None:
        if self._over.is_set():
            raise stopped()
