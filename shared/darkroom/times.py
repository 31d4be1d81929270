"""Moments as the rows and the API write them: ISO 8601 in UTC, with a Z."""

from datetime import UTC, datetime


def moment(seconds: float) -> datetime:
    """The moment that lies so many seconds after the epoch."""
    return datetime.fromtimestamp(seconds, UTC)


def iso(when: datetime) -> str:
    """To the second."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def precise(when: datetime) -> str:
    """To the millisecond: what a duration is worked out from."""
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
