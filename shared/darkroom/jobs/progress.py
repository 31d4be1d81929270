"""The workers' progress, which has a queue of its own: whatever its messages say, they end no job.

A message that tells a result is refused and becomes a dead letter. Nobody would wait for what it says, so the author of
its container must learn that results go another way; and if somebody tries to end another one's job, an operator must
see it. Other fields that Darkroom does not know are ignored: a newer worker may send more.
"""

from typing import Any

from pydantic import ValidationError

from darkroom import ids, logs
from darkroom.dead_letters.model import About
from darkroom.jobs.contract import Progress, WorkAnswer
from darkroom.jobs.events import UnknownMessage, document_of
from darkroom.jobs.ports import JobStore
from darkroom.jobs.state import CANCELLED

_OF_A_RESULT = {*WorkAnswer.model_fields, "status", "invocationStatus", "responseBody", "responseParameters"}


class ProgressReports:
    """Handles the messages of the queue of progress. Each may come twice, late and out of order."""

    def __init__(self, store: JobStore) -> None:
        self._store = store

    def receive(self, body: str) -> str:
        """Write the progress that one message reports; returns the job's id for the log.

        Raises UnknownMessage for a message that is no progress. Errors of AWS are raised too: the queue then delivers
        the message again.
        """
        message = parse(body)
        logs.note_job(message.job_id)
        if message.loading is None:
            result = self._store.progress(message.job_id, message.progress, message.started_at)
        else:
            result = self._store.loading(message.job_id, message.loading, message.started_at)
        if result.status == CANCELLED:
            self._store.note_cancel_point(message.job_id, "during")
        return message.job_id


def parse(body: str) -> Progress:
    """What a message reports; raises UnknownMessage."""
    document: dict[str, Any] = document_of(body)
    if document.get("event") != "darkroom.progress":
        raise UnknownMessage("no progress")
    if _OF_A_RESULT & document.keys():
        raise UnknownMessage("progress that tells a result")
    try:
        progress = Progress.model_validate(document)
    except ValidationError as error:
        raise UnknownMessage("broken progress") from error
    if not ids.is_id(progress.job_id):
        raise UnknownMessage("progress of something that is no job")
    return progress


def about(body: str) -> About:
    """The facts of a message that could not be handled, without its text."""
    try:
        return About("progress", parse(body).job_id)
    except UnknownMessage as unknown:
        return About("unknown", reason=str(unknown))
