"""Uploaded pictures and masks: stored once per owner under the SHA-256 of their bytes."""

MAX_BYTES = 32 * 1024 * 1024
HEADER_BYTES = 64 * 1024
"""How much of a stored picture is read at first: nearly every picture has its pixels begin in there."""
LONG_HEADER_BYTES = 2 * 1024 * 1024
"""How much is read at a time where that does not do: a long profile or text, or what stands behind the pixels."""


def image_key(owner: str, image_id: str) -> str:
    """Where an owner's picture lies in the pictures bucket."""
    return f"images/{owner}/{image_id}"
