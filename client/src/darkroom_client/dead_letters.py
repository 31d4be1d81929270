"""Dead letters: messages that could not be handled."""

from darkroom_client.answers import LetterList, QueueList, Redriven
from darkroom_client.client import Darkroom, expect


def queues(darkroom: Darkroom) -> QueueList:
    """All dead-letter queues, with the number of messages in each."""
    return expect(QueueList, darkroom.request("GET", "/dead-letters"))


def letters(darkroom: Darkroom, queue: str, limit: int = 20) -> LetterList:
    """The first messages of a queue, at most `limit`: what each is about, never its text."""
    return expect(LetterList, darkroom.request("GET", f"/dead-letters/{queue}", params={"limit": limit}))


def redrive(darkroom: Darkroom, queue: str) -> Redriven:
    """Send some of a queue's messages back, to be handled again; the answer says how many are left."""
    return expect(Redriven, darkroom.request("POST", f"/dead-letters/{queue}/redrive"))
