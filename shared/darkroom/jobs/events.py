"""The messages of the queue of results: SageMaker's notifications.

Their shape is that of SageMaker asynchronous inference (`invocationStatus`, `inferenceId`, `failureReason`, …).
Delivery is at least once and unordered.
"""

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from darkroom import logs
from darkroom.dead_letters.model import About
from darkroom.jobs.json_text import clean_json
from darkroom.jobs.results import Results
from darkroom.jobs.runs import Run

Outcome = Literal["Completed", "Failed", "Expired"]
"""How SageMaker says that an invocation ended: `Expired` when its time in line was over."""
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
RESULT = "InferenceResult"


class UnknownMessage(Exception):
    """A message that nobody here understands: it stays in the queue and ends as a dead letter."""


@dataclass(frozen=True)
class Notification:
    """SageMaker's report of one run; `answer` is the worker's answer if the message includes it, `answer_at` the S3 URI
    of it if the message tells one, and `ended` when the invocation ended, in epoch seconds, if the message tells
    it."""

    run: Run
    outcome: Outcome
    answer: bytes | None
    answer_at: str | None
    reason: str | None
    ended: float | None = None


@dataclass(frozen=True)
class TopicTest:
    """SageMaker tries whether it may publish to the topic: when an endpoint is made, and at each change of it, so also
    each time it wakes or sleeps."""


class Events:
    """Handles the messages of the queue of results. Each may come twice, late and out of order."""

    def __init__(self, results: Results, count: Callable[[str], None] = lambda metric: None) -> None:
        """`count` counts one under the name of a metric."""
        self._results = results
        self._count = count

    def receive(self, body: str) -> str | None:
        """Act on one message; returns the job's id for the log, None for a message that asks for nothing.

        Raises UnknownMessage for a message that nobody understands. Errors of AWS are raised too: the queue then
        delivers the message again.
        """
        message = parse(body)
        if isinstance(message, TopicTest):
            self._count("topic_tests")
            return None
        run = message.run
        logs.note_job(run.job_id)
        if message.outcome == "Completed":
            self._results.completed(run, message.answer, "callback", message.answer_at, message.ended)
        elif message.outcome == "Failed":
            self._results.failed(run, message.answer, message.reason, "callback", message.ended)
        else:
            self._results.expired(run, "callback")
        return run.job_id


def parse(body: str) -> Notification | TopicTest:
    """What a message says; raises UnknownMessage."""
    document = document_of(body)
    name = document.get("eventName", RESULT)
    if name == "TestNotification" and document.get("eventSource") == "aws:sagemaker":
        return TopicTest()
    status, run = document.get("invocationStatus"), Run.named(document.get("inferenceId"))
    outcome = next((known for known in OUTCOMES if known == status), None)
    if name != RESULT or outcome is None:
        raise UnknownMessage("no notification that is known")
    if run is None:
        raise UnknownMessage("a notification of something that is no job")
    return Notification(
        run=run,
        outcome=outcome,
        answer=_included(document.get("responseBody")),
        answer_at=_location(document.get("responseParameters")) if outcome == "Completed" else None,
        reason=_text(document.get("failureReason")),
        ended=_time(document.get("eventTime")),
    )


def document_of(body: str) -> dict[str, Any]:
    """The JSON object of a message; raises UnknownMessage."""
    try:
        document = clean_json(body)
    except (ValueError, RecursionError) as error:
        raise UnknownMessage("no JSON") from error
    if not isinstance(document, dict):
        raise UnknownMessage("no JSON object")
    # SNS may wrap what it could not deliver; the messages of a raw subscription have no such field.
    if document.get("Type") == "Notification" and isinstance(document.get("Message"), str):
        return document_of(document["Message"])
    return document


def about(body: str) -> About:
    """The facts of a message that could not be handled, without its text."""
    try:
        message = parse(body)
    except UnknownMessage as unknown:
        return About("unknown", reason=str(unknown))
    if isinstance(message, TopicTest):
        return About("test")
    return About("result", message.run.job_id, message.outcome)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _time(value: object) -> float | None:
    """A time as SageMaker writes it, in epoch seconds; None for what is none."""
    try:
        return datetime.fromisoformat(value).timestamp() if isinstance(value, str) else None
    except (ValueError, OverflowError):
        return None


def _location(parameters: object) -> str | None:
    return _text(parameters.get("outputLocation")) if isinstance(parameters, dict) else None


def _included(body: object) -> bytes | None:
    """The answer inside a notification: an object with `content` (text or base64), text, or the answer itself. None
    when there is none that can be read; the answer is then in S3."""
    if isinstance(body, str):
        return body.encode()
    if not isinstance(body, dict):
        return None
    content = body.get("content", body.get("message"))
    if content is None:
        return json.dumps(body).encode() if body else None
    if not isinstance(content, str):
        return json.dumps(content).encode()
    if content.lstrip().startswith("{"):
        return content.encode()
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        return None
