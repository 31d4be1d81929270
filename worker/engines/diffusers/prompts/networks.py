"""The tags of a prompt that load files: `<lora:name:0.8>`, `<hypernet:name:0.5>`, with their numbers.

As in the WebUI's extensions-builtin/Lora/extra_networks_lora.py and modules/extra_networks_hypernet.py. Needs no torch.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from darkroom.checkpoints.model import TAGS, Kind
from darkroom.webui.prompt import every_tag, without_comments, without_tags
from worker.errors import JobError

_NUMBER = re.compile(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*", re.ASCII)


@dataclass(frozen=True)
class NetworkUse:
    """A tag: the name as it is written, and how much it counts for the text encoders and for the UNet. `rank` is how
    many of its ranks a LoRA is used with (`dyn`), None for all."""

    kind: Kind
    name: str
    encoders: float = 1.0
    unet: float = 1.0
    rank: int | None = None


def read(prompt: str, *, comments: bool = True) -> tuple[str, list[NetworkUse]]:
    """The prompt without its tags and comments, and what the tags say, in their order. `comments` is the WebUI's
    setting `enable_prompt_comments`. Tags of other kinds go, too, and load nothing.

    Raises JobError `parameter_invalid` for a number that is none.
    """
    text = without_comments(prompt, comments)
    found = ((tag, text[tag.begin : tag.end]) for tag in every_tag(text))
    uses = [use for tag, whole in found if (use := _use(tag.type, tag.arguments.split(":"), whole))]
    return without_tags(text), uses


def _use(tag: str, arguments: Sequence[str], whole: str) -> NetworkUse | None:
    positional = [argument for argument in arguments if "=" not in argument]
    named = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    name = positional[0].strip() if positional else ""
    kind = TAGS.get(tag)
    if not name or kind is None:
        return None
    first = _number(positional[1], whole) if len(positional) > 1 else 1.0
    if kind == "hypernetwork":
        return NetworkUse(kind, name, 0.0, first)
    encoders = _number(named["te"], whole) if "te" in named else first
    second = _number(positional[2], whole) if len(positional) > 2 else encoders
    unet = _number(named["unet"], whole) if "unet" in named else second
    rank = named.get("dyn", positional[3] if len(positional) > 3 else None)
    return NetworkUse(kind, name, encoders, unet, None if rank is None else int(_number(rank, whole)))


def _number(text: str, whole: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise JobError("parameter_invalid", f"In {whole}, {text.strip()!r} is no number.")
    return float(text)
