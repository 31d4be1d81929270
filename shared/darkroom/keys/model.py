"""Access keys."""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Literal

from darkroom.times import moment

Role = Literal["viewer", "artist", "admin"]

FIRST_ADMIN = "admin"
"""The owner of the first admin key, and its id: it lies in Secrets Manager and has no row."""
KEYS_PER_NAME = 2
"""Valid keys a name may have at once: the old one and the new one while a key is changed for another."""
PREFIX_LENGTH = 8
"""Characters of a secret that lists show: the same three for every key, and 30 of its 256 bits."""
_SECRET_MARK = "dk_"  # noqa: S105 - what every secret begins with, so that scanners for leaked keys can find one


@dataclass(frozen=True)
class Limits:
    """What one key may do at most; None where the stage's own limit holds."""

    requests_per_minute: int | None = None
    open_jobs: int | None = None


@dataclass(frozen=True)
class Key:
    """A key as it is kept. `name` is the owner of what is made with it, `prefix` the beginning of its secret, times
    are ISO 8601 in UTC, `last_used` is to the hour, `expires_at` in epoch seconds."""

    id: str
    name: str
    role: Role
    prefix: str
    created_at: str
    expires_at: int
    last_used: str | None = None
    limits: Limits = Limits()


@dataclass(frozen=True)
class Caller:
    """Who is calling: the owner, what the key may do, which key it is, and its own limits."""

    owner: str
    role: Role
    key: str
    limits: Limits = Limits()


def digest(secret: str) -> str:
    """What is kept of a key: the SHA-256 of its secret, in hex. The secret itself is never stored."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_secret() -> str:
    """A new secret: 256 random bits, in characters that need no quoting anywhere."""
    return _SECRET_MARK + secrets.token_urlsafe(32)


def hour_of(epoch: float) -> str:
    """The hour of a moment, ISO 8601 in UTC: as exactly as the use of a key is noted."""
    return moment(epoch).strftime("%Y-%m-%dT%H:00:00Z")
