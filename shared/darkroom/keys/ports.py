"""What the keys feature needs from the outside."""

from dataclasses import dataclass
from typing import Protocol

from darkroom.keys.model import Key


@dataclass(frozen=True)
class Listed:
    """Keys, newest first, and the id to go on below, None at the end."""

    keys: list[Key]
    next: str | None


class KeyStore(Protocol):
    """The keys table."""

    def find(self, digest: str) -> Key | None:
        """The key with this digest as it is now, an expired one too."""

    def note_use(self, digest: str, hour: str) -> None:
        """Write down the hour of a key's last use. May fail; a key that is gone stays gone."""

    def held(self, name: str) -> frozenset[str]:
        """Digests of the keys that were last made for a name; some may be gone by now."""

    def add(self, key: Key, digest: str, held: frozenset[str], holds: frozenset[str], until: int) -> bool:
        """Write a key, and that its name `holds` these digests `until` then (epoch seconds); False, and nothing
        written, when the name does not have what it `held` any more."""

    def page(self, before: str | None, limit: int) -> Listed:
        """Up to `limit` keys, newest first, from the id `before` down."""

    def remove(self, key_id: str) -> bool:
        """Remove a key by its id; False when there is none."""


class AdminSecret(Protocol):
    """The first admin key, made when the stage is deployed."""

    def read(self) -> str | None:
        """The secret's current value, None when there is none."""


class Counts(Protocol):
    """Where all functions together count a key's requests."""

    def add(self, key: str, minute: int, count: int) -> int:
        """Add to a key's count of a minute (whole minutes since the epoch); the sum over all functions."""
