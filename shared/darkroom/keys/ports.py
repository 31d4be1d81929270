"""What the keys feature needs from the outside."""

from typing import Protocol

from darkroom.keys.model import Caller


class KeyStore(Protocol):
    """The keys table."""

    def find(self, digest: str) -> Caller | None:
        """Whose key has this digest; None for an unknown or expired one."""


class AdminSecret(Protocol):
    """The first admin key, made when the stage is deployed."""

    def read(self) -> str | None:
        """The secret's current value, None when there is none."""
