"""Listing dead letters, and sending them back.

SQS has a task of its own for that (StartMessageMoveTask), but only for the dead-letter queues of other queues. What SNS
could not deliver and what Lambda gave up on would need another way. So all queues are handled the same way: receive,
send, delete. A copy is sent before its message is deleted, so no message is lost. A message that is delivered twice
changes nothing.
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
"""How long nobody else receives messages: while they are listed, and while they are moved."""
REDRIVE_SECONDS = 15.0
"""No batch is begun after this time: API Gateway gives up after 29 seconds."""
MAX_REASON = 500
_UNKNOWN = About("unknown")


class DeadLetters:
    """The dead-letter queues of a stage."""

    def __init__(
        self,
        queues: list[Queue],
        letters: Letters,
        about: Mapping[str, Callable[[str], About]],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`about` has, by a queue's name, the function that says what one of its messages is about; it never raises.
        `monotonic` gives seconds for measuring durations."""
        self._queues = {queue.name: queue for queue in queues}
        self._letters = letters
        self._about = about
        self._monotonic = monotonic

    def all(self) -> QueueList:
        """Every queue with its number of messages; `oldest` is found among up to ten of them."""
        return QueueList(queues=[self._summary(queue) for queue in self._queues.values()])

    def peek(self, name: str, limit: int) -> LetterList:
        """Up to `limit` messages of a queue. They stay in it, but who lists them at the same time may see fewer.

        Raises Missing `queue_not_found`.
        """
        queue = self._find(name)
        taken: dict[str, Message] = {}
        try:
            while len(taken) <= limit and (batch := self._letters.take(queue.url, PEEK_SECONDS)):
                taken.update((message.id, message) for message in batch)
        finally:
            self._letters.put_back(queue.url, list(taken.values()))
        first = list(taken.values())[:limit]
        return LetterList(messages=[self._out(name, message) for message in first], more=len(taken) > limit)

    def redrive(self, name: str) -> Redriven:
        """Send messages of a queue back to its source, as many as the time allows.

        The messages of a queue without a source are deleted: a later round has done what the failed round left undone.
        Raises Missing `queue_not_found`.
        """
        queue = self._find(name)
        deadline = self._monotonic() + REDRIVE_SECONDS
        # At most as many as are there now: a message that fails again returns, and would be moved for ever.
        waiting, done = self._letters.count(queue.url), 0
        while (
            done < waiting and self._monotonic() < deadline and (batch := self._letters.take(queue.url, MOVE_SECONDS))
        ):
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
    """What may be shown of a failed round of the sweeper. `body` is Lambda's record of the failed call (Lambda
    Developer Guide, asynchronous destinations). Never raises."""
    try:
        payload = json.loads(body).get("responsePayload")
        return About("round", reason=str(payload["errorMessage"])[:MAX_REASON])
    except (ValueError, KeyError, TypeError, AttributeError):
        return About("round")
