"""ControlNet's units as the extension writes them under a picture (its `ControlNetUnit.serialize`)."""

from collections.abc import Iterable, Mapping
from typing import Any

FIELDS = (
    "module",
    "model",
    "weight",
    "resize_mode",
    "processor_res",
    "threshold_a",
    "threshold_b",
    "guidance_start",
    "guidance_end",
    "pixel_perfect",
    "control_mode",
)


def controlnet_fields(units: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """A field for each unit that is switched on: `ControlNet 0: "Module: canny, Model: …"`.

    A unit has a value for each of FIELDS, as it was used: where the body left a number to the preprocessor, the
    preprocessor's. `resize_mode` and `control_mode` are the words of the extension's page.
    """
    return {f"ControlNet {number}": _text(unit) for number, unit in enumerate(units)}


def _text(unit: Mapping[str, Any]) -> str:
    values = {name: str(unit[name]) for name in FIELDS}
    if any(mark in value for value in values.values() for mark in ",:"):
        # The extension could not read it back, and writes nothing.
        return ""
    return ", ".join(f"{_label(name)}: {value}" for name, value in values.items())


def _label(name: str) -> str:
    return " ".join(word.capitalize() for word in name.split("_"))
