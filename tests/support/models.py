"""Small model files for tests."""

import json
from pathlib import Path
from typing import Any


def safetensors(metadata: dict[str, str] | None = None, data: bytes = b"\0" * 64) -> bytes:
    """A valid safetensors file of one tensor, with this metadata."""
    header: dict[str, Any] = {"weight": {"dtype": "U8", "shape": [len(data)], "data_offsets": [0, len(data)]}}
    if metadata:
        header["__metadata__"] = metadata
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def sparse_safetensors(path: Path, size: int) -> None:
    """A valid safetensors file of exactly `size` bytes that takes no room on the disk."""
    data = size
    while True:
        tensor = {"dtype": "U8", "shape": [data], "data_offsets": [0, data]}
        text = json.dumps({"weight": tensor}).encode()
        if 8 + len(text) + data == size:
            break
        data = size - 8 - len(text)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(size)
