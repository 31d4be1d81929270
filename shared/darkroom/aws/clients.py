"""boto3 clients as Darkroom wants them: short time-outs, bounded retries, faults named."""

from typing import Any

import boto3
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
"""Three attempts end before any function's own time does, so that a caller hears of it."""
_FAIL_FAST = Config(connect_timeout=1, read_timeout=1, retries={"mode": "standard", "total_max_attempts": 1})
_SPECIAL = {
    # Botocore signs some URLs the old way and for the global host by itself; S3 in newer regions takes neither.
    "s3": Config(signature_version="s3v4", s3={"addressing_style": "virtual"}),
    # A time-out does not tell whether the job was taken, and a second invoke would paint it twice.
    "sagemaker-runtime": Config(read_timeout=10, retries={"mode": "standard", "total_max_attempts": 1}),
}


def client(service: str, fail_fast: bool = False) -> Any:
    """A client of `service` whose throttling and connection faults, once its own retries are used up,
    are raised as `Throttled` (nothing was done) and `Busy` (something may have been) in every adapter alike.
    A `fail_fast` one is for what nobody should wait for: it gives up after a second."""
    config = _CONFIG.merge(_SPECIAL[service]) if service in _SPECIAL else _CONFIG
    config = config.merge(_FAIL_FAST) if fail_fast else config
    made = boto3.client(service, config=config)  # type: ignore[call-overload]
    made.meta.events.register("after-call", _raise_busy)
    made.meta.events.register("after-call-error", _raise_unreachable)
    return made


def _raise_busy(http_response: Any, parsed: dict[str, Any], model: Any, **_: object) -> None:
    status = http_response.status_code
    service = model.service_model.service_name
    # A HEAD has no body that could name the error, only its status.
    if status == 429 or parsed.get("Error", {}).get("Code") in _THROTTLES:
        raise Throttled("aws_busy", f"AWS asked to slow down ({service}).")
    if status >= 500:
        raise Busy("aws_busy", f"AWS had a fault of its own ({service}).")
    if isinstance(parsed.get("Body"), StreamingBody):
        parsed["Body"] = _Body(parsed["Body"])


class _Body:
    """An object's bytes as they come in. The call is over by then, so what breaks off is named here."""

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
