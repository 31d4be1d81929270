"""What a stored model file says of itself."""

import codecs
from typing import Any

from darkroom.checkpoints.model import Checkpoint
from darkroom.checkpoints.ports import ModelFiles
from darkroom.checkpoints.safetensors import Header, NotSafetensors, header_length, read_header
from darkroom.webui.spelling import OLD_HASH_BYTES, OLD_HASH_START, old_hash_of, stem

TEXT_READ = 64 * 1024
"""Bytes of a list of words that are looked at."""
MAX_HEADER_READ = 8 * 1024 * 1024
"""The longest header that is read, in bytes. Headers of real models have some hundred kilobytes."""


def header_of(files: ModelFiles, row: Checkpoint) -> Header:
    """What the file says about the model. Raises NotSafetensors, also for a pickle file or a text that is not one."""
    size = row.size or 0
    if row.key.is_text:
        _check_text(files.read(row.object_key, 0, min(size, TEXT_READ)))
        return Header(None, ())
    start = files.read(row.object_key, 0, 8)
    if row.key.is_pickle:
        # A zip, as PyTorch has saved since 1.6, or a bare pickle (protocol 2 and up begin with 0x80).
        if not start.startswith((b"PK\x03\x04", b"\x80")):
            raise NotSafetensors("it is neither a zip nor a pickle")
        return Header(None, ())
    length = header_length(start)
    if length > min(size - 8, MAX_HEADER_READ):
        raise NotSafetensors("its header is longer than it can be")
    return read_header(files.read(row.object_key, 8, length), size - 8 - length)


def _check_text(start: bytes) -> None:
    try:
        # A character may be cut in two at the end of what was read.
        text = codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError as error:
        raise NotSafetensors("it is no text in UTF-8") from error
    if "\0" in text:
        raise NotSafetensors("it is no text")


def names_of(files: ModelFiles, row: Checkpoint, header: Header) -> dict[str, Any]:
    """What a file is called besides its name: aliases, and the WebUI's old hash. One read of the file."""
    length = max(0, min(OLD_HASH_BYTES, (row.size or 0) - OLD_HASH_START))
    content = files.read(row.object_key, OLD_HASH_START, length) if length else b""
    aliases = [header.alias] if header.alias and header.alias != stem(row.key.name) else []
    return {"aliases": tuple(dict.fromkeys([*row.aliases, *aliases])), "old_hash": old_hash_of(content)}
