"""Requests of CloudFormation for a resource that a function makes (CloudFormation User Guide, "Custom resources").

CloudFormation waits for an answer at an address of its own, for as long as the template says. So there is always one.
"""

import json
import time
import urllib.request
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from darkroom import logs
from darkroom.assets import RequestType, Unpackable, Unpacking
from darkroom.edge.log import logger

Work = Callable[[RequestType, Unpacking, Callable[[], float]], dict[str, str]]
RESERVE_SECONDS = 15.0
"""How many seconds of the function's time are kept for the answer."""
ATTEMPTS = 4
PAUSE_SECONDS = 1.0
MOST_WORDS = 1_000
"""Characters of a reason: an answer has at most 4,096 bytes."""


def handle(event: dict[str, Any], context: Any, work: Work) -> None:
    """Carry out one request and answer it. A failure is answered with its reason, which CloudFormation shows.

    Raises OSError when nobody takes the answer; Lambda then calls the function again.
    """
    until = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS
    with logs.request(context.aws_request_id):
        answer = _answer_to(event, context, lambda: work_of(event, work, lambda: until - time.monotonic()))
        logger().info("custom resource", extra={"request": event.get("RequestType"), "answer": answer["Status"]})
        _send(event["ResponseURL"], json.dumps(answer).encode())


def work_of(event: dict[str, Any], work: Work, left: Callable[[], float]) -> tuple[str, dict[str, str]]:
    """The resource's id and its attributes, once the work is done."""
    asked = Unpacking.model_validate(event["ResourceProperties"])
    return asked.physical_id, work(event["RequestType"], asked, left)


def _answer_to(event: dict[str, Any], context: Any, do: Callable[[], tuple[str, dict[str, str]]]) -> dict[str, Any]:
    same = {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
    kept = event.get("PhysicalResourceId") or event["LogicalResourceId"]
    try:
        physical_id, data = do()
        return {**same, "Status": "SUCCESS", "PhysicalResourceId": physical_id, "Data": data}
    except Exception as error:
        log = f"See {getattr(context, 'log_group_name', 'the log')}, request {context.aws_request_id}."
        logger().exception("the request failed", extra={"error": type(error).__name__})
        reason = f"{_words(error)[:MOST_WORDS]} {log}"
        return {**same, "Status": "FAILED", "PhysicalResourceId": kept, "Reason": reason}


def _words(error: Exception) -> str:
    """What may be shown to whoever deploys: our own words as they are, of others the kind too."""
    if isinstance(error, ValidationError):
        return f"The template asks for something that is not possible: {error.errors()[0]['loc']}."
    return str(error) if isinstance(error, Unpackable) else f"{type(error).__name__}: {error}"


def _send(url: str, answer: bytes) -> None:
    """PUT the answer. The address is signed without a content type, so none is sent."""
    for attempt in range(ATTEMPTS):
        request = urllib.request.Request(url, answer, {"Content-Type": ""}, method="PUT")  # noqa: S310 - CloudFormation's own address
        try:
            urllib.request.urlopen(request, timeout=3).close()  # noqa: S310
            return
        except OSError as error:
            if attempt == ATTEMPTS - 1:
                # Without the address, which is signed.
                raise OSError(f"CloudFormation does not take the answer: {type(error).__name__}") from None
            time.sleep(PAUSE_SECONDS * attempt)
