"""What stands in every log line, and what may never be written down, whatever level a log has.

Features write with Python's own `logging` and say which job they are at; the edge opens and closes requests.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

TALKATIVE = ("PIL", "boto3", "botocore", "httpcore", "s3transfer", "urllib3")
"""At DEBUG these write bodies, credentials, signed addresses, and what stands inside pictures."""

_request: dict[str, str] = {}
"""One for the whole process, all its threads included: Lambda hands it one request at a time."""
_job: ContextVar[str | None] = ContextVar("job", default=None)
"""One a thread: the sweeper looks at several jobs at once."""


@contextmanager
def request(request_id: str) -> Iterator[None]:
    """Until the end of the block every log line carries `request_id`; with the end the job is forgotten, too."""
    _request["request_id"] = request_id
    try:
        with job(None):
            yield
    finally:
        _request.clear()


@contextmanager
def job(job_id: str | None) -> Iterator[None]:
    """Until the end of the block the log lines of this thread carry `job_id`, or the one that is noted meanwhile."""
    token = _job.set(job_id)
    try:
        yield
    finally:
        _job.reset(token)


def note_job(job_id: str) -> None:
    """From now on the log lines of this thread carry `job_id`, until the request or the block of `job` ends. It must be
    an id of ours: what callers wrote has no place in logs."""
    _job.set(job_id)


def add_keys(record: logging.LogRecord) -> bool:
    """A filter of a log handler: it lets every line through, with the keys of the request and the job."""
    record.__dict__.update(_request)
    if job_id := _job.get():
        record.job_id = job_id
    return True


def hold_libraries() -> None:
    """Keep the libraries that see what people send above DEBUG, even where the root logger is set to it (as Lambda's
    application log level does)."""
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.INFO)
