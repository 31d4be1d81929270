"""Plain answers of the WebUI: pictures as base64 inside the JSON, with `info` beside them."""

import base64
import binascii
import json
import re
from typing import Any

from darkroom_cli.worker_check import contract
from darkroom_cli.worker_check import pictures as files
from darkroom_cli.worker_check.problems import Problem

_DATA_URI = re.compile(r'\s*data:([\w.+-]+/[\w.+-]+)?(?:;[^,;"]*(?:"[^"]*")?)*,', re.ASCII | re.IGNORECASE)


def is_webui(document: dict[str, Any]) -> bool:
    """Whether an answer is a plain one of the WebUI with pictures inside."""
    images = document.get("images")
    if not images:
        return isinstance(document.get("image"), str) and bool(document["image"])
    return isinstance(images, list) and all(isinstance(image, str) for image in images)


def pictures(document: dict[str, Any]) -> tuple[tuple[bytes, ...], list[Problem]]:
    """The bytes of the pictures, and what is wrong with them."""
    entries = document.get("images") or [document["image"]]
    found: list[bytes] = []
    problems: list[Problem] = []
    if len(entries) > contract.MAX_PAINTED:
        problems.append(Problem("answer", f"it holds {len(entries)} pictures; a job makes at most 128"))
    for number, entry in enumerate(entries):
        content = _decoded(entry)
        if content is None:
            problems.append(Problem("pictures", f"picture {number} is no base64"))
        elif why := files.why_unreadable(content):
            problems.append(Problem("pictures", f"picture {number} {why}"))
        else:
            found.append(content)
    return tuple(found), problems


def info_of(document: dict[str, Any]) -> dict[str, Any]:
    """What the WebUI says of its pictures, as JSON inside a string; empty when it cannot be read."""
    info = document.get("info")
    if isinstance(info, str):
        try:
            info = json.loads(info)
        except (ValueError, RecursionError):
            return {}
    return info if isinstance(info, dict) else {}


def _decoded(text: str) -> bytes | None:
    uri = _DATA_URI.match(text)
    letters = "".join(text[uri.end() if uri else 0 :].split()).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(letters + "=" * (-len(letters) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
