"""The header `Idempotency-Key`, for every feature that takes it.

A caller that got no answer sends its request again with the same header, and nothing is made twice. Jobs and keys store
a record of the header in their own table, in the same transaction as what they make. Endpoints and model files are
found again by the name that the caller gave them. For them a claim is stored before anything is made: it ties the
header to one request, so that another request with the same header is refused.
"""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel

from darkroom.errors import FieldError, Invalid

IDEMPOTENCY_SECONDS = 86_400
"""For how many seconds a repeat is recognized."""


@dataclass(frozen=True, slots=True)
class Idempotency:
    """The key a caller sent with a request and the SHA-256 of the request itself; times in epoch seconds."""

    owner: str
    key: str
    digest: str
    now: int
    expires_at: int

    @property
    def row_id(self) -> str:
        """The key of the record's row. It depends on the owner too, for two owners may send the same header."""
        return row_id(self.owner, self.key)

    @property
    def claim_id(self) -> str:
        """The key of a claim's row."""
        return "claim#" + self._name

    @property
    def fingerprint(self) -> str:
        """SHA-256 of key and request in hex: the same for this request and its repeats only."""
        return hashlib.sha256(f"{self._name}\0{self.digest}".encode()).hexdigest()

    @property
    def _name(self) -> str:
        return _name(self.owner, self.key)


class ClaimStore(Protocol):
    """Stores claims."""

    def claim(self, used: Idempotency) -> bool:
        """Store that an idempotency key belongs to one request, until the record expires; False when it belongs to
        another."""


class Claims:
    """Ties each `Idempotency-Key` to one request. `clock` gives epoch seconds."""

    def __init__(self, store: ClaimStore, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    def claim(self, owner: str, idempotency_key: str | None, request: BaseModel) -> str | None:
        """Claim the key that `owner` sent with a request; returns the request's fingerprint, None without a key.

        Raises Invalid `idempotency_key_reused` when the key was used with another request before.
        """
        if idempotency_key is None:
            return None
        used = idempotency(owner, idempotency_key, request, self._clock())
        if not self._store.claim(used):
            raise reused()
        return used.fingerprint


def row_id(owner: str, key: str) -> str:
    """The key of the row that records an `Idempotency-Key` of an owner."""
    return "idem#" + _name(owner, key)


def _name(owner: str, key: str) -> str:
    return hashlib.sha256(f"{owner}\0{key}".encode()).hexdigest()


def idempotency(owner: str, key: str, request: BaseModel, now: float) -> Idempotency:
    """The record of a request that `owner` sends at `now` (epoch seconds) with this `Idempotency-Key`."""
    return Idempotency(owner, key, request_digest(request), int(now), int(now) + IDEMPOTENCY_SECONDS)


def request_digest(request: BaseModel, **replaced: Any) -> str:
    """SHA-256 in hex of a request's fields, whatever their order. `replaced` has values to digest in place of the
    request's own: those that mean the same, however the request spells them."""
    fields = request.model_dump(mode="json", exclude_unset=True) | replaced
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def reused() -> Invalid:
    """The error for an `Idempotency-Key` that was used with another request before."""
    return Invalid(
        "idempotency_key_reused",
        "This Idempotency-Key was used with another body in the last 24 hours; use a new key.",
        (FieldError(("header", "Idempotency-Key"), "was used with another body"),),
    )
