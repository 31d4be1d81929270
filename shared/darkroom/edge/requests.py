"""Strict checks of a request's body, before any other code reads it."""

import json
import re
from typing import Any

from darkroom.errors import Malformed, TooLarge, Unsupported

MAX_BODY_BYTES = 5 * 1024 * 1024
"""Lambda accepts events of 6 MB, and API Gateway's own fields and JSON escapes are part of the event."""
MAX_DEPTH = 64
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_JSON = re.compile(r"application/json\s*(;|$)", re.ASCII)


def check_body(body: str | None, content_type: str) -> None:
    """Raises Unsupported for a content type that is not JSON, and TooLarge above `MAX_BODY_BYTES`. A body without a
    content type is taken for JSON."""
    if not body:
        return
    if content_type and not _JSON.match(content_type.strip()):
        raise Unsupported("unsupported_content_type", "Send the body as application/json.")
    if len(body.encode(errors="replace")) > MAX_BODY_BYTES:
        raise TooLarge(
            "body_too_large",
            f"The body is over {MAX_BODY_BYTES} bytes. Upload pictures with POST /images and name them by id.",
        )


def read_json(body: str) -> dict[str, Any]:
    """Read a JSON object. `Infinity` and `NaN` are accepted, as Python's json does. Raises Malformed for anything that
    is no JSON object, is nested deeper than `MAX_DEPTH` levels, or cannot be encoded as UTF-8 again."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Malformed("not_json", "The body is no JSON.") from error
    if not isinstance(document, dict):
        raise Malformed("not_json", "The body is JSON, but no object: it starts with `{`.")
    if _too_deep(document):
        raise Malformed("not_json", f"The body is nested deeper than {MAX_DEPTH} levels.")
    if _SURROGATE.search(body):
        try:
            json.dumps(document, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise Malformed("not_json", "The body holds half a surrogate pair; send valid Unicode.") from error
    return document


def _too_deep(document: dict[str, Any]) -> bool:
    level: list[Any] = [document]
    for _ in range(MAX_DEPTH):
        level = [
            item
            for value in level
            for item in (value.values() if isinstance(value, dict) else value)
            if isinstance(item, dict | list)
        ]
        if not level:
            return False
    return True
