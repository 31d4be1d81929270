"""Access keys."""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Literal

from darkroom.times import moment

Role = Literal["viewer", "artist", "admin"]

FIRST_ADMIN = "admin"
"""The owner and the id of the first admin key, which is in Secrets Manager and has no row in the table."""
KEYS_PER_NAME = 2
"""How many valid keys a name may have at once: the old one and the new one while a key is being replaced."""
PREFIX_LENGTH = 8
"""How many characters of a secret lists show: the three that all secrets begin with, and 30 of its 256 random bits."""
_SECRET_MARK = "dk_"  # noqa: S105 - what every secret begins with, so that scanners for leaked keys can find one


@dataclass(frozen=True)
class Limits:
    """The limits of one key; None means the stage's limit."""

    requests_per_minute: int | None = None
    open_jobs: int | None = None


@dataclass(frozen=True)
class Key:
    """A stored key. `name` is the owner of everything that is made with it, `prefix` the beginning of its secret.
    `created_at` and `last_used` are ISO 8601 in UTC, the latter to the hour; `expires_at` is in epoch seconds."""

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
    """The SHA-256 of a secret in hex, which is stored in place of the secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_secret() -> str:
    """A new secret: 256 random bits as letters, digits, dashes and underscores."""
    return _SECRET_MARK + secrets.token_urlsafe(32)


def hour_of(epoch: float) -> str:
    """The hour of a time in epoch seconds, ISO 8601 in UTC. The last use of a key is stored no more exactly."""
    return moment(epoch).strftime("%Y-%m-%dT%H:00:00Z")
