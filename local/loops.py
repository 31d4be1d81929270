"""Lambda's recursive loop detection over SQS, for MiniStack: that one counts direct invocations only.

A function's SDK sends the trace header of the invocation with every call, and SQS keeps it with the message as
AWSTraceHeader. Under `Lineage` Lambda counts in it how often each function ran in this chain. After 16 runs it does not
call the function again, unless `RecursiveLoop` of the function is `Allow` (Lambda Developer Guide, "Use Lambda
recursive loop detection"; AWS Compute Blog, "Detecting and stopping recursive loops").

At AWS a stopped message returns to its queue until its receives are used up, and so becomes a dead letter. Here it
becomes one at once.
"""

import hashlib
import json
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from contextvars import ContextVar
from functools import wraps
from typing import Any
from urllib.parse import unquote

from ministack.services import lambda_svc, sqs
from ministack.services.cloudformation import provisioners

RUNS = 16
"""How often a function runs in one chain."""
Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]

_HEADER = b"x-amzn-trace-id"
_FUNCTION = "AWS::Lambda::Function"
_sent: ContextVar[str | None] = ContextVar("trace header of the request that is being served", default=None)
_invoked: ContextVar[str | None] = ContextVar("trace header of the invocation that is being made", default=None)

log = logging.getLogger(__name__)


def install() -> None:
    """Teach MiniStack to count. It looks these functions up by their names at each call."""
    sqs._build_send_sys_attrs = _keeping_trace(sqs._build_send_sys_attrs)
    lambda_svc._run_sqs_batch = _guarded(lambda_svc._run_sqs_batch)
    lambda_svc._xray_trace_id_for_invocation = _counting(lambda_svc._xray_trace_id_for_invocation)
    handlers = provisioners._RESOURCE_HANDLERS[_FUNCTION]
    handlers["create"] = _configured(handlers["create"], properties=1)
    handlers["update"] = _configured(handlers["update"], properties=2)


def traced(app: App) -> App:
    """`app`, which knows the trace header of the request that it is serving."""

    async def with_trace(scope: Scope, receive: Any, send: Any) -> None:
        header = next((value for name, value in scope.get("headers", ()) if name.lower() == _HEADER), None)
        _sent.set(unquote(header.decode()) if header else None)
        await app(scope, receive, send)

    return with_trace


def runs(header: str | None, function: str) -> int:
    """How often a function ran in the chain that a trace header belongs to."""
    return _lineage(header).get(_short(function), 0)


def next_header(headers: Iterable[str | None], function: str) -> str:
    """The trace header for a run of a function that messages with these headers bring about."""
    found = max((header for header in headers if header), key=lambda header: runs(header, function), default=None)
    kept = [part for part in (found or _new_trace()).split(";") if not part.startswith("Lineage=")]
    lineage = _lineage(found) | {_short(function): runs(found, function) + 1}
    return ";".join([*kept, "Lineage=" + "|".join(f"{name}:{count}" for name, count in lineage.items())])


def _lineage(header: str | None) -> dict[str, int]:
    (text,) = [part for part in (header or "").split(";") if part.startswith("Lineage=")] or [""]
    pairs = (entry.partition(":") for entry in text.removeprefix("Lineage=").split("|") if entry)
    return {name: int(count) for name, _, count in pairs}


def _short(function: str) -> str:
    return hashlib.sha256(function.encode()).hexdigest()[:8]


def _new_trace() -> str:
    return f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)};Parent={secrets.token_hex(8)};Sampled=0"


def _keeping_trace(build: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """SQS keeps the sender's trace header, unless the sender gave the message one of its own."""

    @wraps(build)
    def with_trace(*arguments: Any) -> dict[str, Any]:
        attributes = build(*arguments)
        header = _sent.get()
        return ({"AWSTraceHeader": header} if header else {}) | attributes

    return with_trace


def _counting(make: Callable[..., str | None]) -> Callable[..., str | None]:
    """The function's own trace header is that of its messages, with one run more."""

    @wraps(make)
    def trace(*arguments: Any, **named: Any) -> str | None:
        return _invoked.get() or make(*arguments, **named)

    return trace


def _guarded(run: Callable[..., None]) -> Callable[..., None]:
    """The batches of an event source, without the messages of chains that must end."""

    @wraps(run)
    def guarded(mapping: Any, function: Any, event: Any, batch: list[Any], queue_url: str, queue_name: str) -> None:
        name = function["config"]["FunctionName"]
        headers = {message["id"]: message["sys"].get("AWSTraceHeader") for message in batch}
        stopped = {number for number, header in headers.items() if runs(header, name) >= RUNS}
        if stopped and not _may_loop(name):
            log.warning("%s runs in a loop: after %d runs its message becomes a dead letter", name, RUNS)
            _end(queue_url, stopped)
            batch = [message for message in batch if message["id"] not in stopped]
            event = {"Records": [record for record in event["Records"] if record["messageId"] not in stopped]}
        if batch:
            _invoked.set(next_header((headers[message["id"]] for message in batch), name))
            run(mapping, function, event, batch, queue_url, queue_name)

    return guarded


def _may_loop(name: str) -> bool:
    """It is set for a function, not for one of its versions (API reference, PutFunctionRecursionConfig)."""
    return bool(lambda_svc._functions[name].get("recursive_loop") == "Allow")


def _end(queue_url: str, stopped: set[str]) -> None:
    """Use up the receives of messages, so that they become dead letters."""
    with sqs._queues_lock:
        queue = sqs._get_q(queue_url)
        most = json.loads(queue["attributes"].get("RedrivePolicy", "{}")).get("maxReceiveCount", 0)
        for message in queue["messages"]:
            if message["id"] in stopped:
                message["receive_count"] = max(message["receive_count"], int(most))
                message["visible_at"] = 0
        sqs._dlq_sweep(queue)


def _configured(provision: Callable[..., Any], properties: int) -> Callable[..., Any]:
    """Deploys `RecursiveLoop` of a template. `properties` is the place of the properties among the arguments."""

    @wraps(provision)
    def provisioned(*arguments: Any, **named: Any) -> Any:
        result = provision(*arguments, **named)
        name = result[0] if isinstance(result, tuple) else result
        lambda_svc._functions[name]["recursive_loop"] = arguments[properties].get("RecursiveLoop", "Terminate")
        return result

    return provisioned
