"""Small model files for tests."""

import json
from typing import Any


def safetensors(metadata: dict[str, str] | None = None, data: bytes = b"\0" * 64) -> bytes:
    """A valid safetensors file of one tensor, with this metadata."""
    header: dict[str, Any] = {"weight": {"dtype": "U8", "shape": [len(data)], "data_offsets": [0, len(data)]}}
    if metadata:
        header["__metadata__"] = metadata
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data
