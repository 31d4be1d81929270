"""Strict checks of a request's body, before any other code reads it."""

import base64
import binascii
import json
import re
from typing import Any

from darkroom.errors import Malformed, TooLarge, Unsupported

MAX_BODY_BYTES = 5 * 1024 * 1024
"""Lambda accepts events of 6 MB, and API Gateway's own fields and JSON escapes are part of the event."""
MAX_DEPTH = 64
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_JSON = re.compile(r"application/json\s*(;|$)", re.ASCII)
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([^\s;\"]*)", re.ASCII | re.IGNORECASE)
_UTF_8 = frozenset({"", "utf-8", "utf8", "us-ascii", "ascii"})
_BOM = "\ufeff"
"""The byte order mark that some editors put before a text in UTF-8; JSON does not allow it (RFC 8259, 8.1)."""
_REPLACEMENT = "\ufffd"
"""API Gateway puts it in the place of bytes that are no UTF-8, so the bytes are lost. A text that has it of its own was
broken before, nearly always; who means the character can write the escape of JSON."""
_SURROGATE = re.compile("[\ud800-\udfff]")


def read_body(body: str | None, is_base64: bool, content_type: str) -> str:
    """The text of an event's body, without a byte order mark; "" when there is none. API Gateway hands over text, or
    base64 (`is_base64`) for media types that it takes for binary.

    Raises Unsupported for a content type that is not JSON in UTF-8, TooLarge above `MAX_BODY_BYTES`, and Malformed
    `not_json` for bytes that are no UTF-8. A body without a content type is taken for JSON.
    """
    if not body:
        return ""
    _check_type(content_type)
    content = _bytes_of(body, is_base64)
    if len(content) > MAX_BODY_BYTES:
        raise TooLarge(
            "body_too_large",
            f"The body is over {MAX_BODY_BYTES} bytes. Upload pictures with POST /images and name them by id.",
        )
    text = content.decode(errors="replace")
    # JSON has no NUL; in UTF-16 and UTF-32 every letter of the Latin alphabet has one.
    if _REPLACEMENT in text or "\0" in text[:4]:
        raise Malformed(
            "not_json",
            "The body is no UTF-8. Save or send it in UTF-8; write \\ufffd where the character U+FFFD itself is meant.",
        )
    return text.removeprefix(_BOM)


def _check_type(content_type: str) -> None:
    if content_type and not _JSON.match(content_type.strip()):
        raise Unsupported("unsupported_content_type", "Send the body as application/json.")
    charset = _CHARSET.search(content_type)
    if charset and charset[1].lower() not in _UTF_8:
        raise Unsupported("unsupported_content_type", f"Send the body in UTF-8: charset={charset[1][:40]} is no UTF-8.")


def _bytes_of(body: str, is_base64: bool) -> bytes:
    if not is_base64:
        # An emulator may leave half surrogate pairs where bytes are no UTF-8.
        return _SURROGATE.sub(_REPLACEMENT, body).encode()
    try:
        return base64.b64decode(body, validate=True)
    except (ValueError, binascii.Error) as error:
        raise Malformed("not_json", "The body is no JSON.") from error


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
    if _SURROGATE_ESCAPE.search(body):
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
