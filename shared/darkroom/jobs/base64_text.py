"""Pictures as text: base64 in the spellings that clients and containers use, and data URIs."""

import base64
import binascii
import re

DATA_URI = re.compile(r'\s*data:([\w.+-]+/[\w.+-]+)?(?:;[^,;"]*(?:"[^"]*")?)*,', re.ASCII | re.IGNORECASE)
"""The beginning of a data URI, with its media type, if any; a parameter may have a value in quotation marks."""
_URL_SAFE = str.maketrans("-_", "+/")


def decoded(text: str) -> bytes | None:
    """The bytes in base64 of either alphabet, with or without its padding, in one line or in several; None when it is
    no base64."""
    letters = "".join(text.split()).rstrip("=").translate(_URL_SAFE)
    try:
        return base64.b64decode(letters + "=" * (-len(letters) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
