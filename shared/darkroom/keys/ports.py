"""What the keys feature needs from the outside."""

from dataclasses import dataclass
from typing import Protocol

from darkroom.idempotency import Idempotency
from darkroom.keys.model import Key


@dataclass(frozen=True)
class Listed:
    """A page of keys, newest first. `next` is the `before` of the next page, None on the last page."""

    keys: list[Key]
    next: str | None


@dataclass(frozen=True)
class KeyWrite:
    """A key to write under the `digest` of its secret, together with the row of its name.

    That row has the digests of the name's keys. It must still have the digests `held`; it then gets the digests `holds`
    and expires at `until` (epoch seconds).
    """

    key: Key
    digest: str
    held: frozenset[str]
    holds: frozenset[str]
    until: int


@dataclass(frozen=True)
class IdempotencyRecord:
    """The record of an `Idempotency-Key` that made a key: the digest of its `request`, the digest `key` that the key is
    stored under now, and when the record expires (epoch seconds)."""

    request: str
    key: str
    expires_at: int


class KeyStore(Protocol):
    """The keys table."""

    def find(self, digest: str) -> Key | None:
        """The key with this digest, read consistently; also one that has expired."""

    def note_use(self, digest: str, hour: str) -> None:
        """Store the hour of a key's last use. May raise any error. Never creates the row of a key that is gone."""

    def held(self, name: str) -> frozenset[str]:
        """The digests of the newest keys of a name; some of these keys may have been removed since."""

    def add(self, write: KeyWrite, used: Idempotency | None) -> bool:
        """Write a new key, the row of its name, and the record of the idempotency key `used`, all or nothing. False
        when the row of the name changed or the record exists already."""

    def idempotency_record(self, row_id: str) -> IdempotencyRecord | None:
        """The record of an `Idempotency-Key`, read consistently; also one that has expired."""

    def renew(self, write: KeyWrite, record: IdempotencyRecord, used: Idempotency) -> bool:
        """Replace the key that `record` names by the same key with another secret, all or nothing. False when that key
        is gone, or when the row of its name or the record changed."""

    def page(self, before: str | None, limit: int) -> Listed:
        """Up to `limit` keys, newest first, whose ids are below `before` (None: from the newest on)."""

    def remove(self, key_id: str) -> bool:
        """Remove a key by its id; False when there is none. Raises Busy `keys_busy` when the key gets another secret
        several times while it is being removed."""


class AdminSecret(Protocol):
    """The first admin key, which the deployment of the stage makes."""

    def read(self) -> str | None:
        """The secret of the key as it is now, None when there is none."""


class Counts(Protocol):
    """The counts of requests that all functions share."""

    def add(self, key: str, minute: int, count: int) -> int:
        """Add `count` to a key's count of a minute (whole minutes since the epoch); returns the new sum."""
