"""The shelf of model files: one function for each call of the API."""

import time
from collections.abc import Callable, Iterator
from typing import Any
from unicodedata import normalize

from darkroom_client.answers import Checkpoint, CheckpointList, Kind, Parts, Purpose, Registered
from darkroom_client.client import Darkroom, expect, without_none
from darkroom_client.errors import Failure
from darkroom_client.model_files import ModelFile

POLL_SECONDS = 1.0
"""How long to wait between two requests for the progress of an import."""


def listed(darkroom: Darkroom, kind: Kind | None = None, q: str | None = None) -> Iterator[Checkpoint]:
    """Every model file of that kind (None: of all) whose name contains `q`; reads page by page."""
    for page in darkroom.pages("/checkpoints", "after", without_none({"kind": kind, "q": q}), CheckpointList):
        yield from page["checkpoints"]


def find(darkroom: Darkroom, kind: Kind, name: str) -> Checkpoint | None:
    """The model file of that kind and name, None when the shelf has none."""
    composed = normalize("NFC", name)
    return next((row for row in listed(darkroom, kind, composed) if row["name"] == composed), None)


def delete(darkroom: Darkroom, kind: Kind, name: str) -> None:
    """Delete a model file, or give its upload up."""
    darkroom.request("DELETE", "/checkpoints", params={"kind": kind, "name": name})


def import_from(
    darkroom: Darkroom, url: str, kind: Kind, name: str | None = None, purpose: Purpose | None = None
) -> Checkpoint:
    """Let the cloud fetch a model file from an https or s3 URL; returns its row, which shows the progress. `purpose` is
    what an engine needs an `engine-file` for."""
    body = without_none({"kind": kind, "url": url, "name": name, "purpose": purpose})
    return expect(Checkpoint, darkroom.request("POST", "/checkpoints/import", json=body))


def wait_for_import(darkroom: Darkroom, row: Checkpoint, progress: Callable[[int, int | None], None]) -> Checkpoint:
    """Wait for the end of an import; returns the row as it is then. `progress` is called with the bytes that are stored
    and the size of the file (None while it is unknown). Raises Failure when the import fails or is deleted."""
    while True:
        now = find(darkroom, row["kind"], row["name"])
        if now is None:
            raise Failure(f"{row['name']}: the import was deleted.")
        if now["status"] == "fail":
            raise Failure(f"{row['name']}: {now['reason']}")
        if now["status"] == "active":
            return now
        progress(now["done"] or 0, now["size"])
        time.sleep(POLL_SECONDS)


def rename(darkroom: Darkroom, kind: Kind, name: str, to: str) -> Checkpoint:
    """Give a model file another name; the old one stays an alias. Returns its row."""
    body = {"kind": kind, "name": name, "to": to}
    return expect(Checkpoint, darkroom.request("POST", "/checkpoints/rename", json=body))


def register(darkroom: Darkroom, file: ModelFile, size: int) -> Registered:
    """Begin an upload of `size` bytes, or find the open one; the answer says how many parts it has."""
    body = without_none(
        {"kind": file.kind, "name": file.name, "size": size, "folder": file.folder, "purpose": file.purpose}
    )
    if file.aliases:
        body["aliases"] = list(file.aliases)
    return expect(Registered, darkroom.request("POST", "/checkpoints", json=body))


def parts(darkroom: Darkroom, kind: Kind, name: str, digests: dict[int, str]) -> Parts:
    """URLs for parts, and which parts are stored already. `digests` has the SHA-256 (hex) of each part by its
    number."""
    numbered = [{"number": number, "sha256": sha256} for number, sha256 in digests.items()]
    body: dict[str, Any] = {"kind": kind, "name": name, "parts": numbered}
    return expect(Parts, darkroom.request("POST", "/checkpoints/parts", json=body))


def complete(darkroom: Darkroom, kind: Kind, name: str) -> None:
    """Complete an upload, all of whose parts are stored."""
    darkroom.request("POST", "/checkpoints/complete", json={"kind": kind, "name": name})
