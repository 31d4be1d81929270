"""CLIP's tokenizer. Its vocabulary comes with the package open-clip-torch, of which nothing else is used."""

import gzip
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from transformers import CLIPTokenizer

VOCABULARY = "bpe_simple_vocab_16e6.txt.gz"
MERGES = 49152 - 256 - 2
"""Lines of the vocabulary that CLIP uses; the file has more."""
START, END = "<|startoftext|>", "<|endoftext|>"


@cache
def tokenizer() -> CLIPTokenizer:
    """The tokenizer of every CLIP here; `tokenizer()(text, add_special_tokens=False)["input_ids"]` are the tokens."""
    merges = [tuple(line.split()) for line in _lines()[1 : MERGES + 1]]
    letters = _byte_letters()
    words = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(pair) for pair in merges), START, END]
    return CLIPTokenizer(vocab={word: number for number, word in enumerate(words)}, merges=merges)


def _lines() -> list[str]:
    package = find_spec("open_clip")
    if package is None or not package.submodule_search_locations:
        raise ImportError("the package open-clip-torch, which has CLIP's vocabulary, is not installed")
    packed = Path(package.submodule_search_locations[0], VOCABULARY).read_bytes()
    return gzip.decompress(packed).decode().split("\n")


def _byte_letters() -> list[str]:
    """The letter that stands for each byte, in the order of the vocabulary: printable ones for themselves, the others
    as letters from 256 on."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + number) for number in range(len(others))]
