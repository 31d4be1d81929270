"""Values of the WebUI as JSON, with the pictures in them set aside."""

import math
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

_DEEPEST = 8
"""No argument of a script is nested deeper; what is has come back to itself."""
_PLAIN = (bool, int, str)
_LONGEST = 56
"""Characters of a picture's name, before the number that tells equal ones apart."""


@dataclass
class Pictures:
    """The pictures of a body, by name. Each is what the WebUI holds: a PIL image or a numpy array."""

    found: "dict[str, Any]" = field(default_factory=dict)

    def add(self, name: str, picture: Any) -> str:
        """Set a picture aside; returns what stands for it in the body."""
        wanted = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in name.lower())[:_LONGEST]
        unused, number = wanted, 2
        while unused in self.found:
            unused, number = f"{wanted}_{number}", number + 1
        self.found[unused] = picture
        return f"image:{unused}"


def is_picture(value: Any) -> bool:
    """Whether a value is a PIL image, or an array of numbers that has the shape of a picture."""
    if type(value).__module__.startswith("PIL."):
        return hasattr(value, "save")
    shape = getattr(value, "shape", None)
    if type(value).__module__ != "numpy" or not hasattr(value, "dtype") or str(value.dtype) == "object":
        return False
    return isinstance(shape, tuple) and (len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4)))


def plain(value: Any, name: str, pictures: Pictures, depth: int = 0) -> Any:
    """A value as JSON. Objects become the dictionary of their public fields, as the WebUI's API takes the units of
    ControlNet; members of an Enum become their values; what JSON cannot express becomes None."""
    if isinstance(value, Enum):
        return plain(value.value, name, pictures, depth + 1)
    if value is None or isinstance(value, _PLAIN):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value).replace("inf", "Infinity").replace("nan", "NaN")
    if is_picture(value):
        return pictures.add(name, value)
    if depth >= _DEEPEST:
        return None
    if isinstance(value, dict):
        return _fields(value, name, pictures, depth)
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item, f"{name}_{number}", pictures, depth + 1) for number, item in enumerate(value)]
    if hasattr(value, "item") and type(value).__module__ == "numpy":
        return plain(value.item(), name, pictures, depth + 1) if getattr(value, "size", 0) == 1 else None
    if callable(value) or isinstance(value, type) or not hasattr(value, "__dict__"):
        return None
    return _fields(vars(value), name, pictures, depth)


def _fields(fields: "dict[Any, Any]", name: str, pictures: Pictures, depth: int) -> "dict[str, Any]":
    if fields.get("enabled") is False:
        # A unit that is switched off does nothing, so its pictures need not travel.
        return {"enabled": False}
    return {
        str(key): plain(item, f"{name}_{key}", pictures, depth + 1)
        for key, item in fields.items()
        if not str(key).startswith("_") and not callable(item)
    }
