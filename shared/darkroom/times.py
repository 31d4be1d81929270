"""Times as text, as the tables and the API have them: ISO 8601 in UTC, with a Z."""

from datetime import UTC, datetime


def moment(seconds: float) -> datetime:
    """A time in epoch seconds as a datetime in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def iso(when: datetime) -> str:
    """A time as text, to the second."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def precise(when: datetime) -> str:
    """A time as text, to the millisecond: for times from which durations are calculated."""
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def told(text: str) -> float | None:
    """A time that somebody else wrote, in epoch seconds; None where it is none, or has no time zone."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    return when.timestamp() if when.tzinfo else None
