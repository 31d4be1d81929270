"""Job ids: UUIDv7 in canonical text form (RFC 9562, section 5.7), so that ids sort by time of creation."""

import os
import threading
import time
import uuid
from datetime import UTC, datetime

LOWEST = "00000000-0000-0000-0000-000000000000"
HIGHEST = "ffffffff-ffff-ffff-ffff-ffffffffffff"

_lock = threading.Lock()
_last = (0, 0)


def new_id() -> str:
    """A new id. Each id of a process sorts after the one before: within a millisecond `rand_a` counts up (RFC 9562,
    6.2)."""
    global _last
    with _lock:
        milliseconds = time.time_ns() // 1_000_000
        count = int.from_bytes(os.urandom(2)) & 0x7FF
        if milliseconds <= _last[0]:
            milliseconds, count = _last[0], _last[1] + 1
            if count > 0xFFF:
                milliseconds, count = milliseconds + 1, 0
        _last = (milliseconds, count)
    return _compose(milliseconds, count, int.from_bytes(os.urandom(8)))


def new_id_at(moment: datetime) -> str:
    """A new id with the time of `moment`; ids of one millisecond have no order."""
    milliseconds = int(moment.timestamp() * 1000 + 0.5)
    return _compose(milliseconds, int.from_bytes(os.urandom(2)) & 0xFFF, int.from_bytes(os.urandom(8)))


def created_at(job_id: str) -> datetime:
    """The time at which an id was made, in UTC, to the millisecond."""
    return datetime.fromtimestamp((uuid.UUID(job_id).int >> 80) / 1000, tz=UTC)


def first_of(moment: datetime) -> str:
    """The lowest id that can be made at this time (to the millisecond) or later."""
    milliseconds = max(0, min((1 << 48) - 1, int(moment.timestamp() * 1000 + 0.5)))
    return str(uuid.UUID(int=milliseconds << 80))


def before(job_id: str) -> str:
    """The text that sorts right before an id. Needed because DynamoDB's BETWEEN includes both ends."""
    return str(uuid.UUID(int=max(0, uuid.UUID(job_id).int - 1)))


def after(job_id: str) -> str:
    """The text that sorts right after an id; that of the highest id is the id itself."""
    return str(uuid.UUID(int=min((1 << 128) - 1, uuid.UUID(job_id).int + 1)))


def is_id(text: str) -> bool:
    """Whether the text is a UUIDv7 written the way `new_id` writes it."""
    try:
        parsed = uuid.UUID(text)
    except ValueError:
        return False
    return parsed.version == 7 and str(parsed) == text


def _compose(milliseconds: int, rand_a: int, rand_b: int) -> str:
    value = (milliseconds & ((1 << 48) - 1)) << 80
    value |= 0x7 << 76 | rand_a << 64
    value |= 0b10 << 62 | (rand_b & ((1 << 62) - 1))
    return str(uuid.UUID(int=value))
