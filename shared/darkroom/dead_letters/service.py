"""Looking at dead letters, and sending them back.

SQS has a task of its own for that (StartMessageMoveTask), but only for the dead-letter queues of other queues: what SNS
could not deliver and what Lambda gave up on would need another way. So one way serves all: receive, send, delete. A
copy is sent before its message is deleted, so none is lost; a message that comes twice changes nothing.
"""

import json
import time
from collections.abc import Callable, Mapping

from darkroom.dead_letters.api import LetterList, LetterOut, QueueList, QueueOut, Redriven
from darkroom.dead_letters.model import About, Message, Queue
from darkroom.dead_letters.ports import Letters
from darkroom.errors import Missing
from darkroom.times import iso, moment

PEEK_SECONDS = 15
MOVE_SECONDS = 60
"""How long messages are kept from others while they are shown, and while they are moved."""
REDRIVE_SECONDS = 15.0
"""After this no new batch is begun: API Gateway gives up after 29 seconds."""
MAX_REASON = 500
_UNKNOWN = About("unknown")


class DeadLetters:
    """The dead-letter queues of a stage."""

    def __init__(
        self,
        queues: list[Queue],
        letters: Letters,
        about: Mapping[str, Callable[[str], About]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`about` tells by a queue's name what its messages say; it never raises. `clock` gives seconds."""
        self._queues = {queue.name: queue for queue in queues}
        self._letters = letters
        self._about = about
        self._clock = clock

    def all(self) -> QueueList:
        """Every queue with its count; the oldest is that of up to ten messages."""
        return QueueList(queues=[self._summary(queue) for queue in self._queues.values()])

    def peek(self, name: str, limit: int) -> LetterList:
        """Up to `limit` messages. Nothing is taken away, but who looks at the same time may see fewer.

        Raises Missing `queue_not_found`.
        """
        queue = self._find(name)
        taken: dict[str, Message] = {}
        try:
            while len(taken) <= limit and (batch := self._letters.take(queue.url, PEEK_SECONDS)):
                taken.update((message.id, message) for message in batch)
        finally:
            self._letters.put_back(queue.url, list(taken.values()))
        shown = list(taken.values())[:limit]
        return LetterList(messages=[self._out(name, message) for message in shown], more=len(taken) > limit)

    def redrive(self, name: str) -> Redriven:
        """Send messages back to where they came from, as many as the time allows, and none twice.

        Those of a queue without a source are dropped: the next round of the schedule did what the failed one left.
        Raises Missing `queue_not_found`.
        """
        queue = self._find(name)
        ends = self._clock() + REDRIVE_SECONDS
        # What comes back while this runs has failed once more, and would go round for ever.
        waiting, done = self._letters.count(queue.url), 0
        while done < waiting and self._clock() < ends and (batch := self._letters.take(queue.url, MOVE_SECONDS)):
            if queue.source:
                self._letters.send(queue.source, batch)
            self._letters.delete(queue.url, batch)
            done += len(batch)
        left = self._letters.count(queue.url)
        return Redriven(moved=done if queue.source else 0, dropped=0 if queue.source else done, left=left)

    def _summary(self, queue: Queue) -> QueueOut:
        messages = self._letters.count(queue.url)
        first = self._letters.take(queue.url, PEEK_SECONDS) if messages else []
        self._letters.put_back(queue.url, first)
        oldest = min((message.sent for message in first), default=None)
        return QueueOut(name=queue.name, messages=messages, oldest=None if oldest is None else iso(moment(oldest)))

    def _out(self, name: str, message: Message) -> LetterOut:
        about = self._about[name](message.body) if name in self._about else _UNKNOWN
        return LetterOut(
            id=message.id,
            sent_at=iso(moment(message.sent)),
            received=message.received,
            kind=about.kind,
            subject=about.subject,
            status=about.status,
            reason=about.reason,
        )

    def _find(self, name: str) -> Queue:
        if name not in self._queues:
            known = ", ".join(self._queues)
            raise Missing("queue_not_found", f"There is no queue {name[:64]!r}; there are {known}.")
        return self._queues[name]


def about_round(body: str) -> About:
    """A round of the sweeper that failed, as Lambda's record of it says (Lambda guide, asynchronous destinations)."""
    try:
        payload = json.loads(body).get("responsePayload")
        return About("round", reason=str(payload["errorMessage"])[:MAX_REASON])
    except (ValueError, KeyError, TypeError, AttributeError):
        return About("round")
