"""Removing input pictures that no job names any more.

The delete of a job asks for a look at its pictures a day later. A picture that a job still names is looked at again
when that job has expired; one that was stored or begun anew within a day may be about to be named, and waits. Before a
picture is removed the look is claimed: from then on no submission takes the picture, and one that came before the claim
has put the look off, so the claim fails (`images/service.py`, `keep`).
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from darkroom.images.ports import Due, ImageStore, PictureUses
from darkroom.images.service import DAY
from darkroom.jobs.ports import JobStore
from darkroom.jobs.sweep_walker import Round
from darkroom.times import moment, precise

AT_ONCE = 200
"""Pictures that one round looks at."""
SETTLED = DAY + 3_600
"""Seconds after which a picture that was stored can only be named by a submission that puts the look off first: those
that come within a day do not ask, and one takes less than an hour."""
CLAIM_SECONDS = 900
"""After so long a claim is one of a round that died; the function is killed long before."""


class PictureTidying:
    """Looks at pictures in one round."""

    def __init__(
        self,
        sweep_round: Round,
        store: JobStore,
        uses: PictureUses,
        images: ImageStore,
        shards: int,
        clock: Callable[[], float],
    ) -> None:
        """`shards` is the number of shards of the feed; `clock` gives epoch seconds."""
        self._round = sweep_round
        self._store = store
        self._uses = uses
        self._images = images
        self._shards = shards
        self._clock = clock

    def tidy(self) -> None:
        """Look at every picture whose time has come, up to some hundred."""
        self._round.begin()
        due = {f"{one.owner}/{one.image_id}": one for one in self._uses.due(self._at(0), AT_ONCE)}
        if due and self._all_kept():
            self._round.each(list(due), lambda name: self._look(due[name]))

    def _all_kept(self) -> bool:
        """Whether the uses of every job there is were kept. While jobs from before are there, nobody knows which
        pictures they name."""
        oldest = [self._store.first(shard) for shard in range(self._shards)]
        return all(found is None or found.uses is not None for found in oldest)

    def _look(self, due: Due) -> None:
        if due.removing and self._since(due.removing) < CLAIM_SECONDS:
            return  # Another round is at it.
        stored = self._images.find(due.owner, due.image_id)
        if stored is not None and stored.age < SETTLED:
            self._uses.postpone(due, self._at(SETTLED - stored.age))
            return
        expires_at = self._newest(due)
        if expires_at is not None:
            self._uses.postpone(due, self._at(max(DAY, expires_at + DAY - self._clock())))
            return
        now = self._at(0)
        if self._round.over() or not self._uses.claim(due, now):
            return
        if stored is not None:
            self._images.delete(due.owner, due.image_id)
            self._round.count("pictures")
        self._uses.forget(replace(due, removing=now))

    def _newest(self, due: Due) -> int | None:
        """When the newest job that names the picture expires, None when there is none. Uses of jobs that have gone are
        dropped on the way."""
        for page in self._uses.uses(due):
            there = self._store.existing([use.job_id for use in page])
            self._uses.drop(due, [use.job_id for use in page if use.job_id not in there])
            if there:
                return next(use.expires_at for use in page if use.job_id in there)
        return None

    def _at(self, seconds: float) -> str:
        """The moment so many seconds from now."""
        return precise(moment(self._clock() + seconds))

    def _since(self, when: str) -> float:
        return self._clock() - datetime.fromisoformat(when).timestamp()
