"""`python -m local.aws`: MiniStack, behind what stands for the end of TLS.

The stage's buckets, queues and topics refuse what does not come over TLS. Between the processes of one machine
there is none, so each request is marked the way a load balancer marks what came to it encrypted. Everything else is
MiniStack's own, its settings in the environment too.
"""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ministack import app as ministack
from ministack.core import iam_actions

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_NAME = b"x-forwarded-proto"
_resource_of: Callable[..., str] = iam_actions.extract_resource_arn


def behind_tls(app: App) -> App:
    """`app`, to which a request counts as encrypted unless it says itself how it came."""

    async def marked(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and all(name.lower() != _NAME for name, _ in scope["headers"]):
            scope = {**scope, "headers": [*scope["headers"], (_NAME, b"https")]}
        await app(scope, receive, send)

    return marked


def alarm_of(service: str, *request: Any) -> str:
    """The resource of a call, as MiniStack tells it, but for alarms: it knows only those of PutMetricAlarm.

    DeleteAlarms names its alarms, and DescribeAlarms asks for all of them (Service Authorization Reference,
    CloudWatch); MiniStack holds both to `*`, which no policy that names alarms allows.
    """
    *_, body, _, region, account = request
    found = _resource_of(service, *request)
    if service != "monitoring" or found != "*":
        return found
    try:
        named = json.loads(body).get("AlarmNames") or ["*"]
    except ValueError:
        return found
    return f"arn:aws:cloudwatch:{region}:{account}:alarm:{named[0]}"


def main() -> None:
    """Serve until a SIGTERM."""
    iam_actions.extract_resource_arn = alarm_of
    ministack.app = behind_tls(ministack.app)
    ministack.main()


if __name__ == "__main__":
    main()
