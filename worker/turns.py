"""Which jobs are served and which wait, in the order in which they came."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from worker.watch import LOOK_SECONDS, stopped

WAITING = 1
"""How many jobs wait in the container beside those that are served: while one is painted, the files of the next are
fetched. SageMaker sends as many more (`MaxConcurrentInvocationsPerInstance`)."""


class Turns:
    """Serves `at_once` jobs at a time. `closing` is set when no job is begun any more."""

    def __init__(self, at_once: int, closing: threading.Event) -> None:
        self._free = at_once
        self._closing = closing
        self._line: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def turn(self, look: Callable[[], None]) -> Iterator[None]:
        """Waits until it is the caller's turn, which lasts as long as the block. `look` is called meanwhile, and what
        it raises ends the waiting. Raises JobError `worker_stopped` when no job is begun any more."""
        ticket = object()
        with self._changed:
            self._line.append(ticket)
        try:
            while not self._admitted(ticket):
                look()
        finally:
            with self._changed:
                if ticket in self._line:
                    self._line.remove(ticket)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify_all()

    def _admitted(self, ticket: object) -> bool:
        """Whether the ticket has its turn now; waits a moment for it."""
        with self._changed:
            if self._closing.is_set():
                raise stopped()
            if self._line[0] is not ticket or not self._free:
                self._changed.wait(LOOK_SECONDS)
                return False
            self._line.popleft()
            self._free -= 1
            return True
