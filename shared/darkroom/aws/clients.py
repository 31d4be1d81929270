"""boto3 clients as Darkroom wants them: short time-outs, bounded retries, faults named."""

from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ConnectionError as BotoConnectionError
from botocore.exceptions import HTTPClientError

from darkroom.errors import Busy

THROTTLES = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
        "InternalServerError",
        "InternalFailure",
        "InternalDependencyException",
        "ServiceUnavailableException",
    }
)
"""Error codes that mean: the same call may well succeed in a moment (AWS General Reference, common errors)."""

_CONFIG = Config(
    connect_timeout=2,
    read_timeout=10,
    retries={"mode": "standard", "max_attempts": 3},
)
_S3_CONFIG = _CONFIG.merge(Config(signature_version="s3v4"))
"""Presigned URLs of today's kind in every region: botocore still signs some the old way by itself."""


def client(service: str) -> Any:
    """A client of `service` whose throttling and connection faults, once its own retries are used up,
    are raised as `Busy` in every adapter alike."""
    made = boto3.client(service, config=_S3_CONFIG if service == "s3" else _CONFIG)  # type: ignore[call-overload]
    made.meta.events.register("after-call", _raise_busy)
    made.meta.events.register("after-call-error", _raise_unreachable)
    return made


def _raise_busy(parsed: dict[str, Any], model: Any, **_: object) -> None:
    if parsed.get("Error", {}).get("Code") in THROTTLES:
        raise Busy("aws_busy", f"AWS asked to slow down ({model.service_model.service_name}).")


def _raise_unreachable(exception: Exception, **_: object) -> None:
    if isinstance(exception, BotoConnectionError | HTTPClientError):
        raise Busy("aws_unreachable", "AWS did not answer in time.") from exception
