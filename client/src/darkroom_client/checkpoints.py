"""The shelf of model files: the API's calls, one function each."""

import time
from collections.abc import Callable, Iterator
from typing import Any

from darkroom_client.answers import Checkpoint, CheckpointList, Kind, Parts, Registered
from darkroom_client.client import Darkroom, given, known
from darkroom_client.errors import Failure

POLL_SECONDS = 1.0


def listed(darkroom: Darkroom, kind: Kind | None = None, q: str | None = None) -> Iterator[Checkpoint]:
    """Every model file on the shelf of that kind whose name has `q` in it, page by page."""
    for page in darkroom.pages("/checkpoints", "after", given({"kind": kind, "q": q}), CheckpointList):
        yield from page["checkpoints"]


def find(darkroom: Darkroom, kind: Kind, name: str) -> Checkpoint | None:
    """The model file of that kind and name, None when the shelf has none."""
    return next((row for row in listed(darkroom, kind, name) if row["name"] == name), None)


def delete(darkroom: Darkroom, kind: Kind, name: str) -> None:
    """Delete a model file from the shelf, or give up its upload."""
    darkroom.request("DELETE", "/checkpoints", params={"kind": kind, "name": name})


def import_from(darkroom: Darkroom, url: str, kind: Kind, name: str | None = None) -> Checkpoint:
    """Let the cloud fetch a model file from an https or s3 address; the row, which says how far it is."""
    body = given({"kind": kind, "url": url, "name": name})
    return known(Checkpoint, darkroom.request("POST", "/checkpoints/import", json=body))


def imported(darkroom: Darkroom, row: Checkpoint, tell: Callable[[int, int | None], None]) -> Checkpoint:
    """Wait for the end of an import; `tell` hears bytes there and bytes in all. Raises Failure when it fails."""
    while True:
        now = find(darkroom, row["kind"], row["name"])
        if now is None:
            raise Failure(f"{row['name']}: the import was deleted.")
        if now["status"] == "fail":
            raise Failure(f"{row['name']}: {now['reason']}")
        if now["status"] == "active":
            return now
        tell(now["done"] or 0, now["size"])
        time.sleep(POLL_SECONDS)


def register(darkroom: Darkroom, kind: Kind, name: str, size: int) -> Registered:
    """Announce an upload of `size` bytes, or go on with one; says how many parts it has."""
    body = {"kind": kind, "name": name, "size": size}
    return known(Registered, darkroom.request("POST", "/checkpoints", json=body))


def parts(darkroom: Darkroom, kind: Kind, name: str, wanted: dict[int, str]) -> Parts:
    """URLs for parts, by their number and SHA-256 in hex, and which parts are there already."""
    numbered = [{"number": number, "sha256": sha256} for number, sha256 in wanted.items()]
    body: dict[str, Any] = {"kind": kind, "name": name, "parts": numbered}
    return known(Parts, darkroom.request("POST", "/checkpoints/parts", json=body))


def complete(darkroom: Darkroom, kind: Kind, name: str) -> None:
    """Put a file whose parts are all there on the shelf."""
    darkroom.request("POST", "/checkpoints/complete", json={"kind": kind, "name": name})
