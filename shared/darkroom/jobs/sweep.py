"""What sees to the jobs that nobody reports on any more, and to the objects that belong to no job.

Every round starts where the last one stopped and ends with the time it is given. All writes are conditional, so
two rounds at once, or one that breaks off anywhere, do no harm.
"""

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import takewhile

from darkroom import ids, logs
from darkroom.endpoints.service import Endpoints
from darkroom.errors import Busy
from darkroom.jobs.contract import WorkError
from darkroom.jobs.dispatcher import Dispatcher
from darkroom.jobs.model import Job, JobTimeouts, Transition
from darkroom.jobs.ports import AnswerTooLarge, Bookmarks, JobStore, Outputs
from darkroom.jobs.settling import Settling
from darkroom.jobs.state import ENDPOINT_GONE, OPEN, TIMED_OUT, Basis, Status
from darkroom.times import moment, precise

NAME = "jobs"
PAGE = 200
"""Jobs that one read brings."""
OBJECT_PAGES = 5
"""Listings of objects in one round, each of up to 1,000 folders or files."""
UNSEEN = 100
"""Ended jobs whose look failed that one bookmark remembers, for the next round to look once more."""
AGAIN_AFTER = 86_400
"""Seconds after which ended jobs, folders and failure files are looked through from the beginning again; in between,
new ones only."""
BUSY_IN_A_ROW = 16
"""Jobs one after the other for which AWS was too busy: it is for the others, too, and each try takes seconds."""
HAND_OVERS = 6
"""Times that a job is handed over again, each after twice as long, so over hours that AWS may be away. Each may be one
that SageMaker took and that will be painted."""
LIGHT = 2 * 1024 * 1024
"""Bytes of an answer that is taken in beside others; heavier ones come one at a time, for they are unpacked in memory
several times over."""
ENDED: tuple[Status, ...] = ("cancelled", "fail")
MAX_FAILURE_TEXT = 2_000
_UNSEEN = "ended:unseen"
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

Left = Callable[[], float]
"""Seconds that a round may still take."""


class Sweep:
    """Rounds over the jobs: `run` is one."""

    def __init__(
        self,
        store: JobStore,
        bookmarks: Bookmarks,
        outputs: Outputs,
        settling: Settling,
        dispatcher: Dispatcher,
        endpoints: Endpoints,
        timeouts: JobTimeouts,
        shards: int,
        threads: int = 8,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`threads` jobs are looked at side by side; `clock` gives epoch seconds."""
        self._store = store
        self._bookmarks = bookmarks
        self._outputs = outputs
        self._settling = settling
        self._dispatcher = dispatcher
        self._endpoints = endpoints
        self._timeouts = timeouts
        self._shards = shards
        self._threads = threads
        self._clock = clock
        self._counts: Counter[str] = Counter()
        self._broken: list[str] = []
        self._lock = threading.Lock()
        self._heavy = threading.Lock()
        self._busy = 0
        self._serving: dict[str, bool] | None = None

    def run(self, left: Left) -> dict[str, int | list[str]]:
        """One round; returns what was done, by kind, and under `broken` the ids of jobs that could not be looked at.

        What breaks in one part keeps none of the others from their turn; the first such error rises at the end.
        """
        self._counts, self._broken = Counter(), []
        bookmarks = self._bookmarks.load(NAME)
        timeouts = self._timeouts
        parts: tuple[Callable[[], None], ...] = (
            lambda: self._walk(bookmarks, "open", OPEN, timeouts.settle_after, left, self._look_at, again=True),
            lambda: self._walk(bookmarks, "ended", ENDED, timeouts.forgotten, left, self._look_again, again=False),
            lambda: self._tidy_folders(bookmarks, left),
            lambda: self._tidy_failures(bookmarks, left),
        )
        errors: list[Exception] = []
        try:
            self._serving = self._listed_endpoints()
            for part in parts:
                try:
                    part()
                except Exception as error:
                    errors.append(error)
        finally:
            self._bookmarks.save(NAME, bookmarks)
        if errors:
            raise errors[0]
        return {**self._counts, "broken": sorted(self._broken)}

    def _listed_endpoints(self) -> dict[str, bool] | None:
        """Each endpoint and whether it takes jobs, None while SageMaker does not tell. It is read before any answer is
        looked for: what an endpoint answered before it went is then in S3."""
        try:
            return {endpoint.name: endpoint.serving for endpoint in self._endpoints.all(fresh=True)}
        except Busy:
            return None
        except Exception:
            # Jobs are settled without the list, too; that it cannot be had must be heard of.
            self._broken.append("endpoints")
            return None

    def _walk(
        self,
        bookmarks: dict[str, str],
        what: str,
        statuses: Iterable[Status],
        age: int,
        left: Left,
        act: Callable[[str], None],
        again: bool,
    ) -> None:
        """Every job of these statuses older than `age` seconds, oldest first, from where the last round stopped.

        A lap goes through all statuses and shards. With `again`, the next one begins in the next round; otherwise once
        a day, and jobs that could not be looked at come first in the next round.
        """
        until = ids.first_of(self._before(age))
        self._busy = 0
        if not again:
            self._look_once_more(bookmarks, left)
        lap = [(status, shard, f"{what}:{status}#{shard}") for status in statuses for shard in range(self._shards)]
        for status, shard, bookmark in lap:
            while bookmarks.get(bookmark) != ids.HIGHEST:
                if self._over(left):
                    return
                lines = self._store.oldest(status, shard, bookmarks.get(bookmark, ids.LOWEST), until, PAGE)
                if not lines:
                    break
                job_ids = [line.id for line in lines]
                # Should this page end the process, the next round goes on behind it.
                self._bookmarks.save(NAME, {**bookmarks, bookmark: job_ids[-1]})
                done, broken = self._each(job_ids, act, left)
                if not again:
                    done = self._remember(bookmarks, job_ids, done, broken)
                if done:
                    bookmarks[bookmark] = job_ids[done - 1]
                if done < len(job_ids):
                    return
            if again:
                # Done with, until the whole lap is: or a long one of one status would keep the next from its turn.
                bookmarks[bookmark] = ids.HIGHEST
        names = [bookmark for _, _, bookmark in lap]
        if again:
            _forget(bookmarks, names)
        else:
            self._begin_again(bookmarks, what, names)

    def _each(self, job_ids: list[str], act: Callable[[str], None], left: Left) -> tuple[int, list[str]]:
        """Side by side; one job that cannot be looked at stops none of the others, but none is begun when the time is
        out or AWS is too busy for all. Returns how many, from the first on, had their turn, and the broken of those."""
        broken: set[str] = set()
        skipped: list[int] = []

        def guarded(numbered: tuple[int, str]) -> None:
            number, job_id = numbered
            if self._over(left):
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

    def _over(self, left: Left) -> bool:
        return left() <= 0 or self._busy >= BUSY_IN_A_ROW

    def _heard(self, busy: bool) -> None:
        with self._lock:
            self._busy = self._busy + 1 if busy else 0

    def _look_once_more(self, bookmarks: dict[str, str], left: Left) -> None:
        """The ended jobs whose look failed: the walk is beyond them, and comes to them again only with the next lap."""
        unseen = bookmarks.get(_UNSEEN, "").split()
        if not unseen:
            return
        # Should one of them end the process, it does so once.
        self._bookmarks.save(NAME, {name: bookmark for name, bookmark in bookmarks.items() if name != _UNSEEN})
        done, broken = self._each(unseen, self._look_again, left)
        _keep_unseen(bookmarks, [*broken, *unseen[done:]])

    def _remember(self, bookmarks: dict[str, str], job_ids: list[str], done: int, broken: list[str]) -> int:
        """Keep the broken ones of a page for the next round; returns how many of its jobs the walk may pass: the first
        one there is no room for stops it."""
        unseen = bookmarks.get(_UNSEEN, "").split()
        new = [job_id for job_id in broken if job_id not in unseen]
        room = max(0, UNSEEN - len(unseen))
        _keep_unseen(bookmarks, [*unseen, *new[:room]])
        return job_ids.index(new[room]) if len(new) > room else done

    def _look_at(self, job_id: str) -> None:
        """An open job without news: what lies in S3 decides, then the marker, then the time, then the endpoint."""
        self._count("looked_at")
        job = self._store.get(job_id)
        if job is None or job.line.settled:
            return  # The index lags behind.
        late = self._age(job) > self._timeouts.deadline
        try:
            if self._answered(job):
                # A cancel that broke off may have left one, and nobody stops any more.
                self._outputs.unmark(job_id)
                return
        except Busy:
            raise
        except Exception as error:
            # An answer that cannot be taken in must not keep the job open for ever.
            if not late:
                raise
            cause = f"Its answer lies in S3, but could not be taken in ({type(error).__name__}). Submit it again."
            self._give_up(job, WorkError(code=TIMED_OUT, message=cause), "deadline")
            return
        if self._outputs.is_marked(job_id):
            self._cancel(job)
        elif late:
            message = "Nothing was heard of this job in the time it may take. Submit it again, or replay it."
            self._give_up(job, WorkError(code=TIMED_OUT, message=message), "deadline")
        elif self._serving is not None and job.line.endpoint not in self._serving:
            message = f"The endpoint {job.line.endpoint} is gone, and the job with it. Replay it on another one."
            self._give_up(job, WorkError(code=ENDPOINT_GONE, message=message), "endpoint")
        elif job.line.status == "created" and (self._serving is None or self._serving[job.line.endpoint]):
            # An endpoint that takes no jobs now may do so later; a refusal would end the job.
            self._hand_over_again(job)

    def _look_again(self, job_id: str) -> None:
        """A job that ended long ago: the answer of one that timed out may have come after all. What a cancelled one
        left is removed, and the pictures of a failed one: no row names them."""
        self._count("looked_at")
        job = self._store.get(job_id)
        if job is None:
            return
        if job.line.status == "cancelled":
            self._outputs.delete(job.line.id, job.failure_location)
            self._count("tidied")
            return
        if job.error and job.error.code == TIMED_OUT and self._answered(job):
            job = self._store.get(job_id)
        if job and job.line.status == "fail":
            self._outputs.delete_pictures(job.line.id)

    def _answered(self, job: Job) -> bool:
        """Settle the job by what lies in S3; False when nothing does."""
        job_id = job.line.id
        try:
            content = self._outputs.read_answer(job_id, LIGHT)
        except AnswerTooLarge:
            with self._heavy:
                ended = self._settling.completed(job_id, None, "s3")
        else:
            if content is not None:
                ended = self._settling.completed(job_id, content, "s3")
            else:
                location = job.failure_location
                failure = self._outputs.read_failure(location) if location else None
                if failure is None:
                    return False
                text = failure[:MAX_FAILURE_TEXT].decode(errors="replace").strip()
                ended = self._settling.failed(job_id, failure, text or None, "s3")
        if ended:
            self._count(ended)
        return True

    def _hand_over_again(self, job: Job) -> None:
        """An invoke that was taken before its mark was lost runs once more, to the same keys: so not while a worker is
        at it (the claim looks), not often, and each time after twice as long. The claim comes first, or a round that
        breaks off behind the invoke would not be counted."""
        if job.hand_overs >= HAND_OVERS:
            return
        wait = self._timeouts.settle_after * 2 ** (job.hand_overs - 1)
        if job.handed_over_at and self._since(job.handed_over_at) < wait:
            return
        if self._store.claim_hand_over(job.line.id, job.hand_overs, precise(self._before(0))):
            self._dispatcher(job)
            self._count("invoked")

    def _give_up(self, job: Job, error: WorkError, basis: Basis) -> None:
        if self._settling.given_up(job.line.id, error, basis):
            self._count(error.code)

    def _cancel(self, job: Job) -> None:
        """A cancel broke off between its marker and its row."""
        now = precise(self._before(0))
        transition = Transition("cancelled", "s3", cancelled_when=job.cancel_point, completed_at=now)
        if self._store.apply(job.line.id, transition).applied:
            self._count("cancelled")

    def _tidy_folders(self, bookmarks: dict[str, str], left: Left) -> None:
        """Remove objects whose job has no row, once nothing can come for it any more. What cannot be removed is told,
        and comes again with the next lap."""
        until = ids.first_of(self._before(self._timeouts.forgotten))
        bookmark = "folders"
        self._busy = 0
        for _ in range(OBJECT_PAGES):
            if self._over(left):
                return
            found = self._outputs.folders(bookmarks.get(bookmark, ids.LOWEST), until)
            if not found:
                self._begin_again(bookmarks, bookmark, [bookmark])
                return
            lost = self._without_row(found)
            done, broken = self._each(lost, self._outputs.delete, left)
            self._count("orphans", done - len(broken))
            if done < len(lost):
                if done:
                    bookmarks[bookmark] = lost[done - 1]
                return
            bookmarks[bookmark] = found[-1]

    def _tidy_failures(self, bookmarks: dict[str, str], left: Left) -> None:
        """Remove failure files that are named after a job without a row. Others are left to expire: only the job
        itself knows whose they are."""
        until = ids.first_of(self._before(self._timeouts.forgotten))
        bookmark = "failures"
        for _ in range(OBJECT_PAGES):
            if left() <= 0:
                return
            found = list(
                takewhile(lambda key: _named(key) <= until, self._outputs.failures(bookmarks.get(bookmark, "")))
            )
            if not found:
                self._begin_again(bookmarks, bookmark, [bookmark])
                return
            named = {job_id: key for key in found if (job_id := _named(key))}
            lost = self._without_row(list(named))
            try:
                self._outputs.delete_failures([named[job_id] for job_id in lost])
                self._count("orphans", len(lost))
            except Exception:
                self._broken += lost
            bookmarks[bookmark] = found[-1]

    def _without_row(self, found: list[str]) -> list[str]:
        job_ids = [job_id for job_id in found if ids.is_id(job_id)]
        there = self._store.existing(job_ids) if job_ids else set()
        return [job_id for job_id in job_ids if job_id not in there]

    def _begin_again(self, bookmarks: dict[str, str], what: str, names: list[str]) -> None:
        """The end is reached: go on from here with what is new, and once a day from the beginning."""
        since = f"{what}:since"
        now = self._clock()
        if now - float(bookmarks.setdefault(since, str(int(now)))) > AGAIN_AFTER:
            bookmarks[since] = str(int(now))
            _forget(bookmarks, names)

    def _age(self, job: Job) -> float:
        """Seconds since the job was handed over, or written if it never was."""
        return self._since(job.submitted_at or ids.created_at(job.line.id).isoformat())

    def _since(self, moment: str) -> float:
        """Seconds since a moment in ISO 8601."""
        return self._clock() - datetime.fromisoformat(moment).timestamp()

    def _before(self, seconds: float) -> datetime:
        return moment(self._clock() - seconds)

    def _count(self, what: str, by: int = 1) -> None:
        with self._lock:
            self._counts[what] += by


def _forget(bookmarks: dict[str, str], names: Iterable[str]) -> None:
    for name in names:
        bookmarks.pop(name, None)


def _keep_unseen(bookmarks: dict[str, str], job_ids: list[str]) -> None:
    bookmarks.pop(_UNSEEN, None)
    if job_ids:
        bookmarks[_UNSEEN] = " ".join(job_ids)


def _named(key: str) -> str:
    """The job's id in the name of a failure file, empty when there is none."""
    found = _ID.search(key)
    return found.group() if found else ""
