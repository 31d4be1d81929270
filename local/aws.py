"""`python -m local.aws`: MiniStack, with every request marked as if it had come over TLS, and with what `loops` teaches
it of Lambda.

The stage's buckets, queues and topics refuse requests without TLS, and processes of one machine use none. So each
request gets the header by which a load balancer marks encrypted requests. Everything else is MiniStack itself, which
reads its settings from the environment.
"""

import json
import os
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import replace
from typing import Any

from ministack import app as ministack
from ministack.core import iam_actions, iam_evaluator

from local import imports, loops, roles
from local.sagemaker.aws import SAGEMAKER

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_NAME = b"x-forwarded-proto"
_resource_of: Callable[..., str] = iam_actions.extract_resource_arn
_is_trusted: Callable[..., bool] = iam_evaluator.evaluate_trust_policy


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


def trusts(policy: str | dict[str, Any], caller: str, request: Any) -> bool:
    """Whether a role's trust policy lets the caller use it. SageMaker, which the simulator plays, says for which
    account it acts (IAM User Guide, "AWS global condition context keys", aws:SourceAccount); MiniStack leaves that
    out."""
    context = request.service_context
    if context.get("sts:rolesessionname") == SAGEMAKER:
        request = replace(request, service_context={**context, "aws:sourceaccount": request.principal_account})
    return _is_trusted(policy, caller, request)


def main() -> None:
    """Serve until SIGTERM."""
    iam_evaluator.evaluate_trust_policy = trusts
    # Each process of a function is unpacked into a new folder, where bytecode that it writes would serve nobody.
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    iam_actions.extract_resource_arn = alarm_of
    loops.install()
    roles.install()
    imports.install()
    ministack.app = loops.traced(behind_tls(ministack.app))
    ministack.main()


if __name__ == "__main__":
    main()
