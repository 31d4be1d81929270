"""What all work in steps behind a queue has in common: imports of model files, and deletions of many jobs.

Steps are numbered, and each message has a token of its own. The row of the work keeps the number of the last step that
was begun and the token of the message that began it. Every change of the row has the condition that both are still the
same. So of two messages for one step only one is carried out, and the work never goes on twice at the same time. When
the queue delivers the same message again, it may go on with its step.

An attempt is counted before it begins, so that a killed one counts too. After a temporary error the step is queued
again with a delay, a few times.
"""

from typing import Protocol

ATTEMPTS = 6
KILLED_COUNTS_AS = 2
"""How many attempts are counted for a step that was killed. So three killed steps end the work. That must come before
the fifth delivery of the message, after which the queue moves it to the dead letters and nothing would end the row."""
FALLBACK_DELAY = 60
"""Seconds after which the second copy of the first message is delivered. It begins the work if nothing else did."""
_FIRST_PAUSE = 15
_LONGEST_PAUSE = 900
"""SQS delays a message by 15 minutes at most (API reference of SendMessage)."""


class StepQueue(Protocol):
    """A queue of steps."""

    def send(self, body: str, delay: int) -> None:
        """Send a message that is delivered after `delay` (0 to 900) seconds."""


class UnknownStep(Exception):
    """A message that is no step of the work. It stays in the queue and becomes a dead letter."""


def may_run(number: int, token: str, last: int, last_token: str | None) -> bool:
    """Whether a message may be carried out: it is for the step after `last`, or it is the one that began `last`."""
    return number == last + 1 or (number == last and token == last_token)


def pause(failures: int) -> int:
    """Seconds before the next attempt after so many failures in a row, twice as many each time."""
    return int(min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (failures - 1)))
