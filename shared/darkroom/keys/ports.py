"""What the keys feature needs from the outside."""

from dataclasses import dataclass
from typing import Protocol

from darkroom.idempotency import Idempotency
from darkroom.keys.model import Key


@dataclass(frozen=True)
class Listed:
    """Keys, newest first, and the id to go on below, None at the end."""

    keys: list[Key]
    next: str | None


@dataclass(frozen=True)
class KeyWrite:
    """A key to write under the `digest` of its secret, and what its name holds from then on: it must still have the
    digests `held`, and gets those in `holds`, `until` then (epoch seconds)."""

    key: Key
    digest: str
    held: frozenset[str]
    holds: frozenset[str]
    until: int


@dataclass(frozen=True)
class MadeBefore:
    """What an `Idempotency-Key` made before: the digest of that `request`, the digest that the key is stored under
    now, and until when this counts (epoch seconds)."""

    request: str
    key: str
    expires_at: int


class KeyStore(Protocol):
    """The keys table."""

    def find(self, digest: str) -> Key | None:
        """The key with this digest as it is now, an expired one too."""

    def note_use(self, digest: str, hour: str) -> None:
        """Write down the hour of a key's last use. May fail; a key that is gone stays gone."""

    def held(self, name: str) -> frozenset[str]:
        """Digests of the keys that were last made for a name; some may be gone by now."""

    def add(self, write: KeyWrite, used: Idempotency | None) -> bool:
        """Write a new key, the row of its name, and the record of the `Idempotency-Key` that was `used`; False, and
        nothing written, when the name does not have what it held any more or the record is there already."""

    def made_before(self, record: str) -> MadeBefore | None:
        """The record of an `Idempotency-Key` by its `row_id`, an expired one too."""

    def renew(self, write: KeyWrite, made: MadeBefore, used: Idempotency) -> bool:
        """Replace the key that was `made` before by the same key with another secret; False, and nothing written,
        when that key is gone, its name does not have what it held any more, or the record changed."""

    def page(self, before: str | None, limit: int) -> Listed:
        """Up to `limit` keys, newest first, from the id `before` down."""

    def remove(self, key_id: str) -> bool:
        """Remove a key by its id, whatever its secret is by now; False when there is none. Raises Busy `keys_busy`
        when its secret changes again and again meanwhile."""


class AdminSecret(Protocol):
    """The first admin key, made when the stage is deployed."""

    def read(self) -> str | None:
        """The secret's current value, None when there is none."""


class Counts(Protocol):
    """Where all functions together count a key's requests."""

    def add(self, key: str, minute: int, count: int) -> int:
        """Add to a key's count of a minute (whole minutes since the epoch); the sum over all functions."""
