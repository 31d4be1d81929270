"""Uploading a model file from this machine to the shelf."""

import time
from typing import Literal

import httpx

from darkroom_client import checkpoints
from darkroom_client.client import Darkroom
from darkroom_client.errors import Failure, Refused
from darkroom_client.model_files import ModelFile
from darkroom_client.transfer import RETRIES, Transfer, Watcher, blocks, pause_before, sha256_of

Outcome = Literal["uploaded", "there already"]
MIN_BYTES = 16
MAX_BYTES = 50 * 1024**3


def upload(darkroom: Darkroom, file: ModelFile, watcher: Watcher, parallel: int = 4) -> Outcome:
    """Upload a model file, or continue an upload that was interrupted; says whether it was there already.

    Raises Refused, Failure, OSError or httpx.TransportError. Memory does not grow with the file.
    """
    before = file.path.stat()
    if not MIN_BYTES <= before.st_size <= MAX_BYTES:
        raise Failure(f"{file.path}: {before.st_size:,} bytes is no size of a model file.")
    try:
        registered = checkpoints.register(darkroom, file, before.st_size)
    except Refused as refused:
        if refused.code != "checkpoint_exists":
            raise
        _check_same(darkroom, file, before.st_size)
        return "there already"
    with httpx.Client(timeout=60, limits=httpx.Limits(max_connections=parallel)) as s3:
        Transfer(darkroom, s3, file, before.st_size, registered["upload"], watcher).run(parallel)
    after = file.path.stat()
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise Failure(f"{file.path}: the file changed while it was sent; upload it again.")
    complete(darkroom, file)
    return "uploaded"


def complete(darkroom: Darkroom, file: ModelFile) -> None:
    """Complete an upload, all of whose parts are stored. Tries again after a timeout: joining the parts of a large file
    may take longer than the request."""
    for attempt in range(RETRIES + 1):
        try:
            checkpoints.complete(darkroom, file.kind, file.name)
            return
        except (httpx.TransportError, Refused) as error:
            if isinstance(error, Refused) and error.status < 500:
                raise
            row = checkpoints.find(darkroom, file.kind, file.name)
            if row and row["status"] == "active":
                return
            if attempt == RETRIES:
                raise
        time.sleep(pause_before(attempt))


def _check_same(darkroom: Darkroom, file: ModelFile, size: int) -> None:
    """Raises Failure when the file on the shelf has another size or, if its SHA-256 is known, another content."""
    row = checkpoints.find(darkroom, file.kind, file.name)
    if row is None:
        return
    if row["size"] != size or (row["sha256"] and row["sha256"] != sha256_of(blocks(file.path, 0, size))):
        why = f"another {file.kind} of this name is on the shelf ({file.name})"
        raise Failure(f"{file.path}: {why}; give another name with --as, or delete that one first.")
