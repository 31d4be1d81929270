"""Sending a request again while Darkroom is busy or cannot be reached."""

import math
import random
import time
from typing import Any

import httpx

TRIES = 5
FIRST_PAUSE = 0.25
"""Seconds before the second try when there was no connection; each further pause is twice as long."""
LONGEST_PAUSE = 60.0
BUSY = frozenset({429, 503})
_TEMPORARY = (httpx.NetworkError, httpx.TimeoutException, httpx.RemoteProtocolError)
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


def send(http: httpx.Client, method: str, path: str, **options: Any) -> httpx.Response:
    """Send a request, again while Darkroom is busy or the connection fails, at most TRIES times in all.

    Returns the last answer. Raises httpx.TransportError when there was none. Use it only for requests that do no harm
    when Darkroom gets them twice.
    """
    return send_noting(http, method, path, **options)[0]


def send_noting(http: httpx.Client, method: str, path: str, **options: Any) -> tuple[httpx.Response, bool]:
    """The same; the flag is whether a try before the last one may have been carried out, for its answer was lost."""
    lost = False
    tries_left = TRIES
    while True:
        tries_left -= 1
        try:
            answer = http.request(method, path, **options)
        except _TEMPORARY as error:
            if not tries_left:
                raise
            lost = lost or not isinstance(error, _NEVER_SENT)
            pause = FIRST_PAUSE * 2 ** (TRIES - tries_left - 1)
        else:
            if answer.status_code not in BUSY or not tries_left:
                return answer, lost
            # Nothing is done of what 429 refuses; behind a 503 an answer of AWS may have been lost.
            lost = lost or answer.status_code == 503
            told = retry_after(answer)
            pause = 1.0 if told is None else told
        time.sleep(spread(pause))


def retry_after(answer: httpx.Response) -> float | None:
    """The seconds in the header Retry-After, at most LONGEST_PAUSE; None without that header, and 1 when it has no
    number (RFC 9110 also allows a date)."""
    told = answer.headers.get("Retry-After")
    if told is None:
        return None
    try:
        seconds = float(told)
    except ValueError:
        return 1.0
    return min(LONGEST_PAUSE, max(0.0, seconds)) if math.isfinite(seconds) else 1.0


def spread(seconds: float) -> float:
    """So many seconds and up to a third more, by chance: so clients that were told the same do not all return at the
    same moment."""
    return seconds * random.uniform(1, 1.3)  # noqa: S311 - no secret
