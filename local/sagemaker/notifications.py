"""The messages that SageMaker sends to the success and error topics, and when it sends them.

Shapes as seen in messages of real endpoints in public code: a failure has `failureReason` and no
`responseParameters`; an included response stands in `responseBody`, which no AWS page describes. A request whose time
in line is over is `Expired`. Each time an endpoint is made or changed, a test message goes to its topics.
"""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from local.sagemaker.backlog import Invocation, Notice
from local.sagemaker.knobs import Chance, Knobs
from local.sagemaker.worker import Answer

TEST = {"eventVersion": "1.0", "eventSource": "aws:sagemaker", "eventName": "TestNotification"}
"""With this SageMaker tries whether it may publish to a topic."""
MAX_INCLUDED = 128 * 1024
"""Bytes of a response that is included at most (API reference of AsyncInferenceNotificationConfig)."""


@dataclass(frozen=True)
class Outcome:
    """How an invocation ended. `reason` is None on success; `answer` is None when the worker did not answer."""

    reason: str | None
    answer: Answer | None
    expired: bool = False


def notices(
    invocation: Invocation, outcome: Outcome, chance: Chance, sequence: int, region: str, now: float
) -> list[Notice]:
    """The notices for an invocation that ended at `now` (epoch seconds): none, one, or two when the knobs double it."""
    topic = invocation.error_topic if outcome.reason else invocation.success_topic
    silent = outcome.expired and chance.knobs.expiry_notice == "none"
    if topic is None or silent or chance.happens("lose_rate", sequence):
        return []
    late = chance.knobs.late_seconds if chance.happens("late_rate", sequence) else 0.0
    notice = Notice(
        topic=topic,
        message=message(invocation, outcome, chance.knobs, now, region),
        due=now + late,
        held_seconds=chance.knobs.reorder_seconds if chance.happens("reorder_rate", sequence) else 0.0,
    )
    return [notice] * (2 if chance.happens("duplicate_rate", sequence) else 1)


def topic_tests(endpoint: dict[str, Any], now: float) -> list[Notice]:
    """The test messages to the topics of an endpoint (DescribeEndpoint's answer) that is made or changed at `now`
    (epoch seconds)."""
    topics = endpoint.get("AsyncInferenceConfig", {}).get("OutputConfig", {}).get("NotificationConfig", {})
    named = [topics[end] for end in ("SuccessTopic", "ErrorTopic") if end in topics]
    return [Notice(topic=topic, message=TEST, due=now) for topic in named]


def message(invocation: Invocation, outcome: Outcome, knobs: Knobs, now: float, region: str) -> dict[str, Any]:
    """The notification as it is published: one JSON object. `now` is in epoch seconds."""
    failed = outcome.reason is not None
    request = {
        "accept": invocation.accept,
        "contentType": invocation.content_type,
        "endpointName": invocation.endpoint,
        "inputLocation": invocation.input_location,
    }
    content: dict[str, Any] = {
        "awsRegion": region,
        "eventTime": _iso(now),
        "receivedTime": _iso(invocation.received),
        "invocationStatus": _status(outcome, knobs),
        "requestParameters": {name: value for name, value in request.items() if value is not None},
        "inferenceId": invocation.inference_id,
        "eventVersion": "1.0",
        "eventSource": "aws:sagemaker",
        "eventName": "InferenceResult",
    }
    if failed and content["invocationStatus"] != "Expired":
        content["failureReason"] = outcome.reason
    if not failed or knobs.failure_has_response_parameters:
        location = invocation.failure_location if failed else invocation.output_location
        content["responseParameters"] = _response_parameters(outcome.answer, location)
    setting = "ERROR_NOTIFICATION_TOPIC" if failed else "SUCCESS_NOTIFICATION_TOPIC"
    included = knobs.include_response and setting in invocation.include_response_in
    if included and outcome.answer and len(outcome.answer.body) <= MAX_INCLUDED:
        content["responseBody"] = _response_body(outcome.answer, outcome.reason, knobs.response_as_text)
    return content


def _status(outcome: Outcome, knobs: Knobs) -> str:
    if outcome.expired:
        return knobs.expiry_notice
    return "Failed" if outcome.reason is not None else "Completed"


def _response_parameters(answer: Answer | None, location: str | None) -> dict[str, str]:
    parameters = {"contentType": answer.content_type if answer else None, "outputLocation": location}
    return {name: value for name, value in parameters.items() if value is not None}


def _response_body(answer: Answer, reason: str | None, as_text: bool) -> dict[str, str]:
    """Public consumers read a success as BASE64 and a failure as text without an encoding."""
    if as_text or reason is not None:
        return {"content": answer.body.decode(errors="replace"), "message": reason or ""}
    return {"content": base64.b64encode(answer.body).decode(), "message": "", "encoding": "BASE64"}


def _iso(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
