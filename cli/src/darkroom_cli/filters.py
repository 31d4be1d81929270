"""The filters of `GET /jobs` in one table; the options of the command line and the query are made from it."""

import inspect
from collections.abc import Callable
from enum import Enum
from typing import Annotated, Any, Literal, get_args, get_origin

import typer

from darkroom_client.answers import JobType, Status

FILTERS: dict[str, tuple[Any, str]] = {
    "type": (JobType, "Only of this type; may repeat."),
    "status": (Status, "Only with this status; may repeat."),
    "endpoint": (str, "Only on this endpoint, with or without the stage's prefix."),
    "checkpoint": (str, "Only with this checkpoint, in any spelling of the WebUI."),
    "owner": (str, "Only of this owner."),
    "lora": (str, "Only with this LoRA, in any spelling, or by an alias."),
    "q": (str, "Only with all these words in the prompt, in any case."),
    "rating": (list[int], "Only with this rating, 1 to 5; may repeat."),
    "tag": (list[str], "Only with this tag; may repeat, and then with all of them."),
    "seed": (int, "Only with a picture of this seed."),
    "from": (
        str,
        "Made in this time or later, as 2026-11, 2026-W48, 2026-11-27 or 2026-11-27T02:31; UTC unless it names a zone.",
    ),
    "to": (str, "Made in this time or earlier; all that it names is included."),
}
"""Each filter by its name in the API: its type, and its help text. A Literal of the allowed words and a list may be
given several times."""


def filtered(command: Callable[..., None]) -> Callable[..., None]:
    """A decorator that adds an option for each filter to a command. The command gets the used ones as `filters`, a dict
    by their names in the API."""

    def run(**options: Any) -> None:
        filters = {name: _plain(options.pop(_parameter(name))) for name in FILTERS}
        command(filters={name: value for name, value in filters.items() if value not in (None, [], "")}, **options)

    own = inspect.signature(command)
    parameters = [_option(name, filter_type, text) for name, (filter_type, text) in FILTERS.items()]
    parameters += [parameter for parameter in own.parameters.values() if parameter.name != "filters"]
    run.__doc__ = command.__doc__
    run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _option(name: str, filter_type: Any, text: str) -> inspect.Parameter:
    words = get_args(filter_type) if get_origin(filter_type) is Literal else ()
    # Typer supports lists of an enumeration's members, but not lists of literals.
    kind = list[Enum(name, {word: word for word in words})] if words else filter_type  # type: ignore[misc]
    annotation = Annotated[kind | None, typer.Option(f"--{name}", help=text)]  # type: ignore[valid-type]
    return inspect.Parameter(
        _parameter(name), inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=annotation
    )


def _plain(value: Any) -> Any:
    """An option's value as the API takes it: texts in place of members of an enumeration."""
    return [each.value if isinstance(each, Enum) else each for each in value] if isinstance(value, list) else value


def _parameter(name: str) -> str:
    # With an underscore, because `from` is a keyword of Python. The client's queries use the same names.
    return f"{name}_"
