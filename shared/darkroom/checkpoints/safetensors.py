"""The header of a `.safetensors` file, read without the file.

Format (safetensors' README): 8 bytes little-endian length n, n bytes of JSON that maps tensor names to dtype,
shape and data offsets (and `__metadata__` to a map of texts), then the data. Offsets begin behind the header.
"""

import json
from dataclasses import dataclass
from typing import Any

MAX_HEADER = 100_000_000
"""Bytes of JSON that the reference implementation reads at most."""
_BASE_MODEL = ("modelspec.architecture", "ss_base_model_version", "ss_sd_model_name")
_WORDS = 8
_ALIAS = 200


class NotSafetensors(Exception):
    """The bytes are not a safetensors file; the text says why."""


@dataclass(frozen=True)
class Header:
    """What the header says about the model; None or empty where it says nothing."""

    base_model: str | None
    trigger_words: tuple[str, ...]
    alias: str | None = None
    """The name that its maker gave a LoRA (kohya's `ss_output_name`); the WebUI takes it in tags."""


def header_length(start: bytes) -> int:
    """How many bytes of JSON follow the first eight bytes of a file. Raises NotSafetensors."""
    length = int.from_bytes(start[:8], "little")
    if len(start) < 8 or not 2 <= length <= MAX_HEADER:
        raise NotSafetensors("its first bytes are no header length")
    return length


def read_header(text: bytes, data_size: int) -> Header:
    """Read the JSON of a header. `data_size` is how many bytes of data follow it. Raises NotSafetensors when the two do
    not fit together."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotSafetensors("its header is no JSON") from error
    if not isinstance(document, dict):
        raise NotSafetensors("its header is no JSON object")
    metadata = document.pop("__metadata__", {})
    end = max((_end_of(name, tensor) for name, tensor in document.items()), default=0)
    if end != data_size:
        raise NotSafetensors(f"its tensors end at byte {end}, its data at byte {data_size}")
    return _header_of(metadata if isinstance(metadata, dict) else {})


def _end_of(name: str, tensor: Any) -> int:
    match tensor:
        case {"dtype": str(), "shape": [*_], "data_offsets": [int(begin), int(end)]} if 0 <= begin <= end:
            return end
    raise NotSafetensors(f"its tensor {name[:64]!r} is not described as one")


def _header_of(metadata: dict[str, Any]) -> Header:
    # JSON may contain half of a surrogate pair, but that can neither be stored nor sent as UTF-8.
    texts = {key: _storable(value) for key, value in metadata.items() if isinstance(value, str)}
    base = next((texts[key][:200] for key in _BASE_MODEL if texts.get(key)), None)
    phrase = texts.get("modelspec.trigger_phrase", "")
    words = [word.strip()[:100] for word in phrase.split(",") if word.strip()] or _most_used(texts)
    return Header(base, tuple(words[:_WORDS]), texts.get("ss_output_name", "").strip()[:_ALIAS] or None)


def _storable(text: str) -> str:
    return text.encode(errors="replace").decode()


def _most_used(texts: dict[str, str]) -> list[str]:
    """The tags a LoRA was trained on most (kohya's `ss_tag_frequency`: folders, each with tags and counts)."""
    try:
        folders = json.loads(texts.get("ss_tag_frequency", "{}"))
    except (ValueError, RecursionError):
        return []
    counts: dict[str, int] = {}
    for tags in folders.values() if isinstance(folders, dict) else ():
        for tag, count in tags.items() if isinstance(tags, dict) else ():
            if type(count) is int:
                word = _storable(tag.strip()[:100])
                counts[word] = counts.get(word, 0) + count
    return sorted(counts, key=lambda tag: -counts[tag])
