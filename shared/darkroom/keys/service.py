"""Access keys: who is calling, and making, listing and withdrawing them."""

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
from darkroom.keys.ports import AdminSecret, KeyStore, KeyWrite, MadeBefore
from darkroom.times import iso, moment

ADMIN_SECONDS = 10.0
"""How long a function remembers the first admin key. API Gateway keeps an answer for 45 seconds; together they stay
under the minute in which a withdrawn key is refused."""
DEFAULT_DAYS = 365
_DAY = 86_400
_TRIES = 4
_SCHEME = "bearer"


class Authenticator:
    """Tells callers by their key. A wrong key costs one read of the table, and one of the first admin key in
    `ADMIN_SECONDS`; a right one a read, and a write in the first request of an hour."""

    def __init__(
        self,
        keys: KeyStore,
        admin: AdminSecret,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys
        self._admin = admin
        self._clock = clock
        self._now = now
        self._admin_digest: tuple[float, str | None] | None = None

    def caller(self, authorization: str | None) -> Caller | None:
        """The caller behind an `Authorization: Bearer …` header, None for no key, a wrong or an expired one."""
        scheme, _, secret = (authorization or "").strip().partition(" ")
        secret = secret.strip()
        if scheme.lower() != _SCHEME or not 16 <= len(secret) <= 256 or not secret.isascii():
            return None
        found = digest(secret)
        key = self._keys.find(found)
        if key is None:
            return self._first_admin(found)
        now = self._now()
        if key.expires_at <= now:
            return None
        if key.last_used != (hour := hour_of(now)):
            # A note for the list of keys; whatever goes wrong with it, its key is good.
            with suppress(Exception):
                self._keys.note_use(found, hour)
        return Caller(key.name, key.role, key.id, key.limits)

    def _first_admin(self, found: str) -> Caller | None:
        now = self._clock()
        if self._admin_digest is None or now - self._admin_digest[0] > ADMIN_SECONDS:
            secret = self._admin.read()
            self._admin_digest = (now, digest(secret) if secret else None)
        expected = self._admin_digest[1]
        if expected is not None and hmac.compare_digest(found, expected):
            return Caller(owner=FIRST_ADMIN, role="admin", key=FIRST_ADMIN)
        return None


class Keys:
    """The keys of a stage, but the first admin key: that one cannot be withdrawn here, so there is always a way in."""

    def __init__(self, store: KeyStore, now: Callable[[], float] = time.time) -> None:
        self._store = store
        self._now = now

    def create_once(self, owner: str, request: KeyIn, idempotency_key: str | None) -> tuple[KeyMade, bool]:
        """`create` for `owner`, safe to repeat with the same idempotency key; the flag tells whether the key is new.

        A repeat answers the key that was made before with a new secret, for the first one is kept nowhere and its
        answer may be lost; the first secret then stops working. Raises what `create` raises, Invalid
        `idempotency_key_reused` for another request, Conflict `key_withdrawn` when the key has ended since, and Busy
        `keys_busy` when the same request is being answered at this moment.
        """
        if idempotency_key is None:
            return self.create(request), True
        used = idempotency(owner, idempotency_key, request, self._now())
        made = self._made_before(used)
        if made is None:
            return self.create(request, used), True
        if made.request != used.digest:
            raise reused()
        return self._renew(made, used, request.name), False

    def create(self, request: KeyIn, used: Idempotency | None = None) -> KeyMade:
        """A new key with its secret, which is shown this once; `used` is the record to keep of its idempotency key.

        Raises Invalid for an expiry that makes no sense, Conflict `key_limit_reached` for a third valid key of a
        name, `key_role_differs` for another role than a valid key of that name has.
        """
        secret = new_secret()
        now = self._now()
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
            if used and self._made_before(used):
                # The same request was faster. To renew its key now would take away the secret it is answering.
                break
            valid = self._valid(held, now)
            _check_place(key, list(valid.values()))
            if self._store.add(_write(key, secret, held, valid), used):
                return _shown(key, secret)
        raise _busy(key.name)

    def _renew(self, made: MadeBefore, used: Idempotency, name: str) -> KeyMade:
        """The key that was made before, with a new secret."""
        secret = new_secret()
        for _ in range(_TRIES):
            old = self._store.find(made.key)
            # Read after the key: a key that is gone while the record still names it was withdrawn, not renewed.
            if self._made_before(used) != made:
                break
            if old is None or old.expires_at <= used.now:
                raise Conflict(
                    "key_withdrawn",
                    "The key that this Idempotency-Key made was withdrawn or has expired; use a new Idempotency-Key.",
                )
            held = self._store.held(old.name)
            key = replace(old, prefix=secret[:PREFIX_LENGTH])
            write = _write(key, secret, held, self._valid(held - {made.key}, used.now))
            if self._store.renew(write, made, used):
                return _shown(key, secret)
        raise _busy(name)

    def _made_before(self, used: Idempotency) -> MadeBefore | None:
        """What this idempotency key made before; DynamoDB removes expired records late, so they count no more."""
        made = self._store.made_before(used.row_id)
        return made if made and made.expires_at > used.now else None

    def _valid(self, held: frozenset[str], now: float) -> dict[str, Key]:
        """Those of the keys with these digests that are there and have not expired."""
        found = {known: self._store.find(known) for known in held}
        return {known: key for known, key in found.items() if key is not None and key.expires_at > now}

    def page(self, before: str | None, limit: int) -> KeyList:
        """Keys, newest first. Raises Malformed when `before` is no id."""
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
    """What to write for a key with this secret beside the other valid keys of its name."""
    made = digest(secret)
    until = max(key.expires_at, *(other.expires_at for other in others.values()), 0)
    return KeyWrite(key, made, held, frozenset([*others, made]), until)


def _shown(key: Key, secret: str) -> KeyMade:
    return KeyMade(**KeyOut.of(key).model_dump(), secret=secret)


def _busy(name: str) -> Busy:
    return Busy("keys_busy", f"Keys for {name} are being made at this moment; try again.")


def _check_place(key: Key, valid: list[Key]) -> None:
    """Whether a name that has these valid keys may get another one."""
    roles = {found.role for found in valid} | ({"admin"} if key.name == FIRST_ADMIN else set())
    if roles - {key.role}:
        why = f"{key.name} has a valid key of the role {min(roles - {key.role})}"
        raise Conflict(
            "key_role_differs",
            f"{why}, and keys of one name are of one role. Delete that key, or take another name.",
            (FieldError(("body", "role"), why),),
        )
    if len(valid) >= KEYS_PER_NAME:
        shown = " and ".join(sorted(found.prefix + "…" for found in valid))
        raise Conflict(
            "key_limit_reached",
            f"{key.name} has {KEYS_PER_NAME} valid keys already ({shown}); delete the older one first.",
        )


def _expiry(request: KeyIn, now: float) -> int:
    """When the key ends, in epoch seconds; after `DEFAULT_DAYS` unless the request says."""
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
