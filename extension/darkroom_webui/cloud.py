"""Calls to the stage that never take longer than a person would wait, with errors that say what to do."""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

import httpx

from darkroom_client import Darkroom, Failure, Refused, retry
from darkroom_webui import account
from darkroom_webui.account import Account

ANSWER_SECONDS = 8.0
"""How long a click in the panel waits for the stage."""
REQUEST_SECONDS = 10.0
"""How long one request may take."""
_AT_ONCE = 16
"""Calls that may be on their way at the same time. One more is refused at once, so a stage that does not answer never
holds all threads of the WebUI."""
Answer = TypeVar("Answer")

NO_ACCOUNT = "Enter the address and the key of your stage under “Address and key” first."
BUSY = "The cloud has not answered the last requests yet. Wait a little, then try again."
NO_ANSWER = "The cloud does not answer. Check your network and the address under “Address and key”, then try again."


class CloudError(Exception):
    """What a person reads when something did not work. `code` is Darkroom's own for what went wrong, if there is one;
    `later` says that the same may work later."""

    def __init__(self, text: str, code: "str | None" = None, later: bool = False) -> None:
        super().__init__(text)
        self.code = code
        self.later = later


class Cloud:
    """The stage of the stored account. One object serves all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._client: Darkroom | None = None
        self._of: Account | None = None
        self._places = threading.BoundedSemaphore(_AT_ONCE)

    def client(self) -> Darkroom:
        """A client for the stored account. Raises CloudError without an account."""
        stored = account.read()
        if stored is None:
            raise CloudError(NO_ACCOUNT)
        with self._lock:
            if self._client is None or stored != self._of:
                # The old client is not closed: another thread may be in the middle of a request.
                self._client, self._of = Darkroom(stored.address, stored.key, timeout=REQUEST_SECONDS), stored
            return self._client

    def ask(self, question: "Callable[[Darkroom], Answer]", seconds: float = ANSWER_SECONDS) -> Answer:
        """What `question` returns for a client, at the latest after `seconds`. Raises CloudError."""
        client = self.client()
        return self.within(lambda: question(client), seconds)

    def within(self, work: "Callable[[], Answer]", seconds: float = ANSWER_SECONDS) -> Answer:
        """What `work` returns, at the latest after `seconds`; it goes on in its own thread. Raises CloudError."""
        if not self._places.acquire(blocking=False):
            raise CloudError(BUSY, later=True)
        outcome: list[Any] = []
        done = threading.Event()

        def run() -> None:
            try:
                outcome.append((True, work()))
            except Exception as error:
                outcome.append((False, error))
            finally:
                self._places.release()
                done.set()

        threading.Thread(target=run, name="darkroom-ask", daemon=True).start()
        if not done.wait(seconds):
            raise CloudError(NO_ANSWER, later=True)
        fine, value = outcome[0]
        if not fine:
            raise readable(value) from value
        answer: Answer = value
        return answer


def readable(error: Exception) -> CloudError:
    """The error as a person should read it. It never contains the key."""
    if isinstance(error, CloudError):
        return error
    if isinstance(error, Refused):
        return CloudError(_refused(error), error.code, later=error.status in retry.BUSY)
    if isinstance(error, Failure):
        return CloudError(str(error))
    if isinstance(error, httpx.HTTPError):
        return CloudError(NO_ANSWER, later=True)
    return CloudError(f"{type(error).__name__}: {error}")


def _refused(refused: Refused) -> str:
    if refused.status == 401:
        return "The cloud does not know this key. Enter a valid one under “Address and key”."
    return f"{refused.detail} ({refused.code})"
