"""Who is calling: the bearer key of a request, looked up by its SHA-256."""

import hmac
import time
from collections.abc import Callable

from darkroom.keys.model import Caller, digest
from darkroom.keys.ports import AdminSecret, KeyStore

ADMIN_SECONDS = 60.0
_SCHEME = "bearer"


class Gate:
    """Tells callers by their key. The first admin key is read at most once in `ADMIN_SECONDS`, so a
    rotated one is good within a minute, and a wrong key costs one read of the table and no more."""

    def __init__(self, keys: KeyStore, admin: AdminSecret, clock: Callable[[], float] = time.monotonic) -> None:
        self._keys = keys
        self._admin = admin
        self._clock = clock
        self._admin_digest: tuple[float, str | None] | None = None

    def caller(self, authorization: str | None) -> Caller | None:
        """The caller behind an `Authorization: Bearer …` header, None for no key or a wrong one."""
        scheme, _, secret = (authorization or "").strip().partition(" ")
        secret = secret.strip()
        if scheme.lower() != _SCHEME or not 16 <= len(secret) <= 256 or not secret.isascii():
            return None
        found = digest(secret)
        return self._keys.find(found) or self._first_admin(found)

    def _first_admin(self, found: str) -> Caller | None:
        now = self._clock()
        if self._admin_digest is None or now - self._admin_digest[0] > ADMIN_SECONDS:
            secret = self._admin.read()
            self._admin_digest = (now, digest(secret) if secret else None)
        expected = self._admin_digest[1]
        if expected is not None and hmac.compare_digest(found, expected):
            return Caller(owner="admin", role="admin")
        return None
