"""The axes of the script "X/Y/Z plot" that name models, by label and by number.

Labels and their order are those of scripts/xyz_grid.py in WebUI 1.10.1. A body that was sent from the page says an
axis by its number, and the tabs number them differently: some axes are in one tab only. Forge has one axis more before
all of these, so its numbers are higher by one.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from itertools import islice
from typing import Any

from darkroom.checkpoints.model import Kind
from darkroom.webui.samplers import is_sampler
from darkroom.webui.scripts import Path, Script

TITLE = "x/y/z plot"
_Kinds = Mapping[str, Mapping[int, tuple[Kind, ...]]]
_CERTAIN: _Kinds = {"txt2img": {11: ("stable-diffusion",)}, "img2img": {10: ("stable-diffusion",)}}
"""Kinds of the axes that have had their number since the WebUI 1.6. In Forge a sampler has this number."""
_LIKELY: _Kinds = {
    "txt2img": {
        12: ("stable-diffusion",),
        28: ("upscaler",),
        29: ("vae", "upscaler"),
        30: ("vae",),
        37: ("stable-diffusion",),
        38: ("stable-diffusion",),
    },
    "img2img": {
        11: ("stable-diffusion",),
        28: ("vae",),
        29: ("vae",),
        36: ("stable-diffusion",),
        37: ("stable-diffusion",),
    },
}
"""Kinds of the axes whose number is that of another axis in the WebUI or in Forge: a value may be no model at all."""
MODEL_AXES: Mapping[str, Kind] = {
    "checkpoint name": "stable-diffusion",
    "refiner checkpoint": "stable-diffusion",
    "vae": "vae",
    "hires upscaler": "upscaler",
    "[controlnet] model": "controlnet",
}
"""Axes whose values are names of model files, with their kind. The last is one of the extension ControlNet."""
_REPLACING = "prompt s/r"
_REPLACING_NUMBERS = {7: True, 8: False}
"""The numbers of that axis in both tabs: of the WebUI for certain; of Forge, where the WebUI has another axis."""
_TEXT_INPUTS = 17
"""The argument that tells that values are read from the texts, and not from the lists."""
_MOST_REPLACED = 1_000
"""Tags that are looked at, with those that are made of them. A job names far fewer models."""
_LONGEST_TAG = 2_000
"""Letters of a tag that is looked at: no file has so long a name."""


@dataclass(frozen=True)
class AxisValue:
    """A value of an axis that names a model of one of these kinds; `certain` is False where the axis may be another
    one. `path` is where the values stand."""

    kinds: tuple[Kind, ...]
    name: str
    path: Path
    certain: bool


@dataclass(frozen=True)
class _Axis:
    """Type, values and place of an axis."""

    type: Any
    values: list[str]
    path: Path


def values(script: Script, tab: str) -> Iterator[AxisValue]:
    """Every model that an axis runs through. `tab` is the call: `txt2img` or `img2img`."""
    for axis in _axes(script):
        kinds, certain = _kinds(axis.type, tab)
        for name in axis.values if kinds else ():
            yield AxisValue(kinds, name, axis.path, certain and not is_sampler(name))


def replaced(script: Script, tags: Iterable[str]) -> Iterator[tuple[str, Path, bool]]:
    """What the axes "Prompt S/R" make of these tags of a prompt, where each axis puts its other words in the place of
    its first one; with the place of the words, and whether it is certain that this is what the axis does."""
    texts = dict.fromkeys(islice((tag for tag in tags if len(tag) <= _LONGEST_TAG), _MOST_REPLACED))
    for axis in _axes(script):
        certain = _replaces(axis.type)
        if certain is None or len(axis.values) < 2:
            continue
        first, *others = axis.values
        for text in [text for text in texts if first in text]:
            for word in others[:_MOST_REPLACED]:
                if len(texts) >= _MOST_REPLACED:
                    return
                if len(text) + text.count(first) * len(word) > _LONGEST_TAG:
                    continue
                made = text.replace(first, word)
                if made not in texts:
                    texts[made] = None
                    yield made, axis.path, certain


def _axes(script: Script) -> Iterator[_Axis]:
    """An axis is three arguments: its type, its values as text, its values as a list. The WebUI's page remembers both
    values; a client that sends one of them means that one."""
    texts_count = len(script.args) > _TEXT_INPUTS and script.args[_TEXT_INPUTS] is True
    for start in (0, 3, 6):
        axis = script.args[start : start + 3]
        if len(axis) < 2:
            return
        chosen = axis[2] if len(axis) == 3 else None
        if isinstance(chosen, list) and chosen and not texts_count:
            place, found = start + 2, [name for name in chosen if isinstance(name, str)]
        else:
            place, found = start + 1, _texts(axis[1])
        yield _Axis(axis[0], found, (*script.path, place))


def _kinds(axis_type: Any, tab: str) -> tuple[tuple[Kind, ...], bool]:
    if isinstance(axis_type, str):
        kind = MODEL_AXES.get(axis_type.strip().lower())
        return ((kind,) if kind else (), True)
    if type(axis_type) is not int:
        return (), False
    certain = _CERTAIN.get(tab, {}).get(axis_type, ())
    return (certain, True) if certain else (_LIKELY.get(tab, {}).get(axis_type, ()), False)


def _replaces(axis_type: Any) -> bool | None:
    """Whether an axis replaces words for certain; None for one that does not."""
    if isinstance(axis_type, str):
        return True if axis_type.strip().lower() == _REPLACING else None
    return _REPLACING_NUMBERS.get(axis_type) if type(axis_type) is int else None


def _texts(text: Any) -> list[str]:
    """Values that are written as one line of CSV, as the script reads them."""
    rows = csv.reader(StringIO(text), skipinitialspace=True) if isinstance(text, str) else ()
    try:
        return [value.strip() for row in rows for value in row if value.strip()]
    except csv.Error:
        # The script fails on such a text, too, so it loads nothing.
        return []
