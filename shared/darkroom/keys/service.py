"""Access keys: authenticating callers, and making, listing and withdrawing keys."""

import hmac
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from darkroom import ids
from darkroom.errors import Busy, Conflict, FieldError, Invalid, Malformed, Missing
from darkroom.idempotency import Idempotency, idempotency, reused
from darkroom.keys.api import KeyIn, KeyList, KeyMade, KeyOut
from darkroom.keys.model import (
    FIRST_ADMIN,
    KEYS_PER_NAME,
    PREFIX_LENGTH,
    Caller,
    Key,
    Limits,
    digest,
    hour_of,
    new_secret,
)
from darkroom.keys.ports import AdminSecret, IdempotencyRecord, KeyStore, KeyWrite
from darkroom.times import iso, moment

ADMIN_SECONDS = 10.0
"""How long a function caches the first admin key. API Gateway caches an answer for 45 seconds; together that is less
than the minute after which a withdrawn key is refused."""
DEFAULT_DAYS = 365
_DAY = 86_400
_TRIES = 4
_SCHEME = "bearer"


class Authenticator:
    """Finds the caller that a key belongs to. A wrong key costs one read of the table, and one read of the first admin
    key in `ADMIN_SECONDS`. A valid key costs one read, and one write in the first request of an hour."""

    def __init__(
        self,
        keys: KeyStore,
        admin: AdminSecret,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`monotonic` gives seconds for the age of the cache, `clock` epoch seconds."""
        self._keys = keys
        self._admin = admin
        self._monotonic = monotonic
        self._clock = clock
        self._admin_digest: tuple[float, str | None] | None = None

    def caller(self, authorization: str | None) -> Caller | None:
        """The caller for a header `Authorization: Bearer …`; None without a key, and for a wrong or an expired one."""
        scheme, _, secret = (authorization or "").strip().partition(" ")
        secret = secret.strip()
        if scheme.lower() != _SCHEME or not 16 <= len(secret) <= 256 or not secret.isascii():
            return None
        hashed = digest(secret)
        key = self._keys.find(hashed)
        if key is None:
            return self._first_admin(hashed)
        now = self._clock()
        if key.expires_at <= now:
            return None
        if key.last_used != (hour := hour_of(now)):
            # Only the list of keys shows this. An error here must not refuse a valid key.
            with suppress(Exception):
                self._keys.note_use(hashed, hour)
        return Caller(key.name, key.role, key.id, key.limits)

    def _first_admin(self, hashed: str) -> Caller | None:
        """The first admin, if the digest is that of the first admin key."""
        now = self._monotonic()
        if self._admin_digest is None or now - self._admin_digest[0] > ADMIN_SECONDS:
            secret = self._admin.read()
            self._admin_digest = (now, digest(secret) if secret else None)
        expected = self._admin_digest[1]
        if expected is not None and hmac.compare_digest(hashed, expected):
            return Caller(owner=FIRST_ADMIN, role="admin", key=FIRST_ADMIN)
        return None


class Keys:
    """The keys of a stage, except the first admin key: it cannot be withdrawn here, so an admin can always get in."""

    def __init__(self, store: KeyStore, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives epoch seconds."""
        self._store = store
        self._clock = clock

    def create_once(self, owner: str, request: KeyIn, idempotency_key: str | None) -> tuple[KeyMade, bool]:
        """`create` for `owner`, safe to repeat with the same idempotency key; the flag says whether the key is new.

        A repeat returns the same key with a new secret, and the first secret stops working: it is stored nowhere, and
        the answer with it may have been lost. Raises what `create` raises; also Invalid `idempotency_key_reused` for
        another request, Conflict `key_withdrawn` when the key was withdrawn or has expired, and Busy `keys_busy` when
        the same request is being answered at the same time.
        """
        if idempotency_key is None:
            return self.create(request), True
        used = idempotency(owner, idempotency_key, request, self._clock())
        record = self._record(used)
        if record is None:
            return self.create(request, used), True
        if record.request != used.digest:
            raise reused()
        return self._renew(record, used, request.name), False

    def create(self, request: KeyIn, used: Idempotency | None = None) -> KeyMade:
        """A new key with its secret, which is stored nowhere; `used` is the idempotency key to record, if there is one.

        Raises Invalid for an expiry in the past or too far away, Conflict `key_limit_reached` for a third valid key of
        a name, Conflict `key_role_differs` for another role than a valid key of that name has, and Busy `keys_busy`.
        """
        secret = new_secret()
        now = self._clock()
        key = Key(
            id=ids.new_id(),
            name=request.name,
            role=request.role,
            prefix=secret[:PREFIX_LENGTH],
            created_at=iso(moment(now)),
            expires_at=_expiry(request, now),
            limits=Limits(request.limits.requests_per_minute, request.limits.open_jobs),
        )
        for _ in range(_TRIES):
            held = self._store.held(key.name)
            if used and self._record(used):
                # The same request was sent twice, and the other one has made the key. To renew the key now would
                # invalidate the secret that the other one is about to answer.
                break
            valid = self._valid(held, now)
            _check_name(key, list(valid.values()))
            if self._store.add(_write(key, secret, held, valid), used):
                return _with_secret(key, secret)
        raise _busy(key.name)

    def _renew(self, record: IdempotencyRecord, used: Idempotency, name: str) -> KeyMade:
        """The key that `record` names, with a new secret."""
        secret = new_secret()
        for _ in range(_TRIES):
            old = self._store.find(record.key)
            # The record is read after the key. If it still names a key that is gone, the key was withdrawn: renewing
            # would have changed the record too.
            if self._record(used) != record:
                break
            if old is None or old.expires_at <= used.now:
                raise Conflict(
                    "key_withdrawn",
                    "The key that this Idempotency-Key made was withdrawn or has expired; use a new Idempotency-Key.",
                )
            held = self._store.held(old.name)
            key = replace(old, prefix=secret[:PREFIX_LENGTH])
            write = _write(key, secret, held, self._valid(held - {record.key}, used.now))
            if self._store.renew(write, record, used):
                return _with_secret(key, secret)
        raise _busy(name)

    def _record(self, used: Idempotency) -> IdempotencyRecord | None:
        """The record of this idempotency key, unless it has expired: DynamoDB deletes expired rows late."""
        record = self._store.idempotency_record(used.row_id)
        return record if record and record.expires_at > used.now else None

    def _valid(self, held: frozenset[str], now: float) -> dict[str, Key]:
        """The keys with these digests that exist and have not expired, by digest."""
        found = {hashed: self._store.find(hashed) for hashed in held}
        return {hashed: key for hashed, key in found.items() if key is not None and key.expires_at > now}

    def page(self, before: str | None, limit: int) -> KeyList:
        """Up to `limit` keys, newest first; `before` is the `next` of the page before it. Raises Malformed for no
        id."""
        if before is not None and not ids.is_id(before):
            why = "is no key's id: send the `next` of the page before"
            raise Malformed("invalid_request", f"`before` {why}.", (FieldError(("query", "before"), why),))
        listed = self._store.page(before, limit)
        return KeyList(keys=[KeyOut.of(key) for key in listed.keys], next=listed.next)

    def delete(self, key_id: str) -> None:
        """Withdraw a key. Raises Missing `key_not_found`, Busy `keys_busy`."""
        if not ids.is_id(key_id) or not self._store.remove(key_id):
            raise Missing("key_not_found", f"There is no key {key_id[:64]!r}; GET /keys lists them.")


def _write(key: Key, secret: str, held: frozenset[str], others: dict[str, Key]) -> KeyWrite:
    """What to write for a key with this secret; `held` are the digests in the row of its name, `others` the other valid
    keys of that name, by digest."""
    hashed = digest(secret)
    until = max(key.expires_at, *(other.expires_at for other in others.values()), 0)
    return KeyWrite(key, hashed, held, frozenset([*others, hashed]), until)


def _with_secret(key: Key, secret: str) -> KeyMade:
    return KeyMade(**KeyOut.of(key).model_dump(), secret=secret)


def _busy(name: str) -> Busy:
    return Busy("keys_busy", f"Keys for {name} are being made at this moment; try again.")


def _check_name(key: Key, valid: list[Key]) -> None:
    """Raises Conflict when a name that has these valid keys may not get this one too."""
    roles = {found.role for found in valid} | ({"admin"} if key.name == FIRST_ADMIN else set())
    if roles - {key.role}:
        why = f"{key.name} has a valid key of the role {min(roles - {key.role})}"
        raise Conflict(
            "key_role_differs",
            f"{why}, and keys of one name are of one role. Delete that key, or take another name.",
            (FieldError(("body", "role"), why),),
        )
    if len(valid) >= KEYS_PER_NAME:
        prefixes = " and ".join(sorted(found.prefix + "…" for found in valid))
        raise Conflict(
            "key_limit_reached",
            f"{key.name} has {KEYS_PER_NAME} valid keys already ({prefixes}); delete the older one first.",
        )


def _expiry(request: KeyIn, now: float) -> int:
    """When the key expires, in epoch seconds: as the request says, or after `DEFAULT_DAYS`. Raises Invalid."""
    if request.expires_at is None:
        return int(now) + (request.days or DEFAULT_DAYS) * _DAY
    if request.days is not None:
        raise _wrong_expiry("days", "and `expires_at` are both given; send one of them")
    expires_at = int(request.expires_at.timestamp())
    if expires_at <= now:
        raise _wrong_expiry("expires_at", "is in the past")
    if expires_at > now + KeyIn.MOST_DAYS * _DAY:
        raise _wrong_expiry("expires_at", f"is more than {KeyIn.MOST_DAYS} days away")
    return expires_at


def _wrong_expiry(field: str, why: str) -> Invalid:
    return Invalid("invalid_request", f"`{field}` {why}.", (FieldError(("body", field), why),))
