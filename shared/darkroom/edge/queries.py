"""Query parameters: those that are made from a table, and the check that a route knows all that it is sent."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import wraps
from inspect import Parameter, signature
from typing import Annotated, Any, Protocol, TypeVar, get_args, get_origin

from annotated_types import BaseMetadata
from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic.fields import FieldInfo

from darkroom.errors import FieldError, Malformed

_Answer = TypeVar("_Answer")
MAX_NAMED = 20
"""How many wrong parameters are named in one refusal at most."""


class Taken(Protocol):
    """A query parameter that a route takes: its name in the API, and what Powertools knows of it."""

    @property
    def alias(self) -> str: ...

    @property
    def field_info(self) -> FieldInfo: ...


def check_query(method: str, path: str, taken: Sequence[Taken], query: Mapping[str, Sequence[str]]) -> None:
    """Raises Malformed for a parameter that the route does not take, one that is empty, and one that is given several
    times although it has one value: each would otherwise be left out in silence, and the answer show too much."""
    repeatable = {each.alias: _is_list(each.field_info.annotation) for each in taken}
    wrong = [
        FieldError(("query", _printable(name)), why)
        for name, values in query.items()
        if (why := _wrong(f"{method} {path}", name, values, repeatable))
    ]
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        detail = f"`{wrong[0].loc[1]}` {wrong[0].msg}{more}."
        raise Malformed("invalid_request", detail, tuple(wrong[:MAX_NAMED]))


def _wrong(route: str, name: str, values: Sequence[str], repeatable: Mapping[str, bool]) -> str | None:
    """What is wrong with a parameter, None when nothing is; `repeatable` are those the route takes."""
    if name not in repeatable:
        return f"is no query parameter of {route}; {_instead(name, repeatable)}"
    if any(not value.strip() for value in values):
        return "is empty: give it a value or leave it out"
    if len(values) > 1 and not repeatable[name]:
        return "is given several times, and takes one value"
    return None


def _instead(name: str, taken: Iterable[str]) -> str:
    """What a caller may have meant by an unknown name: the nearest one, or all there are."""
    names = {known.casefold(): known for known in taken}
    near = get_close_matches(name.casefold()[:64].strip("_ "), names, n=1)
    if near:
        return f"did you mean `{names[near[0]]}`?"
    return f"it takes {', '.join(names.values())}" if names else "it takes none"


def _printable(name: str) -> str:
    """The beginning of a name, as it can be encoded again."""
    return name[:64].encode(errors="replace").decode()


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) is list or any(_is_list(part) for part in get_args(annotation))


def grouped(
    name: str, group: Callable[..., Any], parameters: Mapping[str, Any]
) -> Callable[[Callable[..., _Answer]], Callable[..., _Answer]]:
    """For a route with a parameter `name`: its place is taken by optional query parameters, given as types by name, and
    the route gets what `group` makes of their values."""

    def decorate(route: Callable[..., _Answer]) -> Callable[..., _Answer]:
        @wraps(route)
        def run(**values: Any) -> _Answer:
            return route(**{name: group(**{each: values.pop(each) for each in parameters}), **values})

        own = signature(route)
        spread = [_query(each, taken) for each, taken in parameters.items()]
        new = [part for old in own.parameters.values() for part in (spread if old.name == name else [old])]
        # Powertools reads what a route takes from its signature.
        run.__signature__ = own.replace(parameters=new)  # type: ignore[attr-defined]
        return run

    return decorate


def _query(name: str, taken: Any) -> Parameter:
    # Powertools takes one FieldInfo for a parameter, and nested types may have several.
    field = FieldInfo.from_annotation(taken)
    limits = (part for part in field.metadata if isinstance(part, BaseMetadata))
    # mypy reads a subscript of Annotated as a type, and this one is only known when the program runs.
    annotated: Any = Annotated
    annotation = annotated[(field.annotation, *limits, Query(description=field.description))]
    return Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
