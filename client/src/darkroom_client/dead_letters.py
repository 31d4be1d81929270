"""Messages that nothing could take in."""

from darkroom_client.answers import LetterList, QueueList, Redriven
from darkroom_client.client import Darkroom, known


def queues(darkroom: Darkroom) -> QueueList:
    """All dead-letter queues, and how many messages lie there."""
    return known(QueueList, darkroom.request("GET", "/dead-letters"))


def letters(darkroom: Darkroom, queue: str, limit: int = 20) -> LetterList:
    """The first messages of a queue: what each is about, never its text."""
    return known(LetterList, darkroom.request("GET", f"/dead-letters/{queue}", params={"limit": limit}))


def redrive(darkroom: Darkroom, queue: str) -> Redriven:
    """Send some of a queue's messages back to be tried again, and how many are left."""
    return known(Redriven, darkroom.request("POST", f"/dead-letters/{queue}/redrive"))
