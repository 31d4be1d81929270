"""`python -m local.aws`: MiniStack, behind what stands for the end of TLS.

The stage's buckets, queues and topics refuse what does not come over TLS. Between the processes of one machine
there is none, so each request is marked the way a load balancer marks what came to it encrypted. Everything else is
MiniStack's own, its settings in the environment too.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ministack import app as ministack

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_NAME = b"x-forwarded-proto"


def behind_tls(app: App) -> App:
    """`app`, to which a request counts as encrypted unless it says itself how it came."""

    async def marked(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and all(name.lower() != _NAME for name, _ in scope["headers"]):
            scope = {**scope, "headers": [*scope["headers"], (_NAME, b"https")]}
        await app(scope, receive, send)

    return marked


def main() -> None:
    """Serve until a SIGTERM."""
    ministack.app = behind_tls(ministack.app)
    ministack.main()


if __name__ == "__main__":
    main()
