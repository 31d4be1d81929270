"""Keeps web pages of others out, and bodies that are too large.

A page in the browser of this machine can send requests to 127.0.0.1. It cannot hide where it comes from: `Origin` and
`Sec-Fetch-Site` say so (Fetch Standard). After DNS rebinding a page has the bridge's own origin, but the name in `Host`
is the page's (RFC 9110, 7.2).
"""

from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from darkroom_bridge.problems import Problem, answer
from darkroom_bridge.settings import MAX_BODY

NAMES = frozenset({"localhost", "host.docker.internal"})
"""Names that no web page can have: the second is how containers call their host (Docker)."""
_ELSEWHERE = frozenset({"cross-site", "same-site"})


class Guard:
    """The application behind the checks. `names` are further names that clients may call the bridge by."""

    def __init__(self, app: ASGIApp, names: tuple[str, ...] = ()) -> None:
        self._app = app
        self._names = NAMES | {name.lower() for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it with 403 or 413."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if reason := self.refusal(headers):
            refused = Problem(403, reason, "refused", plain=True)
            await answer(Request(scope), refused)(scope, receive, send)
            return
        if _announced(headers) > MAX_BODY:
            refused = Problem(413, _too_large(), "refused", plain=True)
            await answer(Request(scope), refused)(scope, receive, send)
            return
        await self._app(scope, _counted(receive), send)

    def refusal(self, headers: Headers) -> str | None:
        """Why a request with these headers is refused, None when it is not."""
        host = headers.get("host", "")
        name = _name(f"//{host}")
        if name is None or not (name in self._names or _is_address(name)):
            return f"The bridge is not called by the name in this request's Host. Start it with --allow-host {name}."
        origin = headers.get("origin")
        if origin is not None and origin.lower() not in (f"http://{host}".lower(), f"https://{host}".lower()):
            return "A web page of another origin may not use the bridge."
        if headers.get("sec-fetch-site", "").lower() in _ELSEWHERE:
            return "A web page elsewhere may not use the bridge."
        return None


def _too_large() -> str:
    return f"A request has at most {MAX_BODY} bytes."


def _name(url: str) -> str | None:
    """The host's name in lower case, None when there is none."""
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _is_address(name: str) -> bool:
    """Whether a host is an address in numbers, which no name server can turn elsewhere."""
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _announced(headers: Headers) -> int:
    length = headers.get("content-length", "0")
    return int(length) if length.isascii() and length.isdecimal() else 0


def _counted(receive: Receive) -> Receive:
    """The messages of a request; raises Problem 413 when its body goes on beyond the limit."""
    count = 0

    async def next_message() -> Message:
        nonlocal count
        message = await receive()
        count += len(message.get("body", b""))
        if count > MAX_BODY:
            raise Problem(413, _too_large(), "too_large", plain=True)
        return message

    return next_message
