"""Truth values as the WebUI's API reads them: pydantic takes more than true and false for one."""

from typing import Any

_TRUE = frozenset({"1", "true", "t", "yes", "y", "on"})
_FALSE = frozenset({"0", "false", "f", "no", "n", "off"})


def is_true(value: Any) -> bool:
    """Whether a value is read as true: `true`, 1, `"yes"` and their like."""
    return _word(value) in _TRUE


def is_false(value: Any) -> bool:
    """Whether a value is read as false: `false`, 0, `"off"` and their like. Null is neither true nor false."""
    return _word(value) in _FALSE


def _word(value: Any) -> str:
    if isinstance(value, str):
        return value.lower()
    return str(int(value)) if isinstance(value, bool | int | float) and value in (0, 1) else ""
