"""AWS clients with short time-outs, few retries, and errors that say whether a call was carried out.

They are botocore's. boto3's are the same and would import a tenth more at every cold start.
"""

from functools import cache
from typing import Any

from botocore import session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, HTTPClientError
from botocore.exceptions import ConnectionError as BotoConnectionError
from botocore.response import StreamingBody

from darkroom.errors import Busy, Throttled
from darkroom.logs import hold_libraries

hold_libraries()

_THROTTLES = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)
"""Error codes of calls that were not carried out because there were too many (AWS General Reference, common errors)."""

_CONFIG = Config(connect_timeout=2, read_timeout=4, retries={"mode": "standard", "total_max_attempts": 3})
"""Three attempts take less time than any function has, so the caller gets an error and no time-out."""
_FAIL_FAST = Config(connect_timeout=1, read_timeout=1, retries={"mode": "standard", "total_max_attempts": 1})
_SPECIAL = {
    # By default botocore signs some URLs with the old signature and for the global host; newer regions accept neither.
    "s3": Config(signature_version="s3v4", s3={"addressing_style": "virtual"}),
    # After a time-out nobody knows whether SageMaker accepted the job, and a second invoke would run it twice.
    "sagemaker-runtime": Config(read_timeout=10, retries={"mode": "standard", "total_max_attempts": 1}),
}


def client(service: str, fail_fast: bool = False) -> Any:
    """A client of `service`. When its retries are used up, it raises `Throttled` for calls that were not carried out,
    and `Busy` for calls that may have been. A `fail_fast` client tries once and gives up after a second."""
    config = _CONFIG.merge(_SPECIAL[service]) if service in _SPECIAL else _CONFIG
    config = config.merge(_FAIL_FAST) if fail_fast else config
    created = _session().create_client(service, config=config)
    created.meta.events.register("after-call", _raise_busy)
    created.meta.events.register("after-call-error", _raise_unreachable)
    return created


@cache
def _session() -> Any:
    """One for all clients: it keeps the models of the services that it has read."""
    return session.get_session()


def _raise_busy(http_response: Any, parsed: dict[str, Any], model: Any, **_: object) -> None:
    status = http_response.status_code
    service = model.service_model.service_name
    # The answer to a HEAD has no body that could name the error, only a status.
    if status == 429 or parsed.get("Error", {}).get("Code") in _THROTTLES:
        raise Throttled("aws_busy", f"AWS asked to slow down ({service}).")
    if status >= 500:
        raise Busy("aws_busy", f"AWS had a fault of its own ({service}).")
    if isinstance(parsed.get("Body"), StreamingBody):
        parsed["Body"] = _Body(parsed["Body"])


class _Body:
    """An object's bytes. They are read after the call has returned, so connection errors are translated here."""

    def __init__(self, body: StreamingBody) -> None:
        self._body = body

    def read(self, amount: int | None = None) -> bytes:
        """Up to `amount` bytes, all for None. Raises Busy."""
        try:
            content: bytes = self._body.read(amount)
        except BotoCoreError as error:
            raise Busy("aws_unreachable", "AWS broke off in the middle of an answer.") from error
        return content


def _raise_unreachable(exception: Exception, **_: object) -> None:
    if isinstance(exception, BotoConnectionError | HTTPClientError):
        raise Busy("aws_unreachable", "AWS did not answer in time.") from exception
