"""What the header `Idempotency-Key` means, for every feature that takes it.

A caller that got no answer sends its request again with the same header, and nothing is made twice. The features keep
the records, each in its own table and in the same write as what it makes.
"""

import hashlib
import json
from dataclasses import dataclass

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
        return "idem#" + hashlib.sha256(f"{self.owner}\0{self.key}".encode()).hexdigest()


def idempotency(owner: str, key: str, request: BaseModel, now: float) -> Idempotency:
    """The record of a request that `owner` sends at `now` (epoch seconds) with this `Idempotency-Key`."""
    return Idempotency(owner, key, request_digest(request), int(now), int(now) + IDEMPOTENCY_SECONDS)


def request_digest(request: BaseModel) -> str:
    """SHA-256 in hex of what a request says, whatever the order of its fields."""
    fields = request.model_dump(mode="json", exclude_unset=True)
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def reused() -> Invalid:
    """The refusal of an `Idempotency-Key` that came with another request before."""
    return Invalid(
        "idempotency_key_reused",
        "This Idempotency-Key was used with another body in the last 24 hours; use a new key.",
        (FieldError(("header", "Idempotency-Key"), "was used with another body"),),
    )
