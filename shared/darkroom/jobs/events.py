"""What comes over the queue: SageMaker's notifications and the workers' progress.

The notification's shape is that of SageMaker asynchronous inference (`invocationStatus`, `inferenceId`,
`failureReason`, …). Delivery is at least once and unordered.
"""

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from darkroom import ids
from darkroom.jobs.answers import MAX_MESSAGE, Answer, RawPicture, clean_json, understand
from darkroom.jobs.contract import PaintedImage, Progress, WorkError
from darkroom.jobs.model import Change, precise
from darkroom.jobs.ports import Changed, JobStore, Outputs


class UnknownMessage(Exception):
    """A message that is neither a notification nor progress: it stays in the queue and ends as a dead letter."""


@dataclass(frozen=True)
class Notification:
    """SageMaker's word on one invocation; `answer` is the worker's, when the message includes it."""

    job_id: str
    completed: bool
    answer: bytes | None
    reason: str | None


class Events:
    """Takes in what the queue brings. Every message may come twice, late and out of order."""

    def __init__(self, store: JobStore, outputs: Outputs) -> None:
        self._store = store
        self._outputs = outputs

    def receive(self, body: str) -> str:
        """Act on one message; returns the job's id for the log.

        Raises UnknownMessage for what is neither notification nor progress. What AWS raises rises too:
        the message then comes again.
        """
        message = parse(body)
        if isinstance(message, Progress):
            self._store.progress(message.job_id, message.progress, message.started_at)
            return message.job_id
        self._settle(message)
        return message.job_id

    def _settle(self, notification: Notification) -> None:
        job_id = notification.job_id
        answer = self._answer(notification)
        if answer.raw and (job := self._store.get(job_id)) and job.line.settled:
            return  # A second run's pictures would lie where the first run's are.
        images = answer.images or tuple(self._stored(job_id, number, raw) for number, raw in enumerate(answer.raw))
        change = Change(
            status="fail" if answer.error else "succeed",
            basis="callback",
            images=images or None,
            caption=answer.caption,
            timings=answer.timings,
            error=answer.error,
            completed_at=precise(datetime.now(UTC)),
        )
        if answer.error and answer.error.code == "cancelled":
            change = replace(change, status="cancelled")
        self._tidy(job_id, self._store.change(job_id, change))

    def _answer(self, notification: Notification) -> Answer:
        content = notification.answer
        if notification.completed:
            if content is None:
                content = self._outputs.read_answer(notification.job_id)
            if content is None:
                message = "SageMaker reports the job as completed, but its answer is not in S3."
                return Answer(error=WorkError(code="answer_missing", message=message))
            return understand(notification.job_id, content)
        own = understand(notification.job_id, content).error if content is not None else None
        if own and own.code != "bad_answer":
            return Answer(error=own)
        reason = (notification.reason or "SageMaker gave no reason.")[:MAX_MESSAGE]
        return Answer(error=WorkError(code="worker_failed", message=reason))

    def _stored(self, job_id: str, number: int, raw: RawPicture) -> PaintedImage:
        """Store a picture of a plain WebUI answer, byte for byte."""
        return PaintedImage(
            key=self._outputs.write_picture(job_id, number, raw.content),
            width=raw.width,
            height=raw.height,
            seed=raw.seed,
            infotext=raw.infotext,
            sha256=hashlib.sha256(raw.content).hexdigest(),
            bytes=len(raw.content),
        )

    def _tidy(self, job_id: str, changed: Changed) -> None:
        """The late answer of a deleted job leaves nothing behind."""
        if not changed.exists:
            self._outputs.delete(job_id)


def parse(body: str) -> Progress | Notification:
    """What a message says; raises UnknownMessage."""
    try:
        document = clean_json(body)
    except (ValueError, RecursionError) as error:
        raise UnknownMessage("no JSON") from error
    if not isinstance(document, dict):
        raise UnknownMessage("no JSON object")
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


def _progress(document: dict[str, Any]) -> Progress:
    try:
        progress = Progress.model_validate(document)
    except ValidationError as error:
        raise UnknownMessage("broken progress") from error
    if not ids.is_id(progress.job_id):
        raise UnknownMessage("progress of something that is no job")
    return progress


def _included(body: object) -> bytes | None:
    """The included answer, in the forms it may come in: an object with `content` (text or base64), text, or the
    answer itself. None when there is none that can be read; the answer then lies in S3."""
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
