"""Pictures as files: their type, their names, and saving them."""

import hashlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from darkroom_client.answers import Job, Picture
from darkroom_client.errors import Failure


def content_type(content: bytes) -> str:
    """A picture's content type by its first bytes; PNG for anything unknown, which Darkroom then refuses."""
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return "image/png"


def save(job: Job, folder: Path, download: Callable[[str], bytes], overwrite: bool = False) -> list[Path]:
    """Write a job's pictures into a folder, which is created if necessary; returns their paths in order.

    Raises Failure before anything is downloaded when a file exists and `overwrite` is false, and when the downloaded
    bytes do not have the SHA-256 that the worker reported.
    """
    named = [(picture, folder / _name(job, number, picture)) for number, picture in enumerate(job["images"], 1)]
    for _, path in named:
        if path.exists() and not overwrite:
            raise Failure(f"{path} is there already.")
    folder.mkdir(parents=True, exist_ok=True)
    for picture, path in named:
        content = download(picture["url"])
        if picture["sha256"] and hashlib.sha256(content).hexdigest() != picture["sha256"]:
            raise Failure(f"{path}: what arrived is not what the worker wrote; try again.")
        # "x" does not overwrite a file that somebody wrote in the meantime.
        with path.open("wb" if overwrite else "xb") as file:
            file.write(content)
    return [path for _, path in named]


def _name(job: Job, number: int, picture: Picture) -> str:
    return f"{job['id']}-{number}{PurePosixPath(picture['key']).suffix or '.png'}"
