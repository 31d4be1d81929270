"""Checks inputs against botocore's shapes: what botocore's own client checks, and what only the service checks.

botocore's client checks types, members and minimum lengths, but not patterns, enumerations or maximum lengths: these
SageMaker refuses with a ValidationException. Both are checked here.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.validate import ParamValidator

# Classes that Python's re does not know, as they stand in these models. \p{L} becomes \w, which also takes
# digits and the underscore: wherever it stands, those are allowed beside it.
_CLASSES = {
    r"\p{ASCII}": r"[\x00-\x7F]",
    r"\p{Print}+": r"[\x20-\x7E]+",
    r"\p{Print}": r"\x20-\x7E",
    r"\p{L}": r"\w",
    r"\p{N}": r"\d",
    r"\p{Z}": r"\s",
    r"\z": r"\Z",
    # Application Auto Scaling's models write what lies above \uFFFF as pairs of surrogates.
    r"\uD800\uDC00-\uDBFF\uDFFF": r"\U00010000-\U0010FFFF",
}


def violations(parameters: dict[str, Any], shape: Shape) -> str | None:
    """What is wrong with an operation's input, as the service words it; None when nothing is.

    The wording for constraints is SageMaker's ("1 validation error detected: Value '…' at
    'productionVariants.1.member.modelName' failed to satisfy constraint: …"). Unknown members are refused
    although the real service ignores them, because they are always mistakes.
    """
    report = ParamValidator().validate(parameters, shape)
    if report.has_errors():
        return str(report.generate_report())
    found = list(_constraints(parameters, shape, ""))
    if not found:
        return None
    plural = "s" if len(found) > 1 else ""
    return f"{len(found)} validation error{plural} detected: {'; '.join(found)}"


def _constraints(value: Any, shape: Shape, path: str) -> Iterator[str]:
    for problem in _broken(value, shape):
        named = "Value" if shape.metadata.get("sensitive") else f"Value '{value}'"
        yield f"{named} at '{path}' failed to satisfy constraint: Member must {problem}"
    if isinstance(shape, StructureShape):
        for name, member in value.items():
            inner = name[0].lower() + name[1:]
            yield from _constraints(member, shape.members[name], f"{path}.{inner}" if path else inner)
    elif isinstance(shape, ListShape):
        for place, member in enumerate(value, 1):
            yield from _constraints(member, shape.member, f"{path}.{place}.member")
    elif isinstance(shape, MapShape):
        for key, member in value.items():
            yield from _constraints(key, shape.key, f"{path}.{key}.key")
            yield from _constraints(member, shape.value, f"{path}.{key}.member")


def _broken(value: Any, shape: Shape) -> Iterator[str]:
    limits = shape.metadata
    if shape.type_name in ("integer", "long", "float", "double"):
        size, word = value, "value"
    elif shape.type_name in ("string", "blob", "list", "map"):
        size, word = len(value), "length"
    else:
        return
    if size < limits.get("min", size):
        yield f"have {word} greater than or equal to {limits['min']}"
    if size > limits.get("max", size):
        yield f"have {word} less than or equal to {limits['max']}"
    if "enum" in limits and value not in limits["enum"]:
        yield f"satisfy enum value set: [{', '.join(limits['enum'])}]"
    if "pattern" in limits and not python_pattern(limits["pattern"]).fullmatch(value):
        yield f"satisfy regular expression pattern: {limits['pattern']}"


@cache
def python_pattern(pattern: str) -> re.Pattern[str]:
    """A pattern of the service model as Python understands it; it must match the whole value."""
    for theirs, ours in _CLASSES.items():
        pattern = pattern.replace(theirs, ours)
    return re.compile(pattern)
