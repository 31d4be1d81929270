"""`AND` between prompts, each with a weight of its own: `a cat :1.2 AND a dog`.

As in the WebUI's modules/prompt_parser.py (`get_multicond_prompt_list`). Negative prompts have no AND.
"""

import re
from dataclasses import dataclass

_AND = re.compile(r"\bAND\b")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)", re.ASCII)


@dataclass(frozen=True)
class Part:
    """One of the prompts that are painted together, and how much it counts."""

    prompt: str
    weight: float = 1.0


def parts(prompt: str) -> list[Part]:
    """The prompts between the ANDs, at least one."""
    return [_part(text) for text in _AND.split(prompt)]


def _part(text: str) -> Part:
    before, colon, number = text.rpartition(":")
    number = number.strip()
    return Part(before.rstrip(), float(number)) if colon and _NUMBER.fullmatch(number) else Part(text)
