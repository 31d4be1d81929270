"""What the header `Idempotency-Key` means, for every feature that takes it.

A caller that got no answer sends its request again with the same header, and nothing is made twice. Jobs and keys keep
the record in their own table, in the same write as what they make. What is named by the caller (endpoints, model files)
finds itself again by its name; there a claim, written before anything is made, holds the header to one request.
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
"""How long a repeat is recognized."""


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
        """What the record is stored under. Two owners may send the same key."""
        return row_id(self.owner, self.key)

    @property
    def claim_id(self) -> str:
        """What a claim is stored under."""
        return "claim#" + self._name

    @property
    def fingerprint(self) -> str:
        """What tells this request and its repeats from all others: the key and the request in one SHA-256."""
        return hashlib.sha256(f"{self._name}\0{self.digest}".encode()).hexdigest()

    @property
    def _name(self) -> str:
        return _name(self.owner, self.key)


class ClaimStore(Protocol):
    """Where claims are kept."""

    def claim(self, used: Idempotency) -> bool:
        """Keep an idempotency key for one request until the record expires; False when another request has it."""


class Claims:
    """Holds each `Idempotency-Key` to one request. `clock` gives epoch seconds."""

    def __init__(self, store: ClaimStore, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    def claim(self, owner: str, idempotency_key: str | None, request: BaseModel) -> str | None:
        """Claim the key that `owner` sent with a request; returns the request's fingerprint, None without a key.

        Raises Invalid `idempotency_key_reused` when the key came with another request before.
        """
        if idempotency_key is None:
            return None
        used = idempotency(owner, idempotency_key, request, self._clock())
        if not self._store.claim(used):
            raise reused()
        return used.fingerprint


def row_id(owner: str, key: str) -> str:
    """What the record of a key is stored under, before the request itself is known."""
    return "idem#" + _name(owner, key)


def _name(owner: str, key: str) -> str:
    return hashlib.sha256(f"{owner}\0{key}".encode()).hexdigest()


def idempotency(owner: str, key: str, request: BaseModel, now: float) -> Idempotency:
    """The record of a request that `owner` sends at `now` (epoch seconds) with this `Idempotency-Key`."""
    return Idempotency(owner, key, request_digest(request), int(now), int(now) + IDEMPOTENCY_SECONDS)


def request_digest(request: BaseModel, **read: Any) -> str:
    """SHA-256 in hex of what a request says, whatever the order of its fields; `read` are fields that stand there as
    the request's own code reads them."""
    fields = request.model_dump(mode="json", exclude_unset=True) | read
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def reused() -> Invalid:
    """The refusal of an `Idempotency-Key` that came with another request before."""
    return Invalid(
        "idempotency_key_reused",
        "This Idempotency-Key was used with another body in the last 24 hours; use a new key.",
        (FieldError(("header", "Idempotency-Key"), "was used with another body"),),
    )
