"""The keys of every log line, and the libraries whose DEBUG lines are never written.

Features log with Python's own `logging` and note which job they work on; the edge begins and ends requests.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

TALKATIVE = ("PIL", "boto3", "botocore", "httpcore", "s3transfer", "urllib3")
"""At DEBUG these libraries log bodies, credentials, signed URLs, and the metadata of pictures."""

_request: dict[str, str] = {}
"""One for the whole process with all its threads: Lambda gives a process one request at a time."""
_job: ContextVar[str | None] = ContextVar("job", default=None)
"""One for each thread: the sweeper works on several jobs at once."""


@contextmanager
def request(request_id: str) -> Iterator[None]:
    """Until the end of the block every log line has `request_id`. The job that was noted is forgotten at the end
    too."""
    _request["request_id"] = request_id
    try:
        with job(None):
            yield
    finally:
        _request.clear()


@contextmanager
def job(job_id: str | None) -> Iterator[None]:
    """Until the end of the block the log lines of this thread have `job_id`, or the id that `note_job` sets inside."""
    token = _job.set(job_id)
    try:
        yield
    finally:
        _job.reset(token)


def note_job(job_id: str) -> None:
    """From now on the log lines of this thread have `job_id`, until the request or the block of `job` ends. Check with
    `ids.is_id` first: what a caller wrote must not be logged."""
    _job.set(job_id)


def add_keys(record: logging.LogRecord) -> bool:
    """A filter for a log handler: adds the keys of the request and the job, and keeps every line."""
    record.__dict__.update(_request)
    if job_id := _job.get():
        record.job_id = job_id
    return True


def hold_libraries() -> None:
    """Set the level of these libraries to INFO, so that they log nothing at DEBUG even when the root logger has that
    level (Lambda's application log level sets it)."""
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.INFO)
