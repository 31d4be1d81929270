"""Query parameters that are made from a table."""

from collections.abc import Callable, Mapping
from functools import wraps
from inspect import Parameter, signature
from typing import Annotated, Any, TypeVar

from annotated_types import BaseMetadata
from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic.fields import FieldInfo

_Answer = TypeVar("_Answer")


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
