"""Uploaded pictures and masks: stored once per owner under the SHA-256 of their bytes."""

MAX_BYTES = 32 * 1024 * 1024
HEADER_BYTES = 64 * 1024
"""How many bytes of a stored picture are read first. In nearly every picture the pixels begin within these."""
LONG_HEADER_BYTES = 2 * 1024 * 1024
"""How many bytes are read at a time after that: behind a long profile or text, or at the end of the file."""


def image_key(owner: str, image_id: str) -> str:
    """The key of an owner's picture in the pictures bucket."""
    return f"images/{owner}/{image_id}"
