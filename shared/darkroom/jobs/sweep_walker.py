"""How a round of the sweeper goes through jobs: pages, bookmarks, threads and time. `sweep_rules` acts on a job."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from darkroom import ids, logs
from darkroom.errors import Busy
from darkroom.jobs.ports import JobStore
from darkroom.jobs.state import Status
from darkroom.times import moment

PAGE = 200
"""Jobs in one read."""
UNSEEN = 100
"""Ended jobs that could not be handled and that one bookmark keeps, for the next round to try again."""
AGAIN_AFTER = 86_400
"""Seconds after which ended jobs, folders and failure files are looked through from the beginning again; in between,
new ones only."""
BUSY_IN_A_ROW = 16
"""A walk ends when AWS was too busy for so many jobs in a row, because each try takes seconds."""
_FAILED = "ended:unseen"

Left = Callable[[], float]
"""Seconds that a round may still take."""


class Round:
    """One round: its time, its threads, and what it did."""

    def __init__(self, left: Left, threads: int) -> None:
        self._left = left
        self._threads = threads
        self._lock = threading.Lock()
        self._busy = 0
        self.counts: Counter[str] = Counter()
        self._broken: list[str] = []

    @property
    def broken(self) -> list[str]:
        """The ids of jobs that could not be handled, and other parts that failed."""
        return self._broken

    def begin(self) -> None:
        """Begin a new walk: forget how often AWS was too busy."""
        self._busy = 0

    def count(self, what: str, by: int = 1) -> None:
        """Count something that was done."""
        with self._lock:
            self.counts[what] += by

    def over(self) -> bool:
        """Whether the time is used up, or AWS is too busy."""
        return self._left() <= 0 or self._busy >= BUSY_IN_A_ROW

    def each(self, job_ids: list[str], act: Callable[[str], None]) -> tuple[int, list[str]]:
        """Call `act` for the jobs, several at a time. A job for which it fails does not stop the others. No job is
        begun when the time is used up or AWS is too busy. Returns how many jobs, from the first on, were begun, and
        those of them that failed."""
        broken: set[str] = set()
        skipped: list[int] = []

        def guarded(numbered: tuple[int, str]) -> None:
            number, job_id = numbered
            if self.over():
                skipped.append(number)
                return
            try:
                with logs.job(job_id):
                    act(job_id)
            except Exception as error:
                broken.add(job_id)
                self._heard(busy=isinstance(error, Busy))
            else:
                self._heard(busy=False)

        if self._threads == 1:
            for numbered in enumerate(job_ids):
                guarded(numbered)
        else:
            with ThreadPoolExecutor(max_workers=self._threads) as pool:
                list(pool.map(guarded, enumerate(job_ids)))
        self._broken += broken
        done = min(skipped, default=len(job_ids))
        return done, [job_id for job_id in job_ids[:done] if job_id in broken]

    def _heard(self, busy: bool) -> None:
        with self._lock:
            self._busy = self._busy + 1 if busy else 0


class Walker:
    """Walks through the jobs of some statuses, oldest first, and keeps where it stopped in `bookmarks`."""

    def __init__(
        self,
        sweep_round: Round,
        store: JobStore,
        bookmarks: dict[str, str],
        save: Callable[[dict[str, str]], None],
        shards: int,
        clock: Callable[[], float],
    ) -> None:
        """`save` keeps bookmarks for the next round; `clock` gives epoch seconds."""
        self._round = sweep_round
        self._store = store
        self.bookmarks = bookmarks
        self._save = save
        self._shards = shards
        self._clock = clock

    def walk(
        self,
        what: str,
        statuses: Iterable[Status],
        age: int,
        act: Callable[[str], None],
        again: bool,
    ) -> None:
        """Every job of these statuses older than `age` seconds, oldest first, from where the last round stopped.

        A lap goes through all statuses and shards. With `again`, the next one begins in the next round; otherwise once
        a day, and jobs that could not be looked at come first in the next round.
        """
        until = ids.first_of(moment(self._clock() - age))
        self._round.begin()
        if not again:
            self._look_once_more(act)
        lap = [(status, shard, f"{what}:{status}#{shard}") for status in statuses for shard in range(self._shards)]
        for status, shard, bookmark in lap:
            while self.bookmarks.get(bookmark) != ids.HIGHEST:
                if self._round.over():
                    return
                lines = self._store.oldest(status, shard, self.bookmarks.get(bookmark, ids.LOWEST), until, PAGE)
                if not lines:
                    break
                job_ids = [line.id for line in lines]
                # Should this page end the process, the next round goes on behind it.
                self._save({**self.bookmarks, bookmark: job_ids[-1]})
                done, broken = self._round.each(job_ids, act)
                if not again:
                    done = self._remember(job_ids, done, broken)
                if done:
                    self.bookmarks[bookmark] = job_ids[done - 1]
                if done < len(job_ids):
                    return
            if again:
                # Done with, until the whole lap is: or a long one of one status would keep the next from its turn.
                self.bookmarks[bookmark] = ids.HIGHEST
        names = [bookmark for _, _, bookmark in lap]
        if again:
            _forget(self.bookmarks, names)
        else:
            self.begin_again(what, names)

    def _look_once_more(self, act: Callable[[str], None]) -> None:
        """Handle the ended jobs again for which that failed: the walk comes back to them only in its next lap."""
        unseen = self.bookmarks.get(_FAILED, "").split()
        if not unseen:
            return
        # Should one of them end the process, it does so once.
        self._save({name: bookmark for name, bookmark in self.bookmarks.items() if name != _FAILED})
        done, broken = self._round.each(unseen, act)
        _keep_failed(self.bookmarks, [*broken, *unseen[done:]])

    def _remember(self, job_ids: list[str], done: int, broken: list[str]) -> int:
        """Keep the broken ones of a page for the next round; returns how many of its jobs the walk may pass: the first
        one there is no room for stops it."""
        unseen = self.bookmarks.get(_FAILED, "").split()
        new = [job_id for job_id in broken if job_id not in unseen]
        room = max(0, UNSEEN - len(unseen))
        _keep_failed(self.bookmarks, [*unseen, *new[:room]])
        return job_ids.index(new[room]) if len(new) > room else done

    def begin_again(self, what: str, names: list[str]) -> None:
        """The end is reached: go on from here with what is new, and once a day from the beginning."""
        since = f"{what}:since"
        now = self._clock()
        if now - float(self.bookmarks.setdefault(since, str(int(now)))) > AGAIN_AFTER:
            self.bookmarks[since] = str(int(now))
            _forget(self.bookmarks, names)


def _forget(bookmarks: dict[str, str], names: Iterable[str]) -> None:
    for name in names:
        bookmarks.pop(name, None)


def _keep_failed(bookmarks: dict[str, str], job_ids: list[str]) -> None:
    bookmarks.pop(_FAILED, None)
    if job_ids:
        bookmarks[_FAILED] = " ".join(job_ids)
