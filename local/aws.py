"""`python -m local.aws`: MiniStack, with every request marked as if it had come over TLS.

The stage's buckets, queues and topics refuse requests without TLS, and processes of one machine use none. So each
request gets the header by which a load balancer marks encrypted requests. Everything else is MiniStack itself, which
reads its settings from the environment.
"""

import json
import os
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
    """`app`, for which every request counts as encrypted, unless its own header says how it was sent."""

    async def marked(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and all(name.lower() != _NAME for name, _ in scope["headers"]):
            scope = {**scope, "headers": [*scope["headers"], (_NAME, b"https")]}
        await app(scope, receive, send)

    return marked


def alarm_of(service: str, *request: Any) -> str:
    """The ARN of the resource of a call, which MiniStack checks permissions for. Corrects two calls for alarms.

    DeleteAlarms has the alarms that it names as resources, DescribeAlarms has all alarms (Service Authorization
    Reference, CloudWatch). MiniStack uses the resource `*` for both, which no policy that names alarms allows.
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
    """Serve until SIGTERM."""
    # Each process of a function is unpacked into a new folder, where bytecode that it writes would serve nobody.
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    iam_actions.extract_resource_arn = alarm_of
    ministack.app = behind_tls(ministack.app)
    ministack.main()


if __name__ == "__main__":
    main()
