"""The axes of the script "X/Y/Z plot" that name models, by label and by number.

Labels and their order are those of scripts/xyz_grid.py in WebUI 1.10.1. A body that was sent from the page says an
axis by its number, and the tabs number them differently: some axes are in one tab only.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from typing import Any

from darkroom.checkpoints.model import Kind
from darkroom.webui.scripts import Path, Script

TITLE = "x/y/z plot"
_Kinds = Mapping[str, Mapping[int, tuple[Kind, ...]]]
_CERTAIN: _Kinds = {"txt2img": {11: ("stable-diffusion",)}, "img2img": {10: ("stable-diffusion",)}}
"""Kinds of the axes that have had their number since the WebUI 1.6."""
_LIKELY: _Kinds = {
    "txt2img": {
        28: ("upscaler",),
        29: ("vae", "upscaler"),
        30: ("vae",),
        37: ("stable-diffusion",),
        38: ("stable-diffusion",),
    },
    "img2img": {28: ("vae",), 29: ("vae",), 36: ("stable-diffusion",), 37: ("stable-diffusion",)},
}
"""Kinds of the axes whose numbers differ by one among builds of 1.10: a value may be no model at all."""
MODEL_AXES: Mapping[str, Kind] = {
    "checkpoint name": "stable-diffusion",
    "refiner checkpoint": "stable-diffusion",
    "vae": "vae",
    "hires upscaler": "upscaler",
}
"""Axes whose values are names of model files, with their kind."""


@dataclass(frozen=True)
class AxisValue:
    """A value of an axis that names a model of one of these kinds; `certain` is False where the axis may be another
    one. `path` is where the values stand."""

    kinds: tuple[Kind, ...]
    name: str
    path: Path
    certain: bool


def values(script: Script, tab: str) -> Iterator[AxisValue]:
    """Every model that an axis runs through. `tab` is the call: `txt2img` or `img2img`. An axis is three arguments:
    its type, its values as text, its values as a list."""
    for start in (0, 3, 6):
        axis = script.args[start : start + 3]
        kinds, certain = _kinds(axis[0], tab) if len(axis) > 1 else ((), False)
        if not kinds:
            continue
        chosen = axis[2] if len(axis) == 3 else None
        if isinstance(chosen, list) and chosen:
            place, names = start + 2, [name for name in chosen if isinstance(name, str)]
        else:
            place, names = start + 1, _texts(axis[1])
        for name in names:
            yield AxisValue(kinds, name, (*script.path, place), certain)


def _kinds(axis_type: Any, tab: str) -> tuple[tuple[Kind, ...], bool]:
    if isinstance(axis_type, str):
        kind = MODEL_AXES.get(axis_type.strip().lower())
        return ((kind,) if kind else (), True)
    if type(axis_type) is not int:
        return (), False
    certain = _CERTAIN.get(tab, {}).get(axis_type, ())
    return (certain, True) if certain else (_LIKELY.get(tab, {}).get(axis_type, ()), False)


def _texts(text: Any) -> list[str]:
    """Values that are written as one line of CSV, as the script reads them."""
    rows = csv.reader(StringIO(text)) if isinstance(text, str) else ()
    return [value.strip() for row in rows for value in row if value.strip()]
