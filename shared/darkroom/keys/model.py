"""Access keys."""

import hashlib
from dataclasses import dataclass
from typing import Literal

Role = Literal["viewer", "artist", "admin"]


@dataclass(frozen=True)
class Caller:
    """Who a key belongs to and what it may do."""

    owner: str
    role: Role


def digest(secret: str) -> str:
    """What is kept of a key: the SHA-256 of its secret, in hex. The secret itself is never stored."""
    return hashlib.sha256(secret.encode()).hexdigest()
