"""The filters of `GET /jobs`, once: options of the command line and words of the query are made from this table."""

import inspect
from collections.abc import Callable
from enum import Enum
from typing import Annotated, Any, get_args

import typer

from darkroom_client.answers import JobType, Status

FILTERS: dict[str, tuple[Any, str]] = {
    "type": (JobType, "Only of this type; may repeat."),
    "status": (Status, "Only with this status; may repeat."),
    "endpoint": (str, "Only on this endpoint."),
    "checkpoint": (str, "Only with this checkpoint."),
    "owner": (str, "Only of this owner."),
    "lora": (str, "Only with this LoRA, with or without its extension."),
    "q": (str, "Only with all these words in the prompt."),
    "from": (str, "Made at this time or later: a date or date-time, in UTC unless it names a zone."),
    "to": (str, "Made before this time; a date includes its whole day."),
}
"""Each filter's name in the API, what it takes (text, or some of a few words), and its help."""


def filtered(command: Callable[..., None]) -> Callable[..., None]:
    """The command with an option for each filter. It gets those that were given as `filters`, by their API names."""

    def run(**options: Any) -> None:
        filters = {name: _plain(options.pop(_parameter(name))) for name in FILTERS}
        command(filters={name: value for name, value in filters.items() if value}, **options)

    own = inspect.signature(command)
    parameters = [_option(name, taken, text) for name, (taken, text) in FILTERS.items()]
    parameters += [parameter for parameter in own.parameters.values() if parameter.name != "filters"]
    run.__doc__ = command.__doc__
    run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _option(name: str, taken: Any, text: str) -> inspect.Parameter:
    words = get_args(taken)
    # Typer takes a list of an enumeration's members, but no list of literals.
    kind = list[Enum(name, {word: word for word in words})] if words else taken  # type: ignore[misc]
    annotation = Annotated[kind | None, typer.Option(f"--{name}", help=text)]  # type: ignore[valid-type]
    return inspect.Parameter(
        _parameter(name), inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=annotation
    )


def _plain(given: Any) -> Any:
    return [member.value for member in given] if isinstance(given, list) else given


def _parameter(name: str) -> str:
    # `from` is a word of Python's own; the client takes names with the same mark.
    return f"{name}_"
