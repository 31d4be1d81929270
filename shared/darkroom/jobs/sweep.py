"""The sweeper's round over the jobs for which no message arrives any more, and over objects that belong to no job.

Every round starts where the last one stopped and ends with the time it is given. All writes are conditional, so
two rounds at once, or one that breaks off anywhere, do no harm. `sweep_walker` goes through the jobs, `sweep_rules`
acts on one job, `sweep_tidying` removes objects, `sweep_pictures` removes input pictures.
"""

import time
from collections.abc import Callable
from functools import partial

from darkroom import ids
from darkroom.endpoints.service import Endpoints
from darkroom.errors import Busy
from darkroom.images.ports import ImageStore, PictureUses
from darkroom.jobs.dispatcher import Dispatcher
from darkroom.jobs.ending import Endings
from darkroom.jobs.model import JobTimeouts
from darkroom.jobs.ports import Bookmarks, JobStore, Outputs
from darkroom.jobs.results import Results
from darkroom.jobs.state import CANCELLED, FAIL, OPEN, Status
from darkroom.jobs.sweep_pictures import PictureTidying
from darkroom.jobs.sweep_rules import Rules
from darkroom.jobs.sweep_tidying import Tidying
from darkroom.jobs.sweep_walker import Left, Round, Walker
from darkroom.times import moment

NAME = "jobs"
OLDEST = "oldest_open_seconds"
"""The metric of the age of the oldest open job."""
ENDED: tuple[Status, ...] = (CANCELLED, FAIL)


class Sweep:
    """Rounds over the jobs: `run` is one."""

    def __init__(
        self,
        store: JobStore,
        bookmarks: Bookmarks,
        outputs: Outputs,
        uses: PictureUses,
        images: ImageStore,
        endings: Endings,
        results: Results,
        dispatcher: Dispatcher,
        endpoints: Endpoints,
        timeouts: JobTimeouts,
        shards: int,
        threads: int = 8,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`threads` jobs are handled at the same time; `clock` gives epoch seconds."""
        self._store = store
        self._bookmarks = bookmarks
        self._outputs = outputs
        self._uses = uses
        self._images = images
        self._endings = endings
        self._results = results
        self._dispatcher = dispatcher
        self._endpoints = endpoints
        self._timeouts = timeouts
        self._shards = shards
        self._threads = threads
        self._clock = clock

    def run(self, left: Left) -> dict[str, int | list[str]]:
        """One round; returns what was done, by kind, and under `broken` the ids of jobs that could not be handled.

        An error in one part stops none of the others; the first such error is raised at the end.
        """
        this = Round(left, self._threads)
        bookmarks = self._bookmarks.load(NAME)
        save = partial(self._bookmarks.save, NAME)
        walker = Walker(this, self._store, bookmarks, save, self._shards, self._clock)
        parts_of_rules = (self._store, self._outputs, self._endings, self._results, self._dispatcher)
        rules = Rules(this, *parts_of_rules, self._timeouts, self._clock)
        tidying = Tidying(this, walker, self._store, self._outputs, self._timeouts, self._clock)
        pictures = PictureTidying(this, self._store, self._uses, self._images, self._shards, self._clock)
        errors: list[Exception] = []
        try:
            serving = self._listed_endpoints(this)
            look_at, settle_after = partial(rules.look_at, serving=serving), self._timeouts.settle_after
            parts: tuple[Callable[[], None], ...] = (
                lambda: walker.walk("open", OPEN, settle_after, look_at, again=True),
                lambda: walker.walk("ended", ENDED, self._timeouts.forgotten, rules.look_again, again=False),
                tidying.tidy_folders,
                tidying.tidy_failures,
                pictures.tidy,
            )
            for part in parts:
                try:
                    part()
                except Exception as error:
                    errors.append(error)
        finally:
            self._bookmarks.save(NAME, bookmarks)
        if errors:
            raise errors[0]
        return {**this.counts, "broken": sorted(this.broken)}

    def run_and_measure(self, left: Left) -> dict[str, int | list[str]]:
        """`run`, and under OLDEST how old the oldest open job is after it, in seconds."""
        return {**self.run(left), OLDEST: self._age_of_the_oldest()}

    def _age_of_the_oldest(self) -> int:
        """How many seconds ago the oldest open job was made; 0 without one."""
        now = self._clock()
        until = ids.first_of(moment(now))
        pages = [
            self._store.oldest(status, shard, ids.LOWEST, until, 1) for status in OPEN for shard in range(self._shards)
        ]
        ages = [now - ids.created_at(line.id).timestamp() for lines in pages for line in lines]
        return int(max(ages, default=0))

    def _listed_endpoints(self, this: Round) -> dict[str, bool] | None:
        """Each endpoint and whether it takes jobs, None when SageMaker could not be asked. It is read before any answer
        is looked for: an answer of an endpoint that is gone is then in S3 already."""
        try:
            return {endpoint.name: endpoint.serving for endpoint in self._endpoints.all(fresh=True)}
        except Busy:
            return None
        except Exception:
            # Jobs are settled without the list, too; the failure is reported.
            this.broken.append("endpoints")
            return None
