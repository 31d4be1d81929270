"""The messages of the queue: SageMaker's notifications and the workers' progress.

The notification's shape is that of SageMaker asynchronous inference (`invocationStatus`, `inferenceId`,
`failureReason`, …). Delivery is at least once and unordered.
"""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from darkroom import ids, logs
from darkroom.dead_letters.model import About
from darkroom.jobs.contract import Progress
from darkroom.jobs.ending import Endings
from darkroom.jobs.json_text import clean_json
from darkroom.jobs.ports import JobStore
from darkroom.jobs.state import CANCELLED


class UnknownMessage(Exception):
    """A message that is neither a notification nor progress: it stays in the queue and ends as a dead letter."""


@dataclass(frozen=True)
class Notification:
    """SageMaker's report of one invocation; `answer` is the worker's answer if the message includes it."""

    job_id: str
    completed: bool
    answer: bytes | None
    reason: str | None


class Events:
    """Handles the messages of the queue. Each may come twice, late and out of order."""

    def __init__(self, store: JobStore, endings: Endings) -> None:
        self._store = store
        self._endings = endings

    def receive(self, body: str) -> str:
        """Act on one message; returns the job's id for the log.

        Raises UnknownMessage for a message that is neither a notification nor progress. Errors of AWS are raised too:
        the queue then delivers the message again.
        """
        message = parse(body)
        logs.note_job(message.job_id)
        if isinstance(message, Progress):
            result = self._store.progress(message.job_id, message.progress, message.started_at)
            if result.status == CANCELLED:
                self._store.note_cancel_point(message.job_id, "during")
        elif message.completed:
            self._endings.completed(message.job_id, message.answer, "callback")
        else:
            self._endings.failed(message.job_id, message.answer, message.reason, "callback")
        return message.job_id


def parse(body: str) -> Progress | Notification:
    """What a message says; raises UnknownMessage."""
    try:
        document = clean_json(body)
    except (ValueError, RecursionError) as error:
        raise UnknownMessage("no JSON") from error
    if not isinstance(document, dict):
        raise UnknownMessage("no JSON object")
    # SNS may wrap what it could not deliver; the messages of a raw subscription have no such field.
    if document.get("Type") == "Notification" and isinstance(document.get("Message"), str):
        return parse(document["Message"])
    if document.get("event") == "darkroom.progress":
        return _progress(document)
    status, job_id = document.get("invocationStatus"), document.get("inferenceId")
    if status not in ("Completed", "Failed"):
        raise UnknownMessage("neither progress nor a notification")
    if not isinstance(job_id, str) or not ids.is_id(job_id):
        raise UnknownMessage("a notification of something that is no job")
    reason = document.get("failureReason")
    return Notification(
        job_id=job_id,
        completed=status == "Completed",
        answer=_included(document.get("responseBody")),
        reason=reason if isinstance(reason, str) else None,
    )


def about(body: str) -> About:
    """The facts of a message that could not be handled, without its text."""
    try:
        message = parse(body)
    except UnknownMessage as unknown:
        return About("unknown", reason=str(unknown))
    if isinstance(message, Progress):
        return About("progress", message.job_id)
    return About("result", message.job_id, "Completed" if message.completed else "Failed")


def _progress(document: dict[str, Any]) -> Progress:
    try:
        progress = Progress.model_validate(document)
    except ValidationError as error:
        raise UnknownMessage("broken progress") from error
    if not ids.is_id(progress.job_id):
        raise UnknownMessage("progress of something that is no job")
    return progress


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
