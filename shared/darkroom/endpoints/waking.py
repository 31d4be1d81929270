"""Waking: a job that comes to an endpoint without instances asks for the first one itself, in its own request.

Whoever asks for the first instance of an endpoint does it here: `Waker.ask` is the only caller of `Waking.wake`.
"""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from darkroom.endpoints.ports import Waking
from darkroom.endpoints.service import Endpoints
from darkroom.errors import Busy, Conflict, DarkroomError, Missing

log = logging.getLogger(__name__)
TRUSTED_SECONDS = 30.0
REFUSED_METRIC = "instances_refused"
Cause = Literal["job", "round", "event", "warm"]


@dataclass(frozen=True)
class Asked:
    """An endpoint's first instance was asked for, and AWS agreed: at `at` (epoch seconds), because a job came, because
    a round found jobs that wait, because an event said that the endpoint may be changed again, or because somebody
    keeps it warm."""

    endpoint: str
    at: float
    cause: Cause


class Waker:
    """Wakes endpoints that have no instance. `job_came` raises no error: a job never fails because its endpoint was not
    woken, and the rounds of the scaler ask again within a minute."""

    def __init__(
        self,
        endpoints: Endpoints,
        waking: Callable[[], Waking],
        kept_awake: float = 2 * TRUSTED_SECONDS,
        count: Callable[[str], None] = lambda metric: None,
        after: Iterable[Callable[[Asked], None]] = (),
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`waking` is called when an endpoint is woken. `kept_awake` is for how many seconds at least an endpoint stays
        awake after a job came. `count` counts one under the name of a metric; each of `after` is told of every
        endpoint that was asked to wake. `clock` gives epoch seconds, `monotonic` seconds that only measure."""
        self._endpoints = endpoints
        self._waking = waking
        self._trusted = min(TRUSTED_SECONDS, kept_awake / 2)
        self._count = count
        self._after = tuple(after)
        self._clock = clock
        self._monotonic = monotonic
        self._awake_until: dict[str, float] = {}

    def job_came(self, endpoint: str) -> None:
        """Wake the endpoint of a job that was just written, if it sleeps: at most one call to look, and one to wake.

        An endpoint is not put to sleep for some time after a job came (`endpoints/instances.py`). So once it was awake
        after a job was written, it is not looked at again for half that time: it cannot have fallen asleep. In all
        other cases it is looked at now, and what is remembered of it is not used, for it may have fallen asleep since.
        Only "asleep" is used from memory: to wake an endpoint that somebody else has just woken does no harm.
        """
        if self._awake_until.get(endpoint, 0.0) > self._monotonic():
            return
        try:
            if not self._endpoints.is_ours(endpoint):
                return
            now = self._monotonic()
            if not self._sleeps(endpoint) or self.ask(endpoint, "job"):
                self._awake_until[endpoint] = now + self._trusted
        except Busy as busy:
            log.warning("whether %s sleeps was not told: %s", endpoint, busy.code)
        except Exception as error:
            log.error("%s was not woken: %s", endpoint, type(error).__name__)

    def _sleeps(self, endpoint: str) -> bool:
        if self._endpoints.known_to_sleep(endpoint):
            return True
        found = self._endpoints.details(endpoint, fresh=True)
        return found is not None and found.sleeps

    def ask(self, endpoint: str, cause: Cause) -> bool:
        """Ask for the first instance of an endpoint that has none; whether AWS agreed.

        While the endpoint is changing AWS refuses: then it is asked again by the next event of the endpoint or the next
        round. Any other refusal is counted, and logged in the words of AWS."""
        try:
            self._waking().wake(endpoint)
        except (Busy, Conflict, Missing) as later:
            log.warning("%s cannot be woken now: %s", endpoint, later.code)
            return False
        except DarkroomError as refused:
            self.report(endpoint, refused)
            return False
        finally:
            self._endpoints.forget_details(endpoint)
        log.info("%s was asked to wake", endpoint)
        self._tell(Asked(endpoint, self._clock(), cause))
        return True

    def report(self, endpoint: str, refused: DarkroomError) -> None:
        """Count and log, in the words of AWS, that it refuses to change the number of instances for good."""
        log.error("AWS does not change the instances of %s: %s", endpoint, refused.detail)
        self._count(REFUSED_METRIC)

    def _tell(self, asked: Asked) -> None:
        for listener in self._after:
            try:
                listener(asked)
            except Exception as error:
                # The endpoint wakes all the same.
                log.error("a wake-up of %s was not noted: %s", asked.endpoint, type(error).__name__)
