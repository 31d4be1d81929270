"""Removing objects that belong to no job."""

import re
from collections.abc import Callable
from itertools import takewhile

from darkroom import ids
from darkroom.jobs.model import JobTimeouts
from darkroom.jobs.ports import JobStore, Outputs
from darkroom.jobs.sweep_walker import Round, Walker
from darkroom.times import moment

OBJECT_PAGES = 5
"""Listings of objects in one round, each of up to 1,000 folders or files."""
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Tidying:
    """Looks through folders and failure files in one round."""

    def __init__(
        self,
        sweep_round: Round,
        walker: Walker,
        store: JobStore,
        outputs: Outputs,
        timeouts: JobTimeouts,
        clock: Callable[[], float],
    ) -> None:
        """`clock` gives epoch seconds."""
        self._round = sweep_round
        self._walker = walker
        self._bookmarks = walker.bookmarks
        self._store = store
        self._outputs = outputs
        self._timeouts = timeouts
        self._clock = clock

    def tidy_folders(self) -> None:
        """Remove the objects of jobs without a row, once no answer can arrive for them any more. Jobs whose objects
        could not be removed are reported as broken; the next pass over all folders tries them again."""
        until = ids.first_of(moment(self._clock() - self._timeouts.forgotten))
        bookmark = "folders"
        self._round.begin()
        for _ in range(OBJECT_PAGES):
            if self._round.over():
                return
            found = self._outputs.folders(self._bookmarks.get(bookmark, ids.LOWEST), until)
            if not found:
                self._walker.begin_again(bookmark, [bookmark])
                return
            lost = self._without_row(found)
            done, broken = self._round.each(lost, self._outputs.delete)
            self._round.count("orphans", done - len(broken))
            if done < len(lost):
                if done:
                    self._bookmarks[bookmark] = lost[done - 1]
                return
            self._bookmarks[bookmark] = found[-1]

    def tidy_failures(self) -> None:
        """Remove failure files with the id of a job without a row in their name. Other failure files expire by S3's
        rule: nothing in them says which job they belong to."""
        until = ids.first_of(moment(self._clock() - self._timeouts.forgotten))
        bookmark = "failures"
        self._round.begin()
        for _ in range(OBJECT_PAGES):
            if self._round.over():
                return
            found = list(
                takewhile(lambda key: _named(key) <= until, self._outputs.failures(self._bookmarks.get(bookmark, "")))
            )
            if not found:
                self._walker.begin_again(bookmark, [bookmark])
                return
            named = {job_id: key for key in found if (job_id := _named(key))}
            lost = self._without_row(list(named))
            try:
                self._outputs.delete_failures([named[job_id] for job_id in lost])
                self._round.count("orphans", len(lost))
            except Exception:
                self._round.broken.extend(lost)
            self._bookmarks[bookmark] = found[-1]

    def _without_row(self, found: list[str]) -> list[str]:
        job_ids = [job_id for job_id in found if ids.is_id(job_id)]
        existing = self._store.existing(job_ids) if job_ids else set()
        return [job_id for job_id in job_ids if job_id not in existing]


def _named(key: str) -> str:
    """The job's id in the name of a failure file, empty when there is none."""
    found = _ID.search(key)
    return found.group() if found else ""
