"""Access keys; all calls need the key of an admin."""

from collections.abc import Iterator
from typing import Any

from darkroom_client.answers import Key, KeyList, KeyMade
from darkroom_client.client import Darkroom, expect


def create(darkroom: Darkroom, body: dict[str, Any], idempotency_key: str | None = None) -> KeyMade:
    """Make a key; `body` is that of `POST /keys`. With the same idempotency key, the same key gets a new secret."""
    return expect(KeyMade, darkroom.request("POST", "/keys", json=body, idempotency_key=idempotency_key))


def listed(darkroom: Darkroom) -> Iterator[Key]:
    """Every key, newest first, page by page. The first admin key is not among them."""
    for page in darkroom.pages("/keys", "before", {}, KeyList):
        yield from page["keys"]


def delete(darkroom: Darkroom, key_id: str) -> None:
    """Withdraw a key; after at most a minute it is refused everywhere."""
    darkroom.request("DELETE", f"/keys/{key_id}")
